import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hpo.data import scaling

NUMBERS = st.floats(-1e6, 1e6).map(lambda x: x if abs(x) > 1e-100 else 0.0)  # squares are numbers, too


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 40), st.integers(1, 4)), elements=NUMBERS))
def test_other_rows_do_not_matter_and_nothing_is_lost(values):
    half = len(values) // 2 + 1
    mean, std = scaling.fit(values, [(0, half)])
    other = values.copy()
    other[half:] += 1e9
    np.testing.assert_array_equal(scaling.fit(other, [(0, half)]), (mean, std))
    constant = std == 0
    assert (np.ptp(values[:half, constant], axis=0) <= 1e-11 * np.abs(mean[constant])).all()
    restored = scaling.apply(values[:half], mean, np.where(constant, 1.0, std)) * std + mean
    np.testing.assert_allclose(restored, values[:half], rtol=1e-5, atol=1e-5 * np.abs(values).max() + 1e-6)


def test_ranges_are_taken_together():
    values = np.array([[0.0], [2.0], [100.0], [4.0]])
    mean, std = scaling.fit(values, [(0, 2), (3, 4)])
    assert mean[0] == pytest.approx(2.0)
    assert std[0] == pytest.approx(np.std([0, 2, 4]))


@pytest.mark.parametrize("value", [7.0, 0.1, 1e-9, 1e12, 0.0])
def test_a_column_is_constant_in_any_unit(value):
    mean, std = scaling.fit(np.full((5, 1), value), [(0, 5)])
    assert (mean[0], std[0]) == (pytest.approx(value, rel=1e-15), 0.0)


@given(
    exponent=st.integers(-12, 12),
    offset=st.floats(-1e6, 1e6),
    seed=st.integers(0, 100),
)
def test_scaled_values_have_no_unit(exponent, offset, seed):
    values = np.random.default_rng(seed).normal(size=(50, 1))
    rows = [(0, 30)]
    other = (values + offset) * 10.0**exponent
    expected, got = (scaling.apply(v, *scaling.fit(v, rows)) for v in (values, other))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
