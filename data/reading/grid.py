"""Rows at any times to rows at every step: the mean of each step's rows.

Legend: T rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..categories import Category
from .channels import Channels
from .formats import Times
from .steps import parse_step

_PERIODS = {"W": "W", "M": "M", "Q": "Q", "Y": "Y"}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Rows at every step.

    Attributes:
        times: The beginning of each step.
        codes: The number of each row's series, or None for one.
        channels: Their values, NaN where a step has no row.
        note: What was done, in a sentence.
    """

    times: Times
    codes: npt.NDArray[np.int32] | None
    channels: Channels
    note: str


def to_grid(times: Times, codes: npt.NDArray[np.int32] | None, channels: Channels, frequency: str) -> Grid:
    """Make one row of each step.

    Args:
        times: Increasing within a series, shape (T,).
        codes: The number of each row's series, ascending.
        channels: Their values.
        frequency: As the user gave it.

    Raises:
        ValueError: The frequency is none.
    """
    alias = parse_step(frequency)
    groups = np.zeros(len(times), np.int32) if codes is None else codes
    floor = _floor(times, alias)
    starts = np.flatnonzero(
        np.concatenate([[True], (np.diff(floor) != np.timedelta64(0)) | (np.diff(groups) != 0)])
    )
    every: list[Times] = []
    places, numbers = [], []
    for group in np.unique(groups):
        own = floor[starts][groups[starts] == group]
        steps = _steps(own, alias)
        places.append(np.searchsorted(steps, own) + sum(len(each) for each in every))
        every.append(steps)
        numbers.append(np.full(len(steps), group, dtype=np.int32))
    grid, place = np.concatenate(every), np.concatenate(places)
    lengths = np.diff(np.append(starts, len(times)))
    made = Channels(
        numbers={
            name: _place(_means(values, starts, lengths, name in channels.booleans), place, len(grid))
            for name, values in channels.numbers.items()
        },
        booleans=channels.booleans,
        categories={
            name: Category(
                name=name, values=each.values, codes=_codes(each.codes, starts, lengths, place, len(grid))
            )
            for name, each in channels.categories.items()
        },
        left_out=channels.left_out,
        sentinels=channels.sentinels,
        notes=channels.notes,
    )
    empty = len(grid) - len(starts)
    note = (
        f"{len(times):,} rows became {len(grid):,} steps of --frequency {frequency}: the mean of a step's "
        f"rows, the last of its texts; {empty:,} steps have no row."
    )
    return Grid(
        times=grid, codes=None if codes is None else np.concatenate(numbers), channels=made, note=note
    )


def _floor(times: Times, alias: str) -> Times:
    """The beginning of each time's step."""
    index = pd.DatetimeIndex(times)
    if alias.lstrip("0123456789") in ("h", "min", "s", "ms", "D"):
        return np.asarray(index.floor(alias), dtype="datetime64[ns]")
    if alias == "B":  # a weekend counts to its Friday
        fridays = np.busday_offset(times.astype("datetime64[D]"), 0, roll="backward")
        return np.asarray(fridays, dtype="datetime64[ns]")
    count = int(alias[: -len(alias.lstrip("0123456789"))] or 1) if alias[0].isdigit() else 1
    unit = alias.lstrip("0123456789")[0]
    if unit == "W":
        days = times.astype("datetime64[D]").astype(np.int64)
        length = 7 * count
        monday = days[0] - (days[0] + 3) % 7
        return np.asarray((days - (days - monday) % length).astype("datetime64[D]"), dtype="datetime64[ns]")
    count *= {"M": 1, "Q": 3, "Y": 12}[unit]
    months = times.astype("datetime64[M]").astype(np.int64)
    return np.asarray((months - months % count).astype("datetime64[M]"), dtype="datetime64[ns]")


def _steps(own: Times, alias: str) -> Times:
    """All steps from the first to the last."""
    return np.asarray(pd.date_range(own[0], own[-1], freq=alias), dtype="datetime64[ns]")


def _means(
    values: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    is_boolean: bool,
) -> npt.NDArray[np.float64]:
    if is_boolean:
        return np.asarray(values[starts + lengths - 1])
    known = ~np.isnan(values)
    counts = np.add.reduceat(known.astype(np.float64), starts)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts)
    return np.asarray(np.divide(sums, counts, out=np.full(len(starts), np.nan), where=counts > 0))


def _codes(
    codes: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    place: npt.NDArray[np.int64],
    n_steps: int,
) -> npt.NDArray[np.int32]:
    result = np.full(n_steps, -1, dtype=np.int32)
    result[place] = codes[starts + lengths - 1]
    return result


def _place(
    values: npt.NDArray[np.float64], place: npt.NDArray[np.int64], n_steps: int
) -> npt.NDArray[np.float64]:
    result = np.full(n_steps, np.nan)
    result[place] = values
    return result
