"""How rows are divided into training, validation and test parts.

A rule cuts the rows; what holds for every rule is done once, in :func:`split`. Targets are held out: a window
belongs to a part only if its target rows, and all rows its target looks at, lie inside one range of the part,
so no two parts share one. A training window's inputs lie there, too. A validation or test window may read
inputs from before its part: they are known when the forecast is made. No window crosses from one group to
another, or over a gap.

Scattered parts stand between training rows on both sides, so there whole windows are held out, and at each
cut the rows that a target looks ahead are left out.

Several groups (stations, stores) are cut at the same moments, so that no group's training rows stand beside
another's validation rows in time.

Legend: T rows, L context_length, H horizon.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from .base import DataRequest, RowRange, Splits, Table
from .legacy import NAME as LEGACY
from .legacy import legacy_splits
from .names import check_name

VAL_FRACTION = 0.15
TEST_FRACTION = 0.15

CHUNK_WINDOWS = 5
"""A scattered chunk holds at least this many times context + horizon rows, else few windows are left."""

LEAST_BLOCKS = 3
"""Scattered parts of fewer blocks are hardly spread."""

LEAST_YEAR = 0.25
"""A year with a smaller share of the fullest year's rows counts to the year beside it."""

Parts = dict[str, list[RowRange]]
SplitRule = Callable[[Table, DataRequest], Parts]
"""The row ranges of each part, in order, before rows are left out at the cuts."""


def contiguous(table: Table, request: DataRequest) -> Parts:
    """The first 70 % of time train, the next 15 % validate, the last 15 % test."""
    del request
    times = np.sort(table.timestamps)
    val, test = (_at(times, share) for share in (1 - VAL_FRACTION - TEST_FRACTION, 1 - TEST_FRACTION))
    return _cut(table, [("train", None), ("val", val), ("test", test)])


def scattered(table: Table, request: DataRequest) -> Parts:
    """Validation and test chunks spread evenly over the whole history, training rows between them.

    The history is cut into equal blocks, as many as chunks of 5 x (context + horizon) rows allow. Each block
    is training rows, then a validation chunk, then training rows, then a test chunk.

    Raises:
        ValueError: Not even one block of such chunks fits.
    """
    times = np.unique(table.timestamps)
    n_blocks = _n_blocks(len(times), request.context_length, request.horizon)
    if n_blocks == 0:
        least = _least_chunk(request.context_length, request.horizon)
        needed = math.ceil(least / min(VAL_FRACTION, TEST_FRACTION))
        raise ValueError(
            f"a scattered split with a context of {request.context_length} and a horizon of "
            f"{request.horizon} needs about {needed:,} rows, got {len(times):,}"
        )
    train = (1 - VAL_FRACTION - TEST_FRACTION) / 2
    block = (("train", train), ("val", VAL_FRACTION), ("train", train), ("test", TEST_FRACTION))
    cuts: list[tuple[str, np.datetime64 | None]] = []
    position = 0.0
    for _ in range(n_blocks):
        for part, fraction in block:
            cuts.append((part, _at(times, position) if cuts else None))
            position += fraction / n_blocks
    return _cut(table, cuts)


def by_year(table: Table, request: DataRequest) -> Parts:
    """The last calendar year tests, the one before validates, earlier ones train.

    A year of which less than a quarter is there counts to the year beside it.

    Raises:
        ValueError: There are fewer than three years.
    """
    del request
    years, counts = np.unique(pd.DatetimeIndex(table.timestamps).year, return_counts=True)
    whole = years[counts >= LEAST_YEAR * counts.max()]
    if len(whole) < 3:
        found = ", ".join(str(year) for year in whole)
        raise ValueError(f"a split by year needs three years of data, got {found}")
    val, test = (np.datetime64(f"{year}-01-01") for year in whole[-2:])
    return _cut(table, [("train", None), ("val", val), ("test", test)])


