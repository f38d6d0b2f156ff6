import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hpo.data import scaling


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(2, 40), st.integers(1, 4)), elements=st.floats(-1e6, 1e6))
)
def test_other_rows_do_not_matter_and_nothing_is_lost(values):
    half = len(values) // 2 + 1
    mean, std = scaling.fit(values, [(0, half)])
    other = values.copy()
    other[half:] += 1e9
    np.testing.assert_array_equal(scaling.fit(other, [(0, half)]), (mean, std))
    assert (std > 0).all()
    restored = scaling.apply(values[:half], mean, std) * std + mean
    np.testing.assert_allclose(restored, values[:half], rtol=1e-5, atol=1e-5 * np.abs(values).max() + 1e-6)


def test_ranges_are_taken_together():
    values = np.array([[0.0], [2.0], [100.0], [4.0]])
    mean, std = scaling.fit(values, [(0, 2), (3, 4)])
    assert mean[0] == pytest.approx(2.0)
    assert std[0] == pytest.approx(np.std([0, 2, 4]))


def test_a_constant_column_stays_finite():
    mean, std = scaling.fit(np.full((5, 1), 7.0), [(0, 5)])
    assert (mean[0], std[0]) == (7.0, 1.0)
