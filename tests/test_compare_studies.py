"""The comparison of studies sees every kind of difference."""

import copy
import runpy
from pathlib import Path

import pytest

compare = runpy.run_path(str(Path(__file__).with_name("compare_studies.py")))["compare"]

RECORD = {
    "trial_number": 0,
    "state": "COMPLETE",
    "origin": "tpe",
    "value": 0.5,
    "duration_seconds": 1.0,
    "folds": [],
    "learning_curve": [{"epoch": 1, "val_loss": 0.5, "seconds": 1.0}],
    "code": {"version": "0.1.0", "commit": None},
}


def changed(change):
    record = copy.deepcopy(RECORD)
    change(record)
    return record


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda r: r.update(value=0.5000000000000001), "value"),
        (lambda r: r["learning_curve"][0].update(val_loss=None), "learning_curve.*.val_loss"),
        (lambda r: r["learning_curve"][0].update(epoch=1.0), "learning_curve.*.epoch"),
        (lambda r: r["learning_curve"].clear(), "learning_curve"),
        (lambda r: r.pop("folds"), "folds"),
        (lambda r: r.pop("duration_seconds"), "duration_seconds"),
        (lambda r: r.update(more={}), "more"),
    ],
)
def test_a_difference_in_any_field_is_found(change, field):
    comparison = compare({0: RECORD}, {0: changed(change)})
    assert field in comparison.unexplained


def test_times_and_versions_may_differ_and_a_missing_trial_may_not():
    later = changed(
        lambda r: (
            r.update(duration_seconds=2.0, code={"version": "0.2.0", "commit": "abc"}),
            r["learning_curve"][0].update(seconds=2.0),
        )
    )
    assert compare({0: RECORD}, {0: later}).unexplained == []
    assert compare({0: RECORD, 1: RECORD}, {0: RECORD}).unexplained == ["trial 1 is in old alone"]
