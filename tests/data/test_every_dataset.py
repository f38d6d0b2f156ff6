"""What holds for every data set under every split it offers."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from hpo.data import DATASETS, legacy, prepare, prepare_folds
from hpo.data.base import DataRequest
from hpo.data.scaling import SILENT

pytestmark = pytest.mark.usefixtures("data_dir")

PARTS = ("train", "val", "test")
STEP_SECONDS = {"hour": 3600, "15 minutes": 900, "10 minutes": 600, "day": 86_400, "20 ms": 0.02}
GROUPS = {
    "beijing": ("Guanyuan", "Tiantan", "Changping"),
    "rossmann": tuple(str(store) for store in range(1, 31)),
}

SPECS = dict(DATASETS)

CASES = [
    (name, rule)
    for name, spec in DATASETS.items()
    for rule in spec.splits
    # Two years of the 10-minute file are not enough: see test_traps.py.
    if rule != legacy.NAME and (name, rule) != ("jena", "year")
]


def request_for(name, rule):
    context, horizon = DATASETS[name].window
    groups = GROUPS.get(name, ()) if rule in ("group", "contiguous", "walk-forward") else ()
    if name == "rossmann":
        groups = GROUPS[name]
    return DataRequest(context_length=context, horizon=horizon, split=rule, groups=groups)


@cache
def load(name, groups):
    return SPECS[name].load(replace(request_for(name, None), groups=groups))


def prepared(monkeypatch, name, rule, change=lambda table: table):
    """Prepared from a table that is read once and may be changed."""
    request = request_for(name, rule)
    spec = DATASETS[name]
    monkeypatch.setitem(DATASETS, name, replace(spec, load=lambda _: change(load(name, request.groups))))
    data = prepare(name, request)
    monkeypatch.setitem(DATASETS, name, spec)
    return data


def look_ahead(data):
    return data.horizon if data.table.look_ahead is None else data.table.look_ahead


def rows_of(table, first, last):
    """Whether a row lies in one of the ranges first to last, bounds included; each within one group."""
    count = np.zeros(len(table.timestamps) + 1, dtype=np.int64)
    np.add.at(count, first, 1)
    np.add.at(count, last + 1, -1)
    return np.cumsum(count)[:-1] > 0


def group_bounds(table):
    """First and last row of each row's group."""
    codes = np.zeros(len(table.timestamps), dtype=np.int32) if table.groups is None else table.groups
    begins = np.flatnonzero(np.concatenate([[True], np.diff(codes) != 0]))
    stops = np.concatenate([begins[1:], [len(codes)]])
    lengths = stops - begins
    return np.repeat(begins, lengths), np.repeat(stops - 1, lengths)


def in_ranges(table, ranges):
    mask = np.zeros(len(table.timestamps), dtype=bool)
    for start, stop in ranges:
        mask[start:stop] = True
    return mask


@pytest.mark.parametrize(("name", "rule"), CASES)
def test_targets_are_held_out(monkeypatch, name, rule):
    data = prepared(monkeypatch, name, rule)
    table, ahead = data.table, look_ahead(data)
    low, high = group_bounds(table)
    inputs, targets, wide = {}, {}, {}
    for part in PARTS:
        ends = getattr(data.splits, part)
        assert len(ends) > 0
        first, last = ends - data.context_length + 1, ends + ahead
        inputs[part] = rows_of(table, first, ends)
        targets[part] = rows_of(table, ends + min(1, ahead), last)
        wide[part] = rows_of(
            table, np.maximum(first - ahead, low[ends]), np.minimum(last + ahead, high[ends])
        )
        inside = in_ranges(table, data.splits.rows[part])
        assert not (targets[part] & ~inside).any()
        assert part != "train" or not (inputs[part] & ~inside).any()
    for part, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not (targets[part] & targets[other]).any()
        assert not (inputs["train"] & targets[other]).any()
        if rule == "scattered":
            used = inputs[other] | targets[other]
            assert not (wide[part] & used).any(), "the rows that a target looks ahead lie between two parts"
        shared = in_ranges(table, data.splits.rows[part]) & in_ranges(table, data.splits.rows[other])
        assert not shared.any()


