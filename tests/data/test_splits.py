from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.data.base import DataRequest, Table
from hpo.data.splits import rows_needed, split

PARTS = ("train", "val", "test")
RULES = ("contiguous", "scattered", "walk-forward")


def make_table(n_rows, segments, groups=None, start="2000-01-01", **changes):
    """A table of one channel; several groups have the same hours, each from the first."""
    codes = None if groups is None else np.repeat(np.arange(len(groups)), groups).astype(np.int32)
    lengths = [n_rows] if groups is None else groups
    hours = np.concatenate([np.arange(length) for length in lengths])
    return Table(
        timestamps=np.datetime64(start, "ns") + hours * np.timedelta64(1, "h"),
        features=np.zeros((n_rows, 1)),
        channel_names=("x",),
        target_values=np.zeros((n_rows, 1)),
        target_names=("x",),
        target_offsets=(1,),
        target_channels=(0,),
        task="regression",
        sha256="",
        frequency="hour",
        segments=tuple(segments),
        groups=codes,
        **changes,
    )


def divide(name, n_rows, context_length, horizon, segments, **request):
    table = make_table(n_rows, segments)
    return split(name, table, DataRequest(context_length=context_length, horizon=horizon, **request))


def read(ends, context_length):
    """All rows that windows read."""
    return {row for end in ends for row in range(end - context_length + 1, end + 1)}


def looked_at(ends, horizon):
    """All rows whose values the targets of windows are made of."""
    return {row for end in ends for row in range(end + 1, end + horizon + 1)}


@st.composite
def segments(draw, max_rows=1500):
    n_rows = draw(st.integers(1, max_rows))
    cuts = draw(st.lists(st.integers(1, max(1, n_rows - 1)), max_size=4, unique=True))
    edges = [0, *sorted(cut for cut in cuts if cut < n_rows), n_rows]
    return n_rows, tuple(pairwise(edges))


def attempt(name, n_rows, context_length, horizon, pieces):
    try:
        return divide(name, n_rows, context_length, horizon, pieces)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("name", RULES)
@given(rows=segments(), context_length=st.integers(1, 40), horizon=st.integers(1, 12))
def test_targets_are_held_out_and_no_window_crosses_a_gap(name, rows, context_length, horizon):
    n_rows, pieces = rows
    splits = attempt(name, n_rows, context_length, horizon, pieces)
    if isinstance(splits, str):
        assert f"{n_rows:,}" in splits
        return
    inputs = {part: read(getattr(splits, part), context_length) for part in PARTS}
    targets = {part: looked_at(getattr(splits, part), horizon) for part in PARTS}
    for part, other in (("train", "val"), ("val", "test"), ("train", "test")):
        assert not targets[part] & targets[other]
    for held_out in ("val", "test"):
        assert not inputs["train"] & targets[held_out], "a network never reads what it is tested on"
    if name == "scattered":
        for part, other in (("train", "val"), ("val", "test"), ("train", "test")):
            wide = {r + s for r in inputs[part] | targets[part] for s in range(-horizon, horizon + 1)}
            assert not wide & (inputs[other] | targets[other]), "whole windows, and a horizon between them"
    for part in PARTS:
        inside = {row for start, stop in splits.rows[part] for row in range(start, stop)}
        assert targets[part] <= inside
        assert part != "train" or inputs[part] <= inside
        for end in getattr(splits, part):
            first, last = end - context_length + 1, end + horizon
            assert any(start <= first and last < stop for start, stop in pieces)


@given(n_rows=st.integers(30, 400), context_length=st.integers(1, 40), horizon=st.integers(1, 12))
def test_every_target_of_validation_is_forecast_however_long_the_context(n_rows, context_length, horizon):
    splits = attempt("contiguous", n_rows, context_length, horizon, ((0, n_rows),))
    if isinstance(splits, str):
        assert n_rows < rows_needed(context_length, horizon)
        return
    for part in ("val", "test"):
        ((start, stop),) = splits.rows[part]
        assert looked_at(getattr(splits, part), horizon) == set(range(start, stop))


