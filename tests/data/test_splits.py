import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.data.splits import SPLITS, get_split, rows_needed, window_ends


def touched(ends, context_length, horizon):
    """All rows that windows read or whose values their targets look at."""
    rows = set()
    for end in ends:
        rows |= set(range(end - context_length + 1, end + horizon + 1))
    return rows


@pytest.mark.parametrize("name", SPLITS)
@given(n_rows=st.integers(1, 1500), context_length=st.integers(1, 60), horizon=st.integers(1, 20))
def test_no_two_parts_share_a_row_and_edges_are_purged(name, n_rows, context_length, horizon):
    try:
        splits = SPLITS[name](n_rows, context_length, horizon)
    except ValueError as error:
        assert f"{n_rows:,} rows" in str(error)
        assert n_rows < rows_needed(context_length, horizon) + 10
        return
    rows = {
        part: touched(getattr(splits, part), context_length, horizon) for part in ("train", "val", "test")
    }
    assert all(min(r) >= 0 and max(r) < n_rows for r in rows.values())
    for part, other in (("train", "val"), ("val", "test"), ("train", "test")):
        assert not rows[part] & rows[other]
        gap = min(
            abs(a - b)
            for a in (min(rows[part]), max(rows[part]))
            for b in (min(rows[other]), max(rows[other]))
        )
        assert gap > horizon, "at least `horizon` rows lie between two parts"
    for part, used in rows.items():
        inside = {row for start, stop in splits.rows[part] for row in range(start, stop)}
        assert used <= inside


def test_contiguous_is_in_time_order_with_the_usual_shares():
    splits = get_split("contiguous")(4832, 80, 1)
    assert splits.train[-1] < splits.val[0] < splits.val[-1] < splits.test[0]
    shares = {part: sum(b - a for a, b in ranges) / 4832 for part, ranges in splits.rows.items()}
    assert shares == pytest.approx({"train": 0.70, "val": 0.15, "test": 0.15}, abs=0.001)
    assert len(splits.train) == 3382 - 80


def test_window_ends_by_hand():
    np.testing.assert_array_equal(window_ends([(0, 6), (10, 14)], 3, 1), [2, 3, 4, 12])
    assert len(window_ends([(0, 3)], 3, 1)) == 0


def test_an_unknown_split_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'contiguous'"):
        get_split("contigous")