def by_group(table: Table, request: DataRequest) -> Parts:
    """Whole groups: the last 15 % of them test, the 15 % before validate, the others train.

    Groups are taken by the time they begin; those that begin together, in the order they were asked for.

    Raises:
        ValueError: There are fewer than three groups.
    """
    del request
    runs = group_rows(table)
    if len(runs) < 3:
        raise ValueError(f"a split by group needs three groups at least, got {len(runs)}; give more groups")
    begin = table.timestamps[[start for start, _ in runs]]
    order = np.argsort(begin, kind="stable")
    n_val, n_test = (max(1, round(len(runs) * share)) for share in (VAL_FRACTION, TEST_FRACTION))
    train, val, test = np.split(order, [len(runs) - n_val - n_test, len(runs) - n_test])
    return {
        part: [runs[i] for i in sorted(chosen.tolist())]
        for part, chosen in (("train", train), ("val", val), ("test", test))
    }


def official(table: Table, request: DataRequest) -> Parts:
    """The parts that the publisher or the literature has.

    Raises:
        ValueError: The data set has none.
    """
    del request
    if table.official is None:
        raise ValueError("these data have no official split")
    return {part: list(ranges) for part, ranges in table.official.items()}


def walk_forward(table: Table, request: DataRequest) -> Parts:
    """One fold of k: train on all rows up to a moment, validate on the stretch after it (expanding window).

    The first 85 % of time are cut into k + 1 equal stretches; fold i trains on the first i + 1 of them and
    validates on the next. The last 15 % test, the same for every fold.

    Raises:
        ValueError: There is no such fold.
    """
    n_folds = request.n_folds
    fold = n_folds - 1 if request.fold is None else request.fold
    if n_folds < 1 or not 0 <= fold < n_folds:
        raise ValueError(f"fold must be 0 to {n_folds - 1} of {n_folds} folds, got {fold}")
    times = np.sort(table.timestamps)
    edges = [_at(times, (1 - TEST_FRACTION) * (i + 1) / (n_folds + 1)) for i in range(n_folds + 1)]
    # The stretches after the fold's validation rows, if any, are of no part.
    cuts = [("train", None), ("val", edges[fold]), ("later", edges[fold + 1]), ("test", edges[-1])]
    parts = _cut(table, cuts)
    del parts["later"]
    return parts


SPLITS: dict[str, SplitRule] = {
    "contiguous": contiguous,
    "scattered": scattered,
    "year": by_year,
    "group": by_group,
    "official": official,
    "walk-forward": walk_forward,
}


def split(name: str, table: Table, request: DataRequest) -> Splits:
    """Divide a table's rows by a rule.

    Args:
        name: Name of the rule.
        table: Its segments, groups, times and usable rows count.
        request: Context, horizon and folds.

    Raises:
        ValueError: There is no such rule, or a part has no window.
    """
    if name == LEGACY:
        return legacy_splits(table, request)
    check_name("split", name, SPLITS)
    context_length = request.context_length
    ahead = request.horizon if table.look_ahead is None else table.look_ahead
    runs = group_rows(table)
    rows, ends = {}, {}
    for part, ranges in SPLITS[name](table, request).items():
        whole = part == "train" or name == "scattered"
        kept, found = [], []
        for piece, segment in _intersect(_purge(ranges, runs, ahead) if whole else ranges, table.segments):
            earliest = piece[0] if whole else segment[0]
            first = max(earliest + context_length - 1, piece[0] - min(table.target_offsets))
            if first < piece[1] - ahead:
                kept.append(piece)
                found.append(np.arange(first, piece[1] - ahead, dtype=np.int64))
        rows[part] = tuple(kept)
        ends[part] = np.concatenate([np.empty(0, dtype=np.int64), *found])
        if table.usable is not None:
            ends[part] = ends[part][table.usable[ends[part]]]
        if len(ends[part]) == 0:
            longest = max(b - a for a, b in table.segments)
            raise ValueError(_too_short(name, part, table, request, longest))
    return Splits(
        train=ends["train"],
        val=ends["val"],
        test=ends["test"],
        rows=rows,
        warnings=_warnings(table, request) if name == "scattered" else (),
    )


def group_rows(table: Table) -> list[RowRange]:
    """The row range of each group."""
    n_rows = len(table.timestamps)
    if table.groups is None:
        return [(0, n_rows)]
    edges = [0, *(np.flatnonzero(np.diff(table.groups)) + 1).tolist(), n_rows]
    return list(pairwise(edges))


