from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.data.splits import SPLITS, split, window_ends

PARTS = ("train", "val", "test")


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
        return split(name, n_rows, context_length, horizon, pieces)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("name", SPLITS)
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


@pytest.mark.parametrize("name", SPLITS)
def test_shares_are_seventy_fifteen_fifteen(name):
    n_rows = 50_000
    splits = split(name, n_rows, 24, 6, ((0, n_rows),))
    shares = {part: sum(b - a for a, b in splits.rows[part]) / n_rows for part in PARTS}
    assert shares == pytest.approx({"train": 0.70, "val": 0.15, "test": 0.15}, abs=0.02)


def test_contiguous_is_in_time_order():
    splits = split("contiguous", 4832, 80, 1, ((0, 4832),))
    assert splits.train[-1] < splits.val[0] < splits.val[-1] < splits.test[0]
    assert len(splits.train) == 3382 - 80


def test_window_ends_by_hand():
    np.testing.assert_array_equal(window_ends([(0, 6), (10, 14)], 3, 1), [2, 3, 4, 12])
    assert len(window_ends([(0, 3)], 3, 1)) == 0


def test_an_unknown_split_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'contiguous'"):
        split("contigous", 100, 3, 1, ((0, 100),))
