"""What is in a user's file, in words and numbers, before a study is run on it.

Legend: T rows.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..base import DataRequest
from ..categories import MAX_VALUES, Category
from ..season import seasonal_period
from ..splits import rows_needed
from .advice import join_names
from .channels import Channels
from .gaps import MISSING, last_known, measured
from .proposal import CONTEXTS, Proposal, command, propose
from .steps import IRREGULAR
from .table import Loaded, choose_targets, read

MAX_CONTEXT = 2_000
TRAIN_SHARE = 0.7
"""Of the rows: what a contiguous split trains on."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One channel, or one category.

    Attributes:
        name: Of the column.
        kind: "number", "boolean" or "category".
        min: The lowest value; None of a category.
        max: The highest.
        mean: Of the known values.
        std: Of the known values.
        filled: How many missing values get the last known one before them.
        values: How many different texts a category holds.
    """

    name: str
    kind: str
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    filled: int
    values: int | None = None


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """A file that a study can run on.

    Attributes:
        path: The file.
        rows: Its rows.
        time: The columns that say when, by commas; None where rows are counted.
        time_format: How they are written.
        start: First time, or step.
        end: Last time, or step.
        frequency: The usual step, or "irregular".
        gaps: How many steps are of another length.
        first_gap: Where the first of them is.
        longest_segment: Rows of the longest stretch without a gap.
        columns: The channels and categories.
        left_out: Columns that are neither, and why.
        target: What would be forecast.
        missing_targets: Rows where a target is missing.
        series: Ids of the series; empty for one.
        series_columns: The columns that tell them apart.
        season: Rows in a season, found in the first 70 % of rows; None where nothing repeats.
        max_context: The longest context that leaves each part of a contiguous split a window of one step.
        separator: Between columns; None where the file is no text.
        decimal: The decimal sign.
        encoding: Of the text.
        notes: What is worth knowing, a sentence each.
        command: What would forecast it; None if the file has no windows.
    """

    path: str
    rows: int
    time: str | None
    time_format: str | None
    start: str
    end: str
    frequency: str
    gaps: int
    first_gap: str | None
    longest_segment: int
    columns: tuple[Column, ...]
    left_out: dict[str, str]
    target: tuple[str, ...]
    missing_targets: int
    series: tuple[str, ...]
    series_columns: tuple[str, ...]
    season: int | None
    max_context: int
    separator: str | None
    decimal: str | None
    encoding: str | None
    notes: tuple[str, ...]
    command: str | None


def check_table(request: DataRequest) -> TableReport:
    """Read a file and say what was found.

    Args:
        request: The file, and what the user says of it.

    Raises:
        ValueError: The file cannot be used; the message says what, where and why.
    """
    loaded = read(request)
    channels = loaded.channels
    targets = choose_targets(channels, request.target)
    columns = tuple(_column(name, channels) for name in _in_order(loaded))
    segments = loaded.segments
    longest = max(stop - start for start, stop in segments)
    first_gap = _first_gap(loaded)
    max_context = max((c for c in range(1, MAX_CONTEXT) if rows_needed(c, 1) <= longest), default=0)
    season = _season(loaded, targets[0])
    proposal = propose(loaded, request, targets, season)
    n_missing = int((~measured(channels.numbers, targets)).sum())
    return TableReport(
        path=str(request.path),
        rows=len(loaded.times),
        time=join_names(loaded.timeline.columns) or None,
        time_format=loaded.timeline.format,
        start=_show(loaded, loaded.times.min()),
        end=_show(loaded, loaded.times.max()),
        frequency=loaded.step.name,
        gaps=len(segments) - len(loaded.begins),
        first_gap=first_gap,
        longest_segment=longest,
        columns=columns,
        left_out=channels.left_out,
        target=targets,
        missing_targets=n_missing,
        series=loaded.order.ids,
        series_columns=loaded.order.series,
        season=season,
        max_context=max_context,
        separator=loaded.source.separator,
        decimal=loaded.source.decimal,
        encoding=loaded.source.encoding,
        notes=tuple(_notes(loaded, request, targets, columns, proposal)),
        command=None if proposal is None else command(loaded, request, targets, proposal),
    )


def _in_order(loaded: Loaded) -> list[str]:
    channels = loaded.channels
    return [name for name in loaded.source.names if name in channels.numbers or name in channels.categories]


def _column(name: str, channels: Channels) -> Column:
    if name in channels.categories:
        return _category(channels.categories[name])
    values = channels.numbers[name]
    known = values[~np.isnan(values)]
    return Column(
        name=name,
        kind="boolean" if name in channels.booleans else "number",
        min=float(known.min()),
        max=float(known.max()),
        mean=float(known.mean()),
        std=float(known.std()),
        filled=len(values) - len(known),
    )


def _category(category: Category) -> Column:
    return Column(
        name=category.name,
        kind="category",
        min=None,
        max=None,
        mean=None,
        std=None,
        filled=int((category.codes < 0).sum()),
        values=len(category.values),
    )


def _first_gap(loaded: Loaded) -> str | None:
    between = np.zeros(len(loaded.times) - 1, dtype=bool)
    between[loaded.begins[1:] - 1] = True
    gaps = np.flatnonzero(loaded.step.breaks & ~between)
    if len(gaps) == 0:
        return None
    row = int(gaps[0]) + 1
    return f"{_show(loaded, loaded.times[row - 1])} to {_show(loaded, loaded.times[row])} (row {row + 1:,})"


def _season(loaded: Loaded, target: str) -> int | None:
    """The season of the longest series' training rows."""
    edges = [*loaded.begins.tolist(), len(loaded.times)]
    start, stop = max(pairwise(edges), key=lambda rows: rows[1] - rows[0])
    values = loaded.channels.numbers[target][start : start + int(TRAIN_SHARE * (stop - start))]
    known = _filled(values)
    return seasonal_period(known, loaded.step.name) if len(known) > 3 else None


