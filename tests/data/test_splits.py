from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.data.base import DataRequest, Table
from hpo.data.splits import split, window_ends

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


def touched(ends, context_length, horizon):
    """All rows that windows read or whose values their targets look at."""
    rows = set()
    for end in ends:
        rows |= set(range(end - context_length + 1, end + horizon + 1))
    return rows


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
def test_no_two_parts_share_a_row_edges_are_purged_and_no_window_crosses_a_gap(
    name, rows, context_length, horizon
):
    n_rows, pieces = rows
    splits = attempt(name, n_rows, context_length, horizon, pieces)
    if isinstance(splits, str):
        assert f"{n_rows:,}" in splits
        return
    used = {part: touched(getattr(splits, part), context_length, horizon) for part in PARTS}
    assert all(min(r) >= 0 and max(r) < n_rows for r in used.values())
    for part, other in (("train", "val"), ("val", "test"), ("train", "test")):
        near = {row + step for row in used[part] for step in range(-horizon, horizon + 1)}
        assert not near & used[other], "at least `horizon` rows lie between two parts"
    for part in PARTS:
        inside = {row for start, stop in splits.rows[part] for row in range(start, stop)}
        assert used[part] <= inside
        for end in getattr(splits, part):
            first, last = end - context_length + 1, end + horizon
            assert any(start <= first and last < stop for start, stop in pieces)


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
    assert len(splits.train) == 3382 - 80


def test_window_ends_by_hand():
    np.testing.assert_array_equal(window_ends([(0, 6), (10, 14)], 3, 1), [2, 3, 4, 12])
    assert len(window_ends([(0, 3)], 3, 1)) == 0


def test_an_unknown_split_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'contiguous'"):
        divide("contigous", 100, 3, 1, ((0, 100),))


def test_groups_are_cut_at_the_same_moments():
    table = make_table(300, ((0, 100), (100, 200), (200, 300)), groups=[100, 100, 100])
    splits = split("contiguous", table, DataRequest(context_length=3, horizon=2))
    assert splits.rows["train"] == ((0, 70), (100, 170), (200, 270))
    assert splits.rows["val"] == ((72, 85), (172, 185), (272, 285))
    assert splits.rows["test"] == ((87, 100), (187, 200), (287, 300))
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
        assert str(table.timestamps[first]).startswith(f"{year}-01-01T06")
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
        assert splits.rows["val"] == ((edges[fold + 1][0] + 2, edges[fold + 1][1]),)
        assert splits.rows["test"] == ((852, 1000),)
    last = divide("walk-forward", 1000, 3, 2, ((0, 1000),))
    np.testing.assert_array_equal(last.train, splits.train)


@pytest.mark.parametrize(("fold", "n_folds"), [(5, 5), (-1, 5), (0, 0)])
def test_there_is_no_such_fold(fold, n_folds):
    with pytest.raises(ValueError, match="fold must be 0 to"):
        divide("walk-forward", 1000, 3, 2, ((0, 1000),), fold=fold, n_folds=n_folds)


def test_the_official_parts_are_purged():
    official = {"train": ((0, 60),), "val": ((60, 80),), "test": ((80, 100),)}
    table = make_table(100, ((0, 100),), official=official)
    splits = split("official", table, DataRequest(context_length=4, horizon=3))
    assert splits.rows == {"train": ((0, 60),), "val": ((63, 80),), "test": ((83, 100),)}
    with pytest.raises(ValueError, match="no official split"):
        divide("official", 100, 4, 3, ((0, 100),))


def test_windows_end_where_they_may():
    usable = np.zeros(100, dtype=bool)
    usable[::5] = True
    table = make_table(100, ((0, 100),), usable=usable)
    splits = split("contiguous", table, DataRequest(context_length=4, horizon=3))
    np.testing.assert_array_equal(splits.train, np.arange(5, 67, 5))
    np.testing.assert_array_equal(splits.val, [80])
    np.testing.assert_array_equal(splits.test, [95])
    with pytest.raises(ValueError, match="leave no train window"):
        split("contiguous", replace(table, usable=~usable & usable), DataRequest(context_length=4, horizon=3))