@pytest.mark.parametrize(("name", "rule"), CASES)
def test_no_window_crosses_a_group_or_a_gap(monkeypatch, name, rule):
    data = prepared(monkeypatch, name, rule)
    table, ahead = data.table, look_ahead(data)
    for part in PARTS:
        ends = getattr(data.splits, part)
        first, last = ends - data.context_length + 1, ends + ahead
        assert first.min() >= 0
        assert last.max() < len(table.timestamps)
        if table.groups is not None:
            assert (table.groups[first] == table.groups[last]).all()
        seconds = (table.timestamps[last] - table.timestamps[first]) / np.timedelta64(1, "s")
        rows = data.context_length - 1 + ahead
        if table.frequency in STEP_SECONDS:
            np.testing.assert_allclose(seconds, rows * STEP_SECONDS[table.frequency], rtol=1e-9)
        assert np.isfinite(data.targets_at(ends)).all()


@pytest.mark.parametrize(("name", "rule"), CASES)
def test_scaling_knows_the_training_rows_alone(monkeypatch, name, rule):
    data = prepared(monkeypatch, name, rule)
    mask = in_ranges(data.table, data.splits.rows["train"])
    rows = data.table.features[mask]
    spread = rows.std(axis=0)
    np.testing.assert_allclose(data.feature_mean, rows.mean(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(data.feature_std, np.where(spread > 1e-9, spread, SILENT), rtol=1e-6)
    if data.table.task == "regression":
        targets = data.table.target_values[mask]
        np.testing.assert_allclose(data.target_mean, targets.mean(axis=0), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(data.target_std, targets.std(axis=0), rtol=1e-6)
    assert np.isfinite(data.features).all()


@pytest.mark.parametrize(("name", "rule"), CASES)
def test_shuffling_the_other_parts_leaves_training_untouched(monkeypatch, name, rule):
    data = prepared(monkeypatch, name, rule)
    mask = in_ranges(data.table, data.splits.rows["train"])
    others = np.flatnonzero(~mask)
    shuffled = np.random.default_rng(0).permutation(others)

    def change(table):
        features, targets = table.features.copy(), table.target_values.copy()
        features[others], targets[others] = features[shuffled], targets[shuffled]
        return replace(table, features=features, target_values=targets)

    altered = prepared(monkeypatch, name, rule, change)
    np.testing.assert_array_equal(altered.splits.train, data.splits.train)
    np.testing.assert_array_equal(altered.features[mask], data.features[mask])
    np.testing.assert_array_equal(altered.targets_at(data.splits.train), data.targets_at(data.splits.train))
    assert not np.array_equal(altered.features[~mask], data.features[~mask])


@pytest.mark.parametrize("name", [name for name, spec in DATASETS.items() if "walk-forward" in spec.splits])
def test_folds_walk_forward(monkeypatch, name):
    request = replace(request_for(name, "walk-forward"), n_folds=3)
    spec = DATASETS[name]
    monkeypatch.setitem(DATASETS, name, replace(spec, load=lambda _: load(name, request.groups)))
    folds = prepare_folds(name, request)
    stamps = folds[0].table.timestamps
    assert len(folds) == 3
    for fold, after in pairwise(folds):
        assert set(fold.splits.train) < set(after.splits.train), "each fold trains on more"
        assert not set(fold.splits.val) & set(after.splits.val)
        np.testing.assert_array_equal(fold.splits.test, after.splits.test)
        assert not np.array_equal(fold.feature_mean, after.feature_mean), "each has its own scaling"
    for fold in folds:
        assert stamps[fold.splits.train].max() < stamps[fold.splits.val].min()
        assert stamps[fold.splits.val].max() < stamps[fold.splits.test].min()


@pytest.mark.parametrize("name", DATASETS)
def test_the_catalogue_says_what_is_there(name):
    spec = DATASETS[name]
    table = load(name, request_for(name, None).groups)
    assert table.task == spec.tasks[0]
    assert len(table.sha256) == 64
    assert spec.licence
    assert spec.source
    if spec.targets or spec.groups:  # channels as in the file; prices have indicators beside them
        assert set(table.channel_names) == set(spec.channels)
    assert table.features.shape == (len(table.timestamps), len(table.channel_names))
    assert (table.task == "multiclass") == (len(table.class_names) > 2)
    if table.class_names:
        assert set(np.unique(table.target_values)) == set(range(len(table.class_names)))


def test_too_many_folds_are_named():
    request = DataRequest(context_length=48, horizon=12, n_folds=60)
    with pytest.raises(ValueError, match=r"60 folds leave one of them no .* window .* take fewer folds"):
        prepare_folds("periodic", request)
