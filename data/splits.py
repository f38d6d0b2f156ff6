"""How rows are divided into training, validation and test parts.

A window belongs to a part only if all its input rows, and all rows its target looks at, lie inside one
range of the part; at least ``horizon`` rows are left out at every edge. So no two parts share a row.

Legend: T rows, L context_length, H horizon.
"""

import difflib
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .base import RowRange, Splits

VAL_FRACTION = 0.15
TEST_FRACTION = 0.15

CHUNK_WINDOWS = 5
"""A scattered chunk holds at least this many times context + horizon rows, else few windows are left."""

SplitRule = Callable[[int, int, int], dict[str, list[RowRange]]]
"""(n_rows, context_length, horizon) to the row ranges of each part, edges purged."""


def contiguous(n_rows: int, context_length: int, horizon: int) -> dict[str, list[RowRange]]:
    """The first 70 % of rows train, the next 15 % validate, the last 15 % test."""
    del context_length  # the same for every context
    val_start = round(n_rows * (1 - VAL_FRACTION - TEST_FRACTION))
    test_start = round(n_rows * (1 - TEST_FRACTION))
    return {
        "train": [(0, val_start)],
        "val": [(val_start + horizon, test_start)],
        "test": [(test_start + horizon, n_rows)],
    }


def scattered(n_rows: int, context_length: int, horizon: int) -> dict[str, list[RowRange]]:
    """Validation and test chunks spread evenly over the whole history, training rows between them.

    The history is cut into equal blocks, as many as chunks of 5 x (context + horizon) rows allow. Each block
    is training rows, then a validation chunk, then training rows, then a test chunk.

    Raises:
        ValueError: Not even one block of such chunks fits.
    """
    least = CHUNK_WINDOWS * (context_length + horizon) + horizon  # one horizon is left out at its edge
    n_blocks = int(n_rows * min(VAL_FRACTION, TEST_FRACTION) / least)
    if n_blocks == 0:
        raise ValueError(
            f"a scattered split with a context of {context_length} and a horizon of {horizon} needs about "
            f"{math.ceil(least / min(VAL_FRACTION, TEST_FRACTION)):,} rows, got {n_rows:,}"
        )
    parts: dict[str, list[RowRange]] = {"train": [], "val": [], "test": []}
    train_fraction = (1 - VAL_FRACTION - TEST_FRACTION) / 2
    order = (
        ("train", train_fraction),
        ("val", VAL_FRACTION),
        ("train", train_fraction),
        ("test", TEST_FRACTION),
    )
    position = 0.0
    for _ in range(n_blocks):
        for part, fraction in order:
            start, stop = round(position), round(position + fraction * n_rows / n_blocks)
            # The rows left out at an edge are taken from the start of what follows it.
            parts[part].append((start + horizon if start else 0, stop))
            position += fraction * n_rows / n_blocks
    return parts


SPLITS: dict[str, SplitRule] = {"contiguous": contiguous, "scattered": scattered}


def split(name: str, n_rows: int, context_length: int, horizon: int, segments: Sequence[RowRange]) -> Splits:
    """Divide rows by a rule, without a window across a gap.

    Args:
        name: Name of the rule.
        n_rows: Rows in time order, T.
        context_length: Rows of history in a window, L.
        horizon: Rows that a target looks ahead, H; also the rows left out at each edge.
        segments: Row ranges without a gap in time.

    Raises:
        ValueError: There is no such rule, or a part has no window.
    """
    if name not in SPLITS:
        near = difflib.get_close_matches(name, SPLITS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown split {name!r}: {hint}valid: {', '.join(SPLITS)}")
    rows, ends = {}, {}
    for part, ranges in SPLITS[name](n_rows, context_length, horizon).items():
        usable = tuple(
            piece for piece in _intersect(ranges, segments) if piece[1] - piece[0] >= context_length + horizon
        )
        if not usable:
            raise ValueError(_too_short(part, n_rows, context_length, horizon, len(segments)))
        rows[part], ends[part] = usable, window_ends(usable, context_length, horizon)
    return Splits(train=ends["train"], val=ends["val"], test=ends["test"], rows=rows)


def window_ends(ranges: Sequence[RowRange], context_length: int, horizon: int) -> npt.NDArray[np.int64]:
    """Last input rows of all windows whose inputs and targets lie inside one of the ranges."""
    ends = [np.arange(start + context_length - 1, stop - horizon) for start, stop in ranges]
    return np.concatenate(ends).astype(np.int64)


def rows_needed(context_length: int, horizon: int) -> int:
    """About the fewest rows that give each part of a contiguous split a window."""
    smallest = min(VAL_FRACTION, TEST_FRACTION)
    return math.ceil((context_length + 2 * horizon) / smallest) + 1


def _intersect(ranges: Sequence[RowRange], segments: Sequence[RowRange]) -> list[RowRange]:
    """The pieces of ranges inside segments; both are in order and without overlap."""
    pieces = []
    first = 0
    for start, stop in ranges:
        while first < len(segments) and segments[first][1] <= start:
            first += 1
        for low, high in segments[first:]:
            if low >= stop:
                break
            pieces.append((max(start, low), min(stop, high)))
    return pieces


def _too_short(part: str, n_rows: int, context_length: int, horizon: int, n_segments: int) -> str:
    gaps = f" in {n_segments:,} pieces between gaps" if n_segments > 1 else ""
    needed = rows_needed(context_length, horizon)
    return (
        f"{n_rows:,} rows{gaps} leave no {part} window of {context_length} rows of context and "
        f"{horizon} of horizon; about {needed:,} rows without a gap are needed, "
        "or a shorter context or horizon"
    )
