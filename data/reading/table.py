"""A user's own file as a table: what it holds, what is forecast, and which windows can be.

Nothing is guessed silently: ``report.py`` says what was found, and every decision has a flag.

Legend: T rows, C channels, K target columns, H horizon.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..base import Channel, DataRequest, DatasetSpec, Dialect, RowRange, Table
from ..categories import Category
from ..frames import all_measured
from .advice import join_names, quote_flag
from .channels import Channels, make_channels
from .files import read_file, sha256_of
from .gaps import MISSING, Filled, fill, measured
from .grid import to_grid
from .order import Order, choose_series, order_rows
from .source import Source
from .steps import STEP, Step, segments, usual_step
from .timeline import NONE, Timeline, check_known, find_timeline


@dataclass(kw_only=True)
class Loaded:
    """A file that was read, in the order of its rows in time, before gaps are filled.

    Attributes:
        timeline: The columns that say when, and how.
        order: The series, and what was done to the order.
        times: Of each row, increasing within a series, shape (T,).
        codes: The number of each row's series; None is one series.
        channels: The columns.
        step: The usual one.
        source: The file's layout; its columns are gone.
        notes: What was found and decided, a sentence each.
    """

    timeline: Timeline
    order: Order
    times: npt.NDArray[np.datetime64]
    codes: npt.NDArray[np.int32] | None
    channels: Channels
    step: Step
    source: Source
    notes: list[str] = field(default_factory=list)

    @property
    def segments(self) -> tuple[RowRange, ...]:
        """Row ranges of one series without a gap."""
        return segments(self.step.breaks)

    @property
    def begins(self) -> npt.NDArray[np.int64]:
        """First rows of the series."""
        if self.codes is None:
            return np.zeros(1, dtype=np.int64)
        return np.concatenate([[0], np.flatnonzero(np.diff(self.codes)) + 1])


def load(request: DataRequest) -> Table:
    """Load a request's own file.

    Raises:
        ValueError: The file or a column of it cannot be used; the message says which, where and why.
    """
    assert request.path is not None
    loaded = read(request)
    if loaded.order.series and not request.series:
        raise ValueError(_several(loaded.order))
    if loaded.channels.sentinels:
        raise ValueError(_sentinel(loaded.channels))
    targets = choose_targets(loaded.channels, request.target)
    loaded = _from_first_target(loaded, targets)
    known = measured(loaded.channels.numbers, targets)
    categories = tuple(loaded.channels.categories.values())
    filled = fill(loaded.channels.numbers, loaded.begins)
    return _table(request, loaded, targets, known, filled, categories)


def read(request: DataRequest) -> Loaded:
    """Read and check a file.

    Args:
        request: The file, and what the user says of it.

    Raises:
        ValueError: As :func:`load`.
    """
    assert request.path is not None
    source = read_file(request.path, request, lambda name: name not in request.drop)
    for name in (*request.target, *request.columns, *request.drop):
        check_known(name, source.names)
    needed = (*request.target, *request.time, *request.series)
    if clash := sorted(set(needed) & set(request.drop)):
        raise ValueError(f"column {clash[0]!r} is to be dropped and to be used; take it out of --drop")
    if n_empty := source.drop_empty_end():
        source.notes.append(f"{n_empty:,} empty row{'s' * (n_empty > 1)} at the end left out.")
    timeline = find_timeline(source, request)
    if clash := sorted(set(request.target) & set(timeline.columns)):
        raise ValueError(f"target {clash[0]!r} is the timestamp column; give another column")
    if request.columns:
        _keep_columns(source, {*needed, *request.columns, *timeline.columns})
    order = order_rows(source, timeline, request.series)
    if request.groups:
        order = choose_series(order, request.groups)
    channels = make_channels(source, request, (*timeline.columns, *order.series))
    if not channels.numbers:
        beside = f" beside {join_names(timeline.columns)}" if timeline.columns else ""
        why = "; ".join(f"{name} {reason}" for name, reason in list(channels.left_out.items())[:5])
        raise ValueError(f"there is no column of numbers{beside}{': ' if why else ''}{why}")
    times, codes = timeline.times, order.codes
    if order.rows is not None:
        times = times[order.rows]
        _reorder(channels, order.rows)
    notes = [*source.notes, *timeline.notes, *order.notes, *channels.notes]
    if request.frequency is not None:
        if timeline.counted:
            raise ValueError("--frequency is of times; rows that are counted have none")
        grid = to_grid(times, codes, channels, request.frequency)
        times, codes, channels = grid.times, grid.codes, grid.channels
        notes.append(grid.note)
    between = None if codes is None else np.diff(codes) != 0
    step = usual_step(times, between)
    if timeline.counted and step.name == "second":
        step = replace(step, name=STEP)
    elif timeline.counted:
        step = replace(step, name=step.name.replace("second", STEP))
    return Loaded(
        timeline=timeline,
        order=order,
        times=times,
        codes=codes,
        channels=channels,
        step=step,
        source=source,
        notes=notes,
    )


def choose_targets(channels: Channels, targets: Sequence[str]) -> tuple[str, ...]:
    """The target columns: the given ones, else the last column of numbers.

    Raises:
        ValueError: One is given twice.
    """
    if len(set(targets)) < len(targets):
        raise ValueError(f"targets must differ from each other, got {', '.join(targets)}")
    return tuple(targets) or (list(channels.numbers)[-1],)


def _keep_columns(source: Source, kept: set[str]) -> None:
    for columns in (source.numbers, source.texts, source.moments, source.left_out, source.odd):
        for name in [name for name in columns if name not in kept]:
            del columns[name]


def _reorder(channels: Channels, rows: npt.NDArray[np.int64]) -> None:
    for name in channels.numbers:
        channels.numbers[name] = channels.numbers[name][rows]
    for name, category in channels.categories.items():
        channels.categories[name] = replace(category, codes=category.codes[rows])


def _several(order: Order) -> str:
    keys = join_names(order.series)
    shown = ", ".join(order.ids[:5]) + (" ..." if len(order.ids) > 5 else "")
    return (
        f"the file holds {len(order.ids):,} series, told apart by {keys}: {shown}; "
        f"give --series {quote_flag(keys)} to train one model over all"
    )


def _sentinel(channels: Channels) -> str:
    first = channels.sentinels[0]
    others = f", and so do {len(channels.sentinels) - 1} other columns" if len(channels.sentinels) > 1 else ""
    values = join_names([f"{value:.15g}" for value in sorted({each.value for each in channels.sentinels})])
    return (
        f"{first}{others}; give --missing {quote_flag(values)} if that stands for a missing value, "
        "or --missing none if it is one"
    )


def _from_first_target(loaded: Loaded, targets: Sequence[str]) -> Loaded:
    """Leave out each series' first rows, where a target has no value yet: nothing can be filled in there."""
    known = measured(loaded.channels.numbers, targets)
    n_rows = len(known)
    ends = np.append(loaded.begins[1:], n_rows)
    keep = np.ones(n_rows, dtype=bool)
    for begin, end in zip(loaded.begins, ends, strict=True):
        first = int(np.argmax(known[begin:end])) if known[begin:end].any() else end - begin
        keep[begin : begin + first] = False
    if keep.all():
        return loaded
    if not keep.any():
        raise ValueError(f"target {targets[0]!r} has no value")
    rows = np.flatnonzero(keep)
    _reorder(loaded.channels, rows)
    codes = None if loaded.codes is None else loaded.codes[rows]
    between = None if codes is None else np.diff(codes) != 0
    step = usual_step(loaded.times[rows], between)
    loaded.notes.append(f"{n_rows - len(rows):,} rows before the first value of a target left out.")
    return replace(loaded, times=loaded.times[rows], codes=codes, step=replace(step, name=loaded.step.name))