def rows_needed(context_length: int, horizon: int) -> int:
    """About the fewest rows that give each part of a contiguous split a window."""
    smallest = min(VAL_FRACTION, TEST_FRACTION)
    train = 1 - VAL_FRACTION - TEST_FRACTION
    return math.ceil(max((context_length + horizon) / train, (horizon + 1) / smallest)) + 1


def _least_chunk(context_length: int, horizon: int) -> int:
    """Rows of the shortest scattered chunk; one horizon is left out at its edge."""
    return CHUNK_WINDOWS * (context_length + horizon) + horizon


def _n_blocks(n_times: int, context_length: int, horizon: int) -> int:
    return int(n_times * min(VAL_FRACTION, TEST_FRACTION) / _least_chunk(context_length, horizon))


def _warnings(table: Table, request: DataRequest) -> tuple[str, ...]:
    """What a reader should know of scattered parts that are hardly spread."""
    n_times, horizon = len(np.unique(table.timestamps)), request.horizon
    n_blocks = _n_blocks(n_times, request.context_length, horizon)
    if n_blocks >= LEAST_BLOCKS:
        return ()
    contexts = range(request.context_length - 1, 0, -1)
    fits = next((c for c in contexts if _n_blocks(n_times, c, horizon) >= LEAST_BLOCKS), None)
    remedy = "a contiguous split" if fits is None else f"a context of at most {fits:,}, or a contiguous split"
    chunks = "one chunk" if n_blocks == 1 else f"{n_blocks} chunks"
    return (
        f"The scattered split has {chunks} each to validate and to test: a context of "
        f"{request.context_length:,} and a horizon of {horizon:,} need chunks of "
        f"{_least_chunk(request.context_length, horizon):,} rows, of which {n_times:,} rows hold no more. "
        f"Scores depend on where they lie; take {remedy}.",
    )


def _at(times: npt.NDArray[np.datetime64], share: float) -> np.datetime64:
    """The moment that has a share of the times before it."""
    moment: np.datetime64 = times[min(round(share * len(times)), len(times) - 1)]
    return moment


def _cut(table: Table, cuts: Sequence[tuple[str, np.datetime64 | None]]) -> Parts:
    """Cut every group at the same moments: each part from its moment (None: the first) to the next one's."""
    parts: Parts = {part: [] for part, _ in cuts}
    moments = np.array([moment for _, moment in cuts[1:]], dtype="datetime64[ns]")
    for start, stop in group_rows(table):
        inner = start + np.searchsorted(table.timestamps[start:stop], moments)
        edges = [start, *inner.tolist(), stop]
        for (part, _), (low, high) in zip(cuts, pairwise(edges), strict=True):
            if high > low:
                parts[part].append((low, high))
    return parts


def _purge(ranges: Sequence[RowRange], runs: Sequence[RowRange], n_rows: int) -> list[RowRange]:
    """Leave out the first rows of each range, unless a group begins there."""
    begins = {start for start, _ in runs}
    return [(start if start in begins else start + n_rows, stop) for start, stop in ranges]


def _intersect(
    ranges: Sequence[RowRange], segments: Sequence[RowRange]
) -> Iterator[tuple[RowRange, RowRange]]:
    """The pieces of ranges inside segments, each with its segment; both are in order, without overlap."""
    first = 0
    for start, stop in ranges:
        while first < len(segments) and segments[first][1] <= start:
            first += 1
        i = first
        while i < len(segments) and segments[i][0] < stop:
            yield (max(start, segments[i][0]), min(stop, segments[i][1])), segments[i]
            i += 1


def _too_short(name: str, part: str, table: Table, request: DataRequest, longest: int) -> str:
    n_rows, n_segments = len(table.timestamps), len(table.segments)
    gaps = f" in {n_segments:,} pieces between gaps, the longest of {longest:,}," if n_segments > 1 else ""
    if name == "walk-forward":
        return (
            f"{n_rows:,} rows{gaps} in {request.n_folds} folds leave one of them no {part} window of "
            f"{request.context_length} rows of context and {request.horizon} of horizon; "
            "take fewer folds, or a shorter context or horizon"
        )
    needed = rows_needed(request.context_length, request.horizon)
    return (
        f"{n_rows:,} rows{gaps} leave no {part} window of {request.context_length} rows of context and "
        f"{request.horizon} of horizon; about {needed:,} rows without a gap are needed, "
        "or a shorter context or horizon"
    )