def _filled(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    missing = np.isnan(values)
    if not missing.any():
        return values
    filled = values[last_known(missing, np.zeros(1, np.int64))]
    return filled[~np.isnan(filled)]


def _notes(
    loaded: Loaded,
    request: DataRequest,
    targets: tuple[str, ...],
    columns: tuple[Column, ...],
    proposal: Proposal | None,
) -> list[str]:
    missing = int((~measured(loaded.channels.numbers, targets)).sum())
    notes = list(loaded.notes)
    notes += [f"{name} {why}: left out." for name, why in loaded.channels.left_out.items()]
    for each in loaded.channels.sentinels:
        notes.append(
            f"{each}: give --missing {each.value:.15g} if that stands for a missing value, or "
            "--missing none; a study is refused until you do."
        )
    if loaded.order.series:
        keys = join_names(loaded.order.series)
        notes.append(
            f"{len(loaded.order.ids):,} series are told apart by {keys}: one model is trained over all."
        )
    if not request.target:
        notes.append(f"No TARGET was given: the last column of numbers, {targets[0]}, would be it.")
    if loaded.step.name == IRREGULAR:
        notes.append(
            "The times have no regular step: rows are taken one after the other as they come; "
            "--frequency day, or another step, makes one row of each step."
        )
    if len(loaded.segments) > len(loaded.begins):
        notes.append("Gaps are not filled: no window reaches over one.")
    if missing:
        notes.append(
            f"{missing:,} rows have no target: windows that would forecast one of them are left out."
        )
    for column in columns:
        if column.kind == "category":
            notes.append(_about_category(column))
        elif column.filled:
            notes.append(
                f"{column.filled:,} missing values of {column.name} are filled with the last known one "
                f"before them; a channel, {column.name + MISSING!r}, says where."
            )
    if proposal is None:
        notes.append("There are too few rows to train, validate and test on.")
    elif proposal.context < CONTEXTS[0]:
        notes.append(f"The default CONTEXT of {CONTEXTS[0]} rows is too long for this file.")
    return notes


def _about_category(column: Column) -> str:
    assert column.values is not None
    if column.values > MAX_VALUES:
        return (
            f"{column.name} is text with {column.values} values: it is used if the training rows hold "
            f"{MAX_VALUES} of them at most."
        )
    return (
        f"{column.name} is text: each of its {column.values} values becomes a channel of 0 and 1, if the "
        "training rows hold it; any other value is 0 in all of them."
    )


def _show(loaded: Loaded, moment: np.datetime64) -> str:
    if loaded.timeline.counted:
        return str(int(moment.astype("datetime64[s]").astype(np.int64)))
    return str(moment.astype("datetime64[s]")).replace("T", " ")
