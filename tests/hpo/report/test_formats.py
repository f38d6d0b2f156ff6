import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpo.report.formats as fmt

FINITE = st.floats(-1e300, 1e300)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.6931472, "0.6931"),
        (0.69, "0.6900"),
        (12.3456, "12.35"),
        (1234.4, "1234"),
        (0.00012345, "1.234e-4"),
        (123456.0, "1.235e5"),
        (-0.5, "-0.5000"),
        (0.0, "0"),
        (None, "–"),
    ],
)
def test_scores_have_four_significant_digits(value, text):
    assert fmt.score(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-4, "1e-4"), (1.234e-4, "1.2e-4"), (0.05, "0.05"), (0.5, "0.5"), (0, "0"), (250, "250")],
)
def test_rates_have_two_significant_digits(value, text):
    assert fmt.rate(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0123, "+0.012"), (-0.0123, "-0.012"), (0, "0"), (None, "–")])
def test_differences_carry_their_sign(value, text):
    assert fmt.signed(value) == text


@pytest.mark.parametrize(
    ("value", "plus", "text"),
    [
        (0.14862, False, "14.86 %"),
        (0.14862, True, "+14.86 %"),
        (-0.5, True, "-50.00 %"),
        (-0.00001, True, "0.00 %"),
        (-43.5, True, "-4,350 %"),
        (None, True, "–"),
    ],
)
def test_percentages(value, plus, text):
    assert fmt.percent(value, plus=plus) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (999, "999"),
        (884_000, "884k"),
        (999_600, "1.0M"),
        (1_999_021, "2.0M"),
        (226_100_000, "226.1M"),
        (2e9, "2.0B"),
    ],
)
def test_parameter_counts(count, text):
    assert fmt.params(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.4 s"),
        (59.94, "59.9 s"),
        (59.96, "1m 00s"),
        (65, "1m 05s"),
        (3599.6, "1h 00m"),
        (7380, "2h 03m"),
        (None, "–"),
    ],
)
def test_durations(seconds, text):
    assert fmt.duration(seconds) == text


@given(FINITE)
def test_a_score_reads_back_within_its_four_digits(value):
    assert math.isclose(float(fmt.score(value)), value, rel_tol=1e-3)


@given(FINITE.filter(bool))
def test_a_difference_reads_back_with_its_sign(value):
    assert math.isclose(float(fmt.signed(value).replace(",", "")), value, rel_tol=0.06)
