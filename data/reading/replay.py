"""New rows, read and made into channels the way a study's own were.

What training has decided is not decided anew: columns, kinds, categories, fillings and the step.

Legend: T rows, C channels, K target columns.
"""

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..base import STEPS, Channel, DataRequest, Dialect, RowRange
from ..categories import Category
from ..features import TIERS, compute
from .advice import join_names
from .cadence import breaks_of
from .channels import Channels, truth_of
from .files import read_file
from .gaps import last_known
from .grid import to_grid
from .markers import parse_markers
from .order import choose_series, order_rows
from .source import Source, codes_of
from .steps import segments
from .timeline import Timeline, find_timeline

Array = npt.NDArray[np.float64]
MOST_SHOWN = 5
RAW = {name.lower(): name for name in ("Open", "High", "Low", "Close", "Volume", "VIX")}
"""The channels that indicators are computed from, and what they are called there."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows ready to be windowed, series after series, each in time.

    Attributes:
        times: Of each row, shape (T,); counted rows are seconds since 1970.
        values: The channels, unscaled, shape (T, C); NaN only before a column's first value.
        targets: The target columns as they were measured, NaN where not, shape (T, K).
        segments: Row ranges of one series in which rows follow one another.
        series: The number of each row's series, shape (T,), ascending.
        ids: The series' names; empty where there is one.
        notes: What a user should know, a sentence each.
    """

    times: npt.NDArray[np.datetime64]
    values: Array
    targets: Array
    segments: tuple[RowRange, ...]
    series: npt.NDArray[np.int32]
    ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def spans(self) -> tuple[RowRange, ...]:
        """The rows of each series."""
        return segments(np.diff(self.series) != 0)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """How a study's rows were read.

    Attributes:
        request: What the user said of the layout: separator, missing markers, step, series, and so on.
        dialect: What was found beyond that; None where nothing was.
        channels: The C channels, in order.
        targets: The K target columns.
        frequency: Of the rows, in words.
        regular: Whether windows end where a step is missing.
        tier: The feature tier whose indicators are among the channels; None where there is none.
        history: The first raw row, from which the indicators are computed.
    """

    request: DataRequest
    dialect: Dialect | None
    channels: tuple[Channel, ...]
    targets: tuple[str, ...]
    frequency: str
    regular: bool
    tier: str | None = None
    history: np.datetime64 | None = None

    @property
    def time(self) -> tuple[str, ...]:
        """The columns that say when a row is; empty where nobody said."""
        return self.request.time or (() if self.dialect is None else self.dialect.time)

    def read(self, path: Path) -> Rows:
        """Read a file of new rows.

        Raises:
            ValueError: It cannot be read, a column is missing, or rows are not a step apart.
        """
        source, timeline = self._read(path)
        columns = tuple(dict.fromkeys(channel.column for channel in self.channels))
        lacking = [name for name in columns if name not in source.names]
        computed = () if self.tier is None or not lacking else tuple(TIERS[self.tier])
        if lacking := [name for name in lacking if name not in computed]:
            columns = tuple(name for name in columns if name not in computed)
            raise ValueError(
                f"{'columns' if lacking[1:] else 'column'} {_shown(lacking)} "
                f"{'are' if lacking[1:] else 'is'} missing; "
                f"the model needs {_shown(columns)}"
            )
        keys = tuple(key for key in self.request.series if key in source.names)
        order = order_rows(source, timeline, keys if len(keys) == len(self.request.series) else ())
        if order.series and not self.request.series:
            raise ValueError(
                f"times repeat, as if there were several series, told apart by {join_names(order.series)}; "
                "the model was trained on one series: give one at a time"
            )
        if self.request.groups:
            order = choose_series(order, self.request.groups)
        notes = []
        used = {*columns, *self.targets, *timeline.columns, *order.series, *self.request.drop}
        if extra := [name for name in source.names if name not in used]:
            notes.append(f"columns that the model does not know are ignored: {_shown(extra)}")
        channels, unknown = self._channels(source, computed)
        notes += unknown
        times, codes = timeline.times, order.codes
        if order.rows is not None:
            times = times[order.rows]
            _reorder(channels, order.rows)
        if computed:
            warm = self._add_indicators(channels, times)
            times, codes = times[warm], None
            _reorder(channels, warm)
        if self.request.frequency is not None:
            grid = to_grid(times, codes, channels, self.request.frequency)
            times, codes, channels = grid.times, grid.codes, grid.channels
        series = np.zeros(len(times), dtype=np.int32) if codes is None else codes.astype(np.int32)
        cuts = segments_of(times, series, self.frequency, self.regular)
        missing = np.full(len(times), np.nan)
        targets = [channels.numbers.get(name, missing).copy() for name in self.targets]
        return Rows(
            times=times,
            values=self._values(channels, series),
            targets=np.column_stack(targets),
            segments=cuts,
            series=series,
            ids=order.ids,
            notes=tuple(notes),
        )

    def _read(self, path: Path) -> tuple[Source, Timeline]:
        """The file's columns and times: as the study's file was written, else as this one seems to be."""
        given = replace(self.request, path=path, time=self.time)
        if self.dialect is not None:
            found = replace(
                given,
                time_format=given.time_format or self.dialect.time_format,
                decimal=given.decimal or self.dialect.decimal,
            )
            with contextlib.suppress(ValueError):
                return self._checked(*_read(path, found))
        return self._checked(*_read(path, given))

    def _checked(self, source: Source, timeline: Timeline) -> tuple[Source, Timeline]:
        if timeline.counted and self.frequency != "none" and not self.frequency.endswith(STEPS):
            raise ValueError("no column holds times, and the model was trained on rows that have them")
        return source, timeline

    def _add_indicators(self, channels: Channels, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
        """Compute the tier's indicators from the raw columns; returns the rows from which all are known.

        Raises:
            ValueError: The rows do not begin where the study's did: running sums would be others.
        """
        assert self.tier is not None
        start = int(np.searchsorted(times, self.history)) if self.history is not None else 0
        if start == len(times) or (self.history is not None and times[start] != self.history):
            raise ValueError(
                f"the indicators of tier {self.tier} are computed from {self.history!s:.10} on, and the rows "
                f"begin at {times[0]!s:.10}: give all rows from there on, or the "
                "indicators as columns"
            )
        rows = slice(start, None)
        raw = {
            column: channels.numbers[name][rows] for name, column in RAW.items() if name in channels.numbers
        }
        frame = pd.DataFrame(raw, index=pd.DatetimeIndex(times[rows]))
        indicators = compute(frame, self.tier)
        unknown = np.full(start, np.nan)
        for name in TIERS[self.tier]:
            channels.numbers[name] = np.concatenate([unknown, indicators[name].to_numpy()])
        known = indicators.notna().all(axis=1).to_numpy()
        first = start + int(np.argmax(known)) if known.any() else len(times)
        return np.arange(first, len(times))

    def _channels(self, source: Source, computed: tuple[str, ...]) -> tuple[Channels, list[str]]:
        """The columns by kind but for computed ones, and a sentence for each with texts new to the model."""
        channels, notes = Channels(), []
        _, markers = parse_markers(self.request.missing)
        kinds = {
            each.column: each.kind
            for each in self.channels
            if each.kind != "missing" and each.column not in computed
        }
        for name in self.targets:
            if name not in kinds and name in source.names:
                kinds[name] = "number"
        for name, kind in kinds.items():
            if kind == "category":
                known = tuple(
                    str(each.value)
                    for each in self.channels
                    if each.column == name and each.kind == "category"
                )
                channels.categories[name], unseen = _category(source, name, known)
                if unseen:
                    notes.append(f"column {name!r} holds what training rows had not: {_shown(unseen)}")
            else:
                values = _numbers(source, name, kind == "boolean")
                channels.numbers[name] = np.where(np.isin(values, list(markers)), np.nan, values)
                if kind == "boolean":
                    channels.booleans.add(name)
        return channels, notes

    def _values(self, channels: Channels, series: npt.NDArray[np.int32]) -> Array:
        begins = np.flatnonzero(np.concatenate([[True], np.diff(series) != 0]))
        values = np.empty((len(series), len(self.channels)))
        for j, channel in enumerate(self.channels):
            if channel.kind == "category":
                category = channels.categories[channel.column]
                values[:, j] = category.codes == category.values.index(str(channel.value))
                continue
            column = channels.numbers[channel.column]
            missing = np.isnan(column)
            values[:, j] = missing if channel.kind == "missing" else column[last_known(missing, begins)]
        return values


def segments_of(
    times: npt.NDArray[np.datetime64], series: npt.NDArray[np.int32], frequency: str, regular: bool
) -> tuple[RowRange, ...]:
    """Row ranges of one series, cut where a step is missing if that counts."""
    breaks = np.diff(series) != 0
    if regular:
        breaks |= breaks_of(times, frequency)
    return segments(breaks)


def _read(path: Path, request: DataRequest) -> tuple[Source, Timeline]:
    source = read_file(path, request, lambda name: name not in request.drop)
    source.drop_empty_end()
    return source, find_timeline(source, request)


def _numbers(source: Source, name: str, is_boolean: bool) -> Array:
    if name in source.odd:
        counts, row = source.odd[name]
        raise ValueError(f"column {name!r} must hold numbers, got {next(iter(counts))!r} in row {row:,}")
    if name in source.numbers:
        values = source.numbers[name].astype(np.float64)
        if np.isinf(values).any():
            raise ValueError(
                f"column {name!r} holds infinity, first in row {int(np.isinf(values).argmax()) + 1:,}"
            )
        return np.asarray(values)
    if source.left_out.get(name) == "is empty":
        return np.full(source.n_rows, np.nan)
    if name in source.texts:
        codes, texts = codes_of(source.texts[name])
        if is_boolean and (truth := truth_of(texts)) is not None:
            return np.where(codes < 0, np.nan, np.array([*truth, np.nan])[codes])
        raise ValueError(f"column {name!r} must hold numbers, got {texts[0]!r}")
    raise ValueError(f"column {name!r} must hold numbers; it {source.left_out.get(name, 'holds times')}")


def _category(source: Source, name: str, known: tuple[str, ...]) -> tuple[Category, list[str]]:
    """A column of text by the values that training knew, -1 for any other, and the texts that are others."""
    if name in source.texts:
        codes, texts = codes_of(source.texts[name])
    elif name in source.numbers:
        held, codes = np.unique(source.numbers[name], return_inverse=True)
        texts = ["" if np.isnan(value) else f"{value:.15g}" for value in held.tolist()]
    elif source.left_out.get(name) == "is empty":
        codes, texts = np.full(source.n_rows, -1), []
    else:
        raise ValueError(f"column {name!r} must hold text; it {source.left_out.get(name, 'holds times')}")
    places = {value: place for place, value in enumerate(known)}
    ranks = np.array([*(places.get(text, -1) for text in texts), -1], dtype=np.int32)
    return (
        Category(name=name, values=known, codes=ranks[codes]),
        [text for text in texts if text and text not in places],
    )


def _reorder(channels: Channels, rows: npt.NDArray[np.int64]) -> None:
    for name, values in channels.numbers.items():
        channels.numbers[name] = values[rows]
    for name, category in channels.categories.items():
        channels.categories[name] = replace(category, codes=category.codes[rows])


def _shown(names: Sequence[Any]) -> str:
    shown = ", ".join(map(str, itertools.islice(names, MOST_SHOWN)))
    return shown + (f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else "")
