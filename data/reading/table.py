"""A user's own table: checks, channels, targets, segments.

All columns but the time are channels. Nothing is guessed silently: :func:`describe` says what was found.

Legend: T rows, C channels, K target columns, H horizon.
"""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from ..base import DataRequest, DatasetSpec, RowRange, Table
from .files import Columns, parse_times, read_columns, sha256_of

IRREGULAR_FRACTION = 0.05
"""With more steps than this of another length than the usual, a series has no regular step."""

_STEPS = {60: "minute", 900: "15 minutes", 1800: "30 minutes", 3600: "hour", 86_400: "day", 604_800: "week"}


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A checked file.

    Attributes:
        time_name: The timestamp column.
        times: Its values, strictly increasing, shape (T,).
        names: The C channels.
        values: Shape (T, C); gaps of channels that are not forecast are filled forward.
        filled: How many values of each channel were filled.
        frequency: Such as "hour", or "irregular".
        segments: Row ranges without a gap in time.
    """

    time_name: str
    times: npt.NDArray[np.datetime64]
    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    filled: dict[str, int]
    frequency: str
    segments: tuple[RowRange, ...]


def load(request: DataRequest) -> Table:
    """Load a request's own file.

    Raises:
        ValueError: The file or a column of it cannot be used; the message says which, where and why.
    """
    assert request.path is not None
    loaded = read(request.path, request.time, request.target)
    targets = choose_targets(loaded, request.target)
    channels = tuple(loaded.names.index(name) for name in targets)
    task = request.task or "regression"
    values = loaded.values[:, channels]
    if task == "binary":
        values = _labels(values, targets, request.horizon)
    return Table(
        timestamps=loaded.times,
        features=loaded.values,
        channel_names=loaded.names,
        target_values=values,
        target_names=targets,
        target_offsets=(0,) if task == "binary" else tuple(range(1, request.horizon + 1)),
        target_channels=() if task == "binary" else channels,
        task=task,
        sha256=sha256_of(request.path),
        frequency=loaded.frequency,
        segments=loaded.segments,
        season=request.season,
    )


def read(path: Path, time: str | None, targets: Sequence[str] = ()) -> Loaded:
    """Read and check a file.

    Args:
        path: CSV or Parquet.
        time: The timestamp column; None takes the first that holds timestamps.
        targets: Columns that must have no missing value; they are not filled.

    Raises:
        ValueError: As :func:`load`.
    """
    columns = read_columns(path)
    for name in (*([time] if time else []), *targets):
        _check_known(name, columns.names)
    time_name, times = _times(columns, time)
    for name in columns.others.column_names:
        if name != time_name:
            raise ValueError(_not_numbers(name, columns.others[name]))
    if not columns.numeric:
        raise ValueError(f"there is no column beside the timestamps {time_name!r}")
    filled = {}
    for j, name in enumerate(columns.numeric):
        filled[name] = _fill(name, columns.values[:, j], is_target=name in targets)
    frequency, segments = _segments(times)
    return Loaded(
        time_name=time_name,
        times=times,
        names=columns.numeric,
        values=columns.values,
        filled={name: count for name, count in filled.items() if count},
        frequency=frequency,
        segments=segments,
    )


def choose_targets(loaded: Loaded, targets: Sequence[str]) -> tuple[str, ...]:
    """The target columns: the given ones, else the only channel, else the last.

    Raises:
        ValueError: One is the time column, is given twice, or has missing values.
    """
    if loaded.time_name in targets:
        raise ValueError(f"target {loaded.time_name!r} is the timestamp column; give another column")
    if len(set(targets)) < len(targets):
        raise ValueError(f"targets must differ from each other, got {', '.join(targets)}")
    chosen = tuple(targets) or (loaded.names[-1],)
    for name in chosen:
        if name in loaded.filled:
            raise ValueError(
                f"target {name!r} has {loaded.filled[name]:,} missing values; fill or drop those rows, "
                "or give another TARGET"
            )
    return chosen


def _check_known(name: str, names: Sequence[str]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there is no column {name!r}: {hint}columns: {', '.join(names)}")


def _times(columns: Columns, name: str | None) -> tuple[str, npt.NDArray[np.datetime64]]:
    for candidate in columns.others.column_names if name is None else [name]:
        if candidate in columns.numeric:
            value = columns.values[0, columns.numeric.index(candidate)]
            raise ValueError(f"column {candidate!r} holds no timestamps, its first value is {value:g}")
        times = parse_times(columns.others[candidate])
        if times is not None:
            return candidate, _check_times(candidate, times)
    if name is not None:
        value = columns.others[name][0].as_py()
        raise ValueError(f"column {name!r} holds no timestamps, its first value is {value!r}")
    raise ValueError(f"no column holds timestamps; give TIME one of the columns: {', '.join(columns.names)}")


def _check_times(name: str, times: "pd.Series[pd.Timestamp]") -> npt.NDArray[np.datetime64]:
    """The timestamps, if all are there and each is later than the one before. Rows are counted from 1."""
    missing = times.isna().to_numpy()
    if missing.any():
        first = int(np.argmax(missing)) + 1
        raise ValueError(
            f"{missing.sum():,} timestamps in {name!r} are missing or unreadable, first in row {first:,}"
        )
    values: npt.NDArray[np.datetime64] = times.to_numpy()
    backwards = np.diff(values) < np.timedelta64(0)
    if backwards.any():
        first = int(np.argmax(backwards)) + 2
        raise ValueError(
            f"timestamps in {name!r} go backwards {backwards.sum():,} times, first in row {first:,} "
            f"({_show(values[first - 1])} after {_show(values[first - 2])}); sort the rows by time"
        )
    repeated = np.diff(values) == np.timedelta64(0)
    if repeated.any():
        first = int(np.argmax(repeated)) + 2
        raise ValueError(
            f"{repeated.sum():,} timestamps in {name!r} are duplicates, first in row {first:,} "
            f"({_show(values[first - 1])}); keep one row for each time"
        )
    return values


def _fill(name: str, values: npt.NDArray[np.float64], is_target: bool) -> int:
    """Fill a channel's missing values in place with the last known one, and say how many they were."""
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values))) + 1
        raise ValueError(f"column {name!r} holds infinity, first in row {row:,}")
    missing = np.isnan(values)
    if missing.all():
        raise ValueError(f"column {name!r} is empty; drop it")
    if missing.any():
        row = int(np.argmax(missing)) + 1
        if is_target:
            raise ValueError(
                f"target {name!r} has {missing.sum():,} missing values, first in row {row:,}; "
                "fill or drop those rows"
            )
        if missing[0]:
            start = int(np.argmin(missing)) + 1
            raise ValueError(
                f"column {name!r} has no value before row {start:,}; a missing value can only be filled from "
                "earlier rows: drop the column or those rows"
            )
        last_known = np.maximum.accumulate(np.where(missing, 0, np.arange(len(values))))
        values[:] = values[last_known]
    if len(values) > 1 and values.min() == values.max():
        raise ValueError(f"column {name!r} is constant ({values[0]:g} in every row); drop it")
    return int(missing.sum())


