"""How rows are divided into training, validation and test parts.

A window belongs to a part only if all its input rows, and all rows its target looks at, lie inside the
part; ``horizon`` rows are left out at every edge. So no two parts share a row.

Legend: L context_length, H horizon.
"""

import difflib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .base import RowRange, Splits

VAL_FRACTION = 0.15
TEST_FRACTION = 0.15

SplitRule = Callable[[int, int, int], Splits]
"""(n_rows, context_length, horizon) to the parts."""


def contiguous(n_rows: int, context_length: int, horizon: int) -> Splits:
    """The first 70 % of rows train, the next 15 % validate, the last 15 % test.

    Args:
        n_rows: Rows in time order.
        context_length: Rows of history in a window, L.
        horizon: Rows that a target looks ahead, H; also the rows left out at each edge.

    Raises:
        ValueError: A part is too short to hold a window.
    """
    val_start = round(n_rows * (1 - VAL_FRACTION - TEST_FRACTION))
    test_start = round(n_rows * (1 - TEST_FRACTION))
    return _parts(
        {
            "train": ((0, val_start),),
            "val": ((val_start + horizon, test_start),),
            "test": ((test_start + horizon, n_rows),),
        },
        n_rows,
        context_length,
        horizon,
    )


SPLITS: dict[str, SplitRule] = {"contiguous": contiguous}


def get_split(name: str) -> SplitRule:
    """The split rule of that name.

    Raises:
        ValueError: There is none; the nearest is named.
    """
    if name not in SPLITS:
        near = difflib.get_close_matches(name, SPLITS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown split {name!r}: {hint}valid: {', '.join(SPLITS)}")
    return SPLITS[name]


def window_ends(ranges: Sequence[RowRange], context_length: int, horizon: int) -> npt.NDArray[np.int64]:
    """Last input rows of all windows whose inputs and targets lie inside one of the ranges."""
    ends = [np.arange(start + context_length - 1, stop - horizon) for start, stop in ranges]
    return np.concatenate(ends).astype(np.int64)


def _parts(rows: dict[str, tuple[RowRange, ...]], n_rows: int, context_length: int, horizon: int) -> Splits:
    ends = {name: window_ends(ranges, context_length, horizon) for name, ranges in rows.items()}
    for name, found in ends.items():
        if len(found) == 0:
            needed = rows_needed(context_length, horizon)
            raise ValueError(
                f"{n_rows:,} rows leave no {name} window of {context_length} rows of context and {horizon} "
                f"of horizon; about {needed:,} rows are needed, or a shorter context or horizon"
            )
    return Splits(train=ends["train"], val=ends["val"], test=ends["test"], rows=rows)


def rows_needed(context_length: int, horizon: int) -> int:
    """About the fewest rows that give each part a window."""
    smallest = min(VAL_FRACTION, TEST_FRACTION)
    return int(np.ceil((context_length + 2 * horizon) / smallest)) + 1
