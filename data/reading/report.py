"""What is in a user's file, in words and numbers, before a study is run on it.

Legend: T rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..season import seasonal_period
from ..splits import rows_needed
from .table import choose_targets, read


@dataclass(frozen=True, kw_only=True)
class Column:
    """One channel: its values, and how many missing ones were filled from earlier rows."""

    name: str
    min: float
    max: float
    mean: float
    std: float
    filled: int


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """A file that a study can run on.

    Attributes:
        path: The file.
        rows: Its rows.
        time: The timestamp column.
        start: First timestamp.
        end: Last timestamp.
        frequency: The usual step, or "irregular".
        gaps: How many steps are longer.
        first_gap: Where the first of them is.
        longest_segment: Rows of the longest stretch without a gap.
        columns: The channels.
        target: What would be forecast.
        season: Rows in a season, found in the first 70 % of rows; None where nothing repeats.
        max_context: The longest context that leaves each part of a contiguous split a window of one step.
        notes: What is worth knowing, a sentence each.
    """

    path: str
    rows: int
    time: str
    start: str
    end: str
    frequency: str
    gaps: int
    first_gap: str | None
    longest_segment: int
    columns: tuple[Column, ...]
    target: tuple[str, ...]
    season: int | None
    max_context: int
    notes: tuple[str, ...]


def check_table(path: Path, time: str | None = None, target: Sequence[str] = ()) -> TableReport:
    """Read a file and say what was found.

    Args:
        path: CSV or Parquet.
        time: The timestamp column; None finds it.
        target: Target columns; empty takes the last.

    Raises:
        ValueError: The file cannot be used; the message says what, where and why.
    """
    table = read(path, time, target)
    targets = choose_targets(table, target)
    n_rows = len(table.times)
    columns = tuple(
        Column(
            name=name,
            min=float(table.values[:, j].min()),
            max=float(table.values[:, j].max()),
            mean=float(table.values[:, j].mean()),
            std=float(table.values[:, j].std()),
            filled=table.filled.get(name, 0),
        )
        for j, name in enumerate(table.names)
    )
    past = table.values[: int(0.7 * n_rows), table.names.index(targets[0])]
    first_gap = None
    if len(table.segments) > 1:
        row = table.segments[1][0]
        first_gap = f"{_show(table.times[row - 1])} to {_show(table.times[row])} (row {row + 1:,})"
    longest = max(stop - start for start, stop in table.segments)
    max_context = max((c for c in range(1, 2_000) if rows_needed(c, 1) <= longest), default=0)
    season = seasonal_period(past, table.frequency) if len(past) > 3 else None
    return TableReport(
        path=str(path),
        rows=n_rows,
        time=table.time_name,
        start=_show(table.times[0]),
        end=_show(table.times[-1]),
        frequency=table.frequency,
        gaps=len(table.segments) - 1,
        first_gap=first_gap,
        longest_segment=longest,
        columns=columns,
        target=targets,
        season=season,
        max_context=max_context,
        notes=tuple(_notes(table.frequency, len(table.segments), table.filled, targets, target, max_context)),
    )


def _notes(
    frequency: str,
    n_segments: int,
    filled: dict[str, int],
    targets: tuple[str, ...],
    asked: Sequence[str],
    max_context: int,
) -> list[str]:
    notes = []
    if not asked:
        notes.append(f"No TARGET was given: the last column, {targets[0]}, would be forecast.")
    if frequency == "irregular":
        notes.append("The timestamps have no regular step: rows are taken one after the other as they come.")
    if n_segments > 1:
        notes.append("Gaps are not filled: no window reaches over one.")
    for name, count in filled.items():
        notes.append(f"{count:,} missing values of {name} are filled with the last known one before them.")
    if max_context < 80:
        notes.append(f"The default CONTEXT of 80 rows is too long for this file; at most {max_context} fit.")
    return notes


def _show(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[s]")).replace("T", " ")
