import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.report.summary.groups import (
    bin_label,
    by_budget,
    by_depth,
    by_origin,
    by_width,
    forced_comparisons,
)


def test_depths_hold_their_trials_best_and_median(record):
    records = [
        record(0, n_layers=2, value=0.7),
        record(1, n_layers=2, value=0.5),
        record(2, n_layers=2, value=0.6),
        record(3, n_layers=2, value=0.1, state="PRUNED"),
        record(4, n_layers=8, value=None, state="FAIL"),
    ]
    shallow, deep = by_depth(records)
    assert (shallow.label, shallow.trials, shallow.completed) == ("2", 4, 3)
    assert (shallow.best, shallow.best_trial, shallow.median) == (0.5, 1, 0.6)
    assert (deep.label, deep.trials, deep.completed, deep.best, deep.best_trial) == ("8", 1, 0, None, None)


def test_budgets_are_kept_apart(record):
    records = [record(0, n_layers=2, budget=2_000_000), record(1, n_layers=2, budget=750_000)]
    assert [(row.parameter_budget, row.label) for row in by_depth(records)] == [
        (750_000, "2"),
        (2_000_000, "2"),
    ]
    assert [row.label for row in by_budget(records)] == ["750k", "2M"]


def test_many_widths_are_binned_between_powers_of_two(record):
    records = [record(i, d_model=60 + 10 * i) for i in range(10)]
    assert [(row.label, row.trials) for row in by_width(records)] == [
        ("32-63", 1),
        ("64-127", 6),
        ("128-255", 3),
    ]


@given(st.integers(1, 10**6))
def test_a_bin_holds_its_value_and_ends_at_powers_of_two(value):
    low, _, high = bin_label(value).partition("-")
    assert int(low) <= value <= int(high or low)
    assert int(low) & (int(low) - 1) == 0


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40))
def test_every_trial_is_in_one_group(record, widths):
    groups = by_width([record(i, d_model=width) for i, width in enumerate(widths)])
    assert sum(group.trials for group in groups) == len(widths)


def test_the_best_is_the_highest_when_maximising(record):
    objective = {"name": "auc", "direction": "maximize"}
    (group,) = by_depth(
        [record(0, value=0.6, objective=objective), record(1, value=0.7, objective=objective)]
    )
    assert group.best_trial == 1


def test_origins_in_their_order_with_best_and_median(record):
    records = [
        record(0, origin="forced:dropout:2M-0.1", value=0.6),
        record(1, origin="tpe", value=0.5),
        record(2, origin="forced:dropout:2M-0.3", value=0.7),
    ]
    rows = [(row.label, row.trials, row.best, row.median) for row in by_origin(records)]
    assert rows == [("forced: dropout", 2, 0.6, pytest.approx(0.65)), ("tpe", 1, 0.5, 0.5)]


def test_forced_configs_against_the_default_of_their_budget(record):
    records = [
        record(0, origin="forced:architecture:2M-shallow", value=0.60),
        record(1, origin="forced:architecture:2M-deep", value=0.65),
        record(2, origin="forced:dropout:2M-0.1", value=0.55),
        record(3, origin="forced:dropout:750k-0.1", value=0.50, budget=750_000),
        record(4, origin="forced:weight_decay:2M-0", value=None, state="FAIL"),
        record(5, origin="tpe", value=0.1),
    ]
    rows = forced_comparisons(records)
    assert [row.trial_number for row in rows] == [0, 1, 2, 3, 4]
    assert [row.better for row in rows] == [None, False, True, None, None]
    assert [row.delta for row in rows] == [None, pytest.approx(0.05), pytest.approx(-0.05), None, None]
    assert [row.default_trial for row in rows] == [0, 0, 0, None, 0]
    assert (rows[2].group, rows[2].name) == ("dropout", "2M-0.1")


def test_a_pruned_default_is_no_yardstick(record):
    records = [
        record(0, origin="forced:architecture:2M-shallow", value=0.6, state="PRUNED"),
        record(1, origin="forced:dropout:2M-0.1", value=0.5),
    ]
    assert [row.delta for row in forced_comparisons(records)] == [None, None]