@given(n_rows=st.integers(1, 20_000), context_length=st.integers(1, 60), horizon=st.integers(1, 20))
def test_scattered_chunks_are_long_enough_and_spread(n_rows, context_length, horizon):
    splits = attempt("scattered", n_rows, context_length, horizon, ((0, n_rows),))
    least = 5 * (context_length + horizon)
    if isinstance(splits, str):
        assert n_rows * 0.15 < least + horizon + 1
        return
    for part in ("val", "test"):
        assert all(stop - start >= least - 1 for start, stop in splits.rows[part])
    starts = {part: [start for start, _ in splits.rows[part]] for part in PARTS}
    assert starts["val"][0] < starts["test"][0], "the parts take turns"
    assert len(starts["val"]) == len(starts["test"])
    if len(starts["val"]) > 1:
        assert starts["test"][0] < starts["val"][1]
        assert starts["test"][-1] > 0.7 * n_rows


@pytest.mark.parametrize("name", ["contiguous", "scattered"])
def test_shares_are_seventy_fifteen_fifteen(name):
    n_rows = 50_000
    splits = divide(name, n_rows, 24, 6, ((0, n_rows),))
    shares = {part: sum(b - a for a, b in splits.rows[part]) / n_rows for part in PARTS}
    assert shares == pytest.approx({"train": 0.70, "val": 0.15, "test": 0.15}, abs=0.02)


def test_contiguous_is_in_time_order():
    splits = divide("contiguous", 4832, 80, 1, ((0, 4832),))
    assert splits.train[-1] < splits.val[0] < splits.val[-1] < splits.test[0]
    assert (len(splits.train), len(splits.val), len(splits.test)) == (3382 - 80, 725, 725)


def test_windows_by_hand():
    splits = divide("contiguous", 100, 10, 3, ((0, 75), (75, 100)))
    np.testing.assert_array_equal(splits.train, np.arange(9, 67))
    # The first validation window ends where training does; the gap at row 75 cuts one off, and begins anew.
    np.testing.assert_array_equal(splits.val, np.arange(69, 72))
    np.testing.assert_array_equal(splits.test, np.arange(84, 97))
    assert splits.rows == {"train": ((0, 70),), "val": ((70, 75),), "test": ((85, 100),)}


def test_labels_stand_at_the_row_that_forecasts_them():
    table = replace(make_table(100, ((0, 100),)), target_offsets=(0,), task="binary")
    splits = split("contiguous", table, DataRequest(context_length=10, horizon=3))
    assert (splits.train[-1], splits.val[0], splits.val[-1], splits.test[0]) == (66, 70, 81, 85)


def test_a_short_monthly_series_with_a_horizon_of_a_year():
    splits = divide("contiguous", 144, 24, 12, ((0, 144),))
    assert (len(splits.train), len(splits.val), len(splits.test)) == (66, 10, 11)


@pytest.mark.parametrize(("context_length", "n_blocks"), [(80, 1), (48, 2), (47, 3), (20, 6)])
def test_scattered_parts_of_few_blocks_are_warned_of_with_a_way_out(context_length, n_blocks):
    splits = divide("scattered", 4832, context_length, 1, ((0, 4832),))
    assert len(splits.rows["val"]) == n_blocks
    if n_blocks >= 3:
        assert splits.warnings == ()
        return
    (warning,) = splits.warnings
    assert "a context of at most 47, or a contiguous split" in warning
    assert ("one chunk " if n_blocks == 1 else "2 chunks ") in warning


def test_an_unknown_split_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'contiguous'"):
        divide("contigous", 100, 3, 1, ((0, 100),))


def test_groups_are_cut_at_the_same_moments():
    table = make_table(300, ((0, 100), (100, 200), (200, 300)), groups=[100, 100, 100])
    splits = split("contiguous", table, DataRequest(context_length=3, horizon=2))
    assert splits.rows["train"] == ((0, 70), (100, 170), (200, 270))
    assert splits.rows["val"] == ((70, 85), (170, 185), (270, 285))
    assert splits.rows["test"] == ((85, 100), (185, 200), (285, 300))
    hours = table.timestamps
    assert hours[splits.train].max() < hours[splits.val].min() < hours[splits.test].min()


