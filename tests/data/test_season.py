import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.data.season import seasonal_period


def wave(period, n_rows, noise=0.3, slope=0.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.arange(n_rows)
    return np.sin(2 * np.pi * rows / period) + slope * rows + rng.normal(0, noise, n_rows)


@pytest.mark.parametrize(
    ("period", "frequency"), [(24, "hour"), (168, "hour"), (7, "day"), (12, "month"), (96, "15 minutes")]
)
@pytest.mark.parametrize("slope", [0.0, 0.01])
def test_the_usual_season_of_a_frequency_is_found(period, frequency, slope):
    assert seasonal_period(wave(period, period * 12, slope=slope), frequency) == period


@pytest.mark.parametrize("period", [5, 11, 37, 100])
def test_any_season_is_found_where_the_frequency_has_none(period):
    found = seasonal_period(wave(period, period * 30), "irregular")
    assert found == pytest.approx(period, rel=0.01), "noise moves a flat peak by a row"


@pytest.mark.parametrize("frequency", ["hour", "irregular"])
def test_noise_has_no_season(frequency):
    found = [seasonal_period(np.random.default_rng(s).normal(size=2000), frequency) for s in range(20)]
    assert found == [None] * 20


def test_too_short_or_constant():
    assert seasonal_period(wave(24, 60), "hour") is None
    assert seasonal_period(np.full(500, 3.0), "hour") is None
    assert seasonal_period(np.arange(500.0), "hour") is None


@given(
    exponent=st.integers(-12, 12),
    offset=st.floats(-1e6, 1e6),
    period=st.sampled_from([7, 24, 37]),
    noise=st.sampled_from([0.1, 0.3, 3.0]),
    frequency=st.sampled_from(["hour", "irregular"]),
)
def test_the_season_has_no_unit(exponent, offset, period, noise, frequency):
    values = wave(period, 1200, noise=noise, slope=0.002)
    other = (values + offset * values.std()) * 10.0**exponent
    assert seasonal_period(other, frequency) == seasonal_period(values, frequency)


@pytest.mark.parametrize("factor", [1e-12, 1.0, 1e12])
def test_a_constant_or_a_line_repeats_nothing_in_any_unit(factor):
    assert seasonal_period(np.full(500, 0.1) * factor, "hour") is None
    assert seasonal_period((np.arange(500.0) + 1e6) * factor, "irregular") is None
