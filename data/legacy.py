"""The protocol ``legacy-light-probe`` of the compute-parity probes. IT LEAKS: never a default.

Each series is z-scored by the mean and the sample standard deviation of all its rows, the test rows among
them, and windows of different parts share rows: windows that end in ``[context - 1, n - horizon - 1)``; in
order, the last int(0.15 N) test, as many before them validate. It is here to compare with old figures alone;
errors come out in z-scored units, as theirs do.

Legend: T rows, N windows, H horizon.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .base import DataRequest, RowRange, Splits, Table

NAME = "legacy-light-probe"
FRACTION = 0.15
DAYS = 120


def z_score(table: Table) -> Table:
    """Scale each segment by all its rows, and mark the table as leaking."""
    features, targets = table.features.copy(), table.target_values.copy()
    for start, stop in table.segments:
        for values in (features, targets):
            part = values[start:stop]
            std = part.std(axis=0, ddof=1)
            values[start:stop] = (part - part.mean(axis=0)) / np.where(std > 0, std, 1.0)
    return replace(table, features=features, target_values=targets, leaks=True)


def legacy_splits(table: Table, request: DataRequest) -> Splits:
    """Divide windows, not rows.

    Raises:
        ValueError: The table was not loaded for this protocol, or has too few windows.
    """
    if not table.leaks:
        raise ValueError(f"{NAME} is a protocol of beijing, eaf and jena alone")
    context, horizon = request.context_length, request.horizon
    ends = np.concatenate(
        [np.arange(start + context - 1, stop - horizon - 1) for start, stop in table.segments]
    ).astype(np.int64)
    held_out = int(FRACTION * len(ends))
    if held_out == 0:
        raise ValueError(f"{len(table.features):,} rows hold too few windows: {len(ends)}")
    parts = np.split(ends, [len(ends) - 2 * held_out, len(ends) - held_out])
    rows = {
        part: _rows(part_ends, table.segments, context, horizon)
        for part, part_ends in zip(("train", "val", "test"), parts, strict=True)
    }
    return Splits(train=parts[0], val=parts[1], test=parts[2], rows=rows, leaks=True)


def _rows(
    ends: np.typing.NDArray[np.int64], segments: Sequence[RowRange], context: int, horizon: int
) -> tuple[RowRange, ...]:
    """The rows that windows touch, in each segment."""
    touched = []
    for start, stop in segments:
        inside = ends[(ends >= start) & (ends < stop)]
        if len(inside):
            touched.append((int(inside[0]) - context + 1, int(inside[-1]) + horizon + 1))
    return tuple(touched)