def test_whole_groups_are_held_out_the_last_to_begin():
    groups = [40] * 10
    table = make_table(400, [(i * 40, i * 40 + 40) for i in range(10)], groups=groups)
    request = DataRequest(context_length=5, horizon=1)
    splits = split("group", table, request)
    assert splits.rows["train"] == tuple((i * 40, i * 40 + 40) for i in range(6))
    assert splits.rows["val"] == ((240, 280), (280, 320))
    assert splits.rows["test"] == ((320, 360), (360, 400))
    later = table.timestamps.copy()
    later[:40] += np.timedelta64(9, "h")
    held_out = split("group", replace(table, timestamps=later), request)
    assert held_out.rows["test"] == ((0, 40), (360, 400)), "the first group begins last"
    assert len(splits.train) == 6 * (40 - 5), "nothing is left out where a group begins"


def test_too_few_groups():
    table = make_table(80, ((0, 40), (40, 80)), groups=[40, 40])
    with pytest.raises(ValueError, match="three groups at least, got 2"):
        split("group", table, DataRequest(context_length=5, horizon=1))


@pytest.mark.parametrize(
    ("start", "years", "val", "test"),
    [
        ("2010-01-01", 4, "2012", "2013"),
        ("2010-07-01", 4, "2013", "2014"),  # the last half year tests
        ("2010-02-01", 4, "2012", "2013"),  # a month is no year: it counts to the one before it
    ],
)
def test_years(start, years, val, test):
    n_rows = round(years * 365.25 * 24)
    table = make_table(n_rows, ((0, n_rows),), start=start)
    splits = split("year", table, DataRequest(context_length=24, horizon=6))
    for part, year in (("val", val), ("test", test)):
        ((first, _),) = splits.rows[part]
        assert str(table.timestamps[first]).startswith(f"{year}-01-01T00")
    ((_, train_stop),) = splits.rows["train"]
    assert str(table.timestamps[train_stop]).startswith(f"{val}-01-01T00")
    assert splits.rows["test"][0][1] == n_rows


def test_too_few_years():
    table = make_table(2 * 8760, ((0, 2 * 8760),))
    with pytest.raises(ValueError, match="three years of data, got 2000, 2001"):
        split("year", table, DataRequest(context_length=24, horizon=6))


def test_folds_by_hand():
    edges = [(0, 850 // 6), *((round(850 * i / 6), round(850 * (i + 1) / 6)) for i in range(1, 6))]
    for fold in range(5):
        splits = divide("walk-forward", 1000, 3, 2, ((0, 1000),), fold=fold)
        assert splits.rows["train"] == ((0, round(850 * (fold + 1) / 6)),)
        assert splits.rows["val"] == (edges[fold + 1],)
        assert splits.rows["test"] == ((850, 1000),)
    last = divide("walk-forward", 1000, 3, 2, ((0, 1000),))
    np.testing.assert_array_equal(last.train, splits.train)


@pytest.mark.parametrize(("fold", "n_folds"), [(5, 5), (-1, 5), (0, 0)])
def test_there_is_no_such_fold(fold, n_folds):
    with pytest.raises(ValueError, match="fold must be 0 to"):
        divide("walk-forward", 1000, 3, 2, ((0, 1000),), fold=fold, n_folds=n_folds)


def test_the_official_parts_are_whole():
    official = {"train": ((0, 60),), "val": ((60, 80),), "test": ((80, 100),)}
    table = make_table(100, ((0, 100),), official=official)
    splits = split("official", table, DataRequest(context_length=4, horizon=3))
    assert splits.rows == official
    assert [len(getattr(splits, part)) for part in PARTS] == [54, 18, 18]
    with pytest.raises(ValueError, match="no official split"):
        divide("official", 100, 4, 3, ((0, 100),))


def test_windows_end_where_they_may():
    usable = np.zeros(100, dtype=bool)
    usable[::5] = True
    table = make_table(100, ((0, 100),), usable=usable)
    splits = split("contiguous", table, DataRequest(context_length=4, horizon=3))
    np.testing.assert_array_equal(splits.train, np.arange(5, 67, 5))
    np.testing.assert_array_equal(splits.val, [70, 75, 80])
    np.testing.assert_array_equal(splits.test, [85, 90, 95])
    with pytest.raises(ValueError, match="leave no train window"):
        split("contiguous", replace(table, usable=~usable & usable), DataRequest(context_length=4, horizon=3))