def _not_numbers(name: str, column: pa.ChunkedArray) -> str:
    if pa.types.is_null(column.type):
        return f"column {name!r} is empty; drop it"
    return f"column {name!r} must hold numbers, got {_first_bad(column)}; drop it or encode it as numbers"


def _first_bad(column: pa.ChunkedArray) -> str:
    for row, value in enumerate(column.to_pylist(), start=1):
        if value is None:
            continue
        try:
            float(value)
        except (TypeError, ValueError):
            return f"{value!r} in row {row:,}"
    return f"values of type {column.type}"


def _segments(times: npt.NDArray[np.datetime64]) -> tuple[str, tuple[RowRange, ...]]:
    """The usual step in words, and the row ranges between gaps.

    A gap is a step longer than the usual one. Weekends are no gap in a series of business days, and months,
    quarters and years may differ by days. A series without a usual step is taken as one range, row by row.
    """
    n_rows = len(times)
    if n_rows < 3:
        return "irregular", ((0, n_rows),)
    index = pd.DatetimeIndex(times)
    steps = np.diff(times) // np.timedelta64(1, "s")
    usual = Counter(steps.tolist()).most_common(1)[0][0]
    if usual == 86_400 and int(index.day_of_week.max()) < 5:
        weekdays = np.busday_count(times[:-1].astype("datetime64[D]"), times[1:].astype("datetime64[D]"))
        return "business day", _between(weekdays > 5, n_rows)
    for low, high, name in ((28, 31, "month"), (89, 92, "quarter"), (365, 366, "year")):
        if low * 86_400 <= np.median(steps) <= high * 86_400:
            return name, _between(steps > high * 86_400, n_rows)
    if usual <= 0 or (steps != usual).mean() > IRREGULAR_FRACTION:
        return "irregular", ((0, n_rows),)
    return _STEPS.get(usual, f"{usual:,} seconds"), _between(steps > usual, n_rows)


def _between(is_gap: npt.NDArray[np.bool_], n_rows: int) -> tuple[RowRange, ...]:
    edges = [0, *(np.flatnonzero(is_gap) + 1).tolist(), n_rows]
    return tuple(pairwise(edges))


def _labels(values: npt.NDArray[np.float64], names: tuple[str, ...], horizon: int) -> npt.NDArray[np.float64]:
    """The label H rows ahead, standing at the row that forecasts it."""
    if len(names) != 1:
        raise ValueError(f"a binary task has one target, got {', '.join(names)}")
    other = values[(values != 0) & (values != 1)]
    if len(other):
        raise ValueError(
            f"a binary target holds 0 and 1 alone, {names[0]!r} holds {other[0]:g}; use TASK=regression"
        )
    labels = np.full_like(values, np.nan)
    labels[:-horizon] = values[horizon:]
    return labels


def _show(moment: np.datetime64) -> str:
    return str(pd.Timestamp(moment))


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
)