def _table(
    request: DataRequest,
    loaded: Loaded,
    targets: tuple[str, ...],
    known: npt.NDArray[np.bool_],
    filled: Filled,
    categories: tuple[Category, ...],
) -> Table:
    assert request.path is not None
    task = request.task or "regression"
    places = tuple(filled.names.index(name) for name in targets)
    values = filled.values[:, places]
    usable = None if known.all() else all_measured(known, request.horizon)
    if task == "binary":
        values = _labels(np.where(known[:, None], values, np.nan), targets, request.horizon)
        usable = None if known.all() else ~np.isnan(values[:, 0])
    return Table(
        timestamps=loaded.times,
        features=filled.values,
        channel_names=filled.names,
        target_values=values,
        target_names=targets,
        target_offsets=(0,) if task == "binary" else tuple(range(1, request.horizon + 1)),
        target_channels=() if task == "binary" else places,
        task=task,
        sha256=sha256_of(request.path),
        frequency=loaded.step.name,
        segments=loaded.segments,
        season=request.season,
        groups=loaded.codes,
        group_names=loaded.order.ids,
        usable=usable,
        categories=categories,
        made_of=_made_of(filled, loaded.channels.booleans),
        dialect=Dialect(
            time=loaded.timeline.columns or (NONE,),
            time_format=loaded.timeline.format,
            decimal=loaded.source.decimal,
        ),
    )


def _made_of(filled: Filled, booleans: set[str]) -> tuple[Channel, ...]:
    columns = (
        Channel(name=name, column=name, kind="boolean" if name in booleans else "number")
        for name in filled.counts
    )
    gaps = (
        Channel(name=name + MISSING, column=name, kind="missing")
        for name, count in filled.counts.items()
        if count
    )
    return (*columns, *gaps)


def _labels(values: npt.NDArray[np.float64], names: tuple[str, ...], horizon: int) -> npt.NDArray[np.float64]:
    """The label H rows ahead, standing at the row that forecasts it."""
    if len(names) != 1:
        raise ValueError(f"a binary task has one target, got {', '.join(names)}")
    known = values[~np.isnan(values)]
    other = known[(known != 0) & (known != 1)]
    if len(other):
        raise ValueError(
            f"a binary target holds 0 and 1 alone, {names[0]!r} holds {other[0]:g}; use TASK=regression"
        )
    labels = np.full_like(values, np.nan)
    labels[:-horizon] = values[horizon:]
    return labels


SPEC = DatasetSpec(
    name="file",
    title="your own CSV or Parquet file: DATA=path/to/file.csv TARGET=column TIME=column",
    source="your own",
    licence="your own",
    frequency="found in the file",
    channels={},
    tasks=("regression", "binary"),
    target="the TARGET columns over the next HORIZON rows",
    n_rows=None,
    load=load,
    groups="series",
)
