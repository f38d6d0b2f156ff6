import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.report.summary.spread import closeness, distribution
from hpo.trial.record import rank


@given(st.lists(st.floats(0.01, 100.0), min_size=2, max_size=30))
def test_the_distribution_agrees_with_numpy(record, values):
    found = distribution(rank([record(i, value=value) for i, value in enumerate(values)]))
    assert found.n == len(values)
    assert [found.q1, found.median, found.q3] == pytest.approx(list(np.percentile(values, [25, 50, 75])))
    assert [found.min, found.max] == [min(values), max(values)]
    assert found.mean == pytest.approx(np.mean(values))
    assert found.std == pytest.approx(np.std(values, ddof=1), abs=1e-9)


def test_one_trial_has_quartiles_and_no_standard_deviation(record):
    found = distribution([record(0, value=0.6)])
    assert (found.q1, found.q3, found.std) == (0.6, 0.6, None)


def test_no_trial_has_no_distribution():
    assert distribution([]) is None


def test_closeness_is_of_the_best_five(record):
    done = rank([record(i, value=value) for i, value in enumerate([0.9, 0.50, 0.51, 0.52, 0.53, 0.54, 0.8])])
    found = closeness(done)
    assert found.n == 5
    assert found.spread == pytest.approx(0.04)


def test_epoch_change_is_the_median_step_of_the_curves(record):
    done = rank([record(0, value=0.6, curve=[0.9, 0.6, 0.7]), record(1, value=0.65, curve=[0.7, 0.65])])
    # Steps 0.3, 0.1 and 0.05.
    assert closeness(done).epoch_change == pytest.approx(0.1)


def test_twins_are_measured_wherever_both_completed(record):
    done = rank(
        [
            record(0, value=0.60),
            record(1, value=0.63, flags=["near_duplicate_of 0"]),
            record(2, value=0.61, flags=["near_duplicate_of 0"]),
            record(3, value=0.50, flags=["near_duplicate_of 99"]),
        ]
    )
    found = closeness(done)
    assert found.twins == 2
    assert found.twin_difference == pytest.approx(0.02)


def test_one_trial_is_close_to_none(record):
    assert closeness([record(0)]) is None
