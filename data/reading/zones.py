"""Wall clocks that are set forward and back, to UTC.

Legend: T rows.
"""

import difflib
import zoneinfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from .formats import Times

_HOUR = np.timedelta64(1, "h")
_CHANGES_IN = (2, 3, 4, 9, 10, 11)
"""Months in which clocks are set back somewhere."""
_LIKELY = (
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Europe/Athens",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "America/Santiago",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Africa/Cairo",
    "America/Havana",
    "Australia/Lord_Howe",
)
"""One zone for each rule of setting clocks back."""


def to_utc(name: str, wall: Times, zone: str) -> Times:
    """A wall clock in UTC. Of an hour that comes twice, the first is the one before the clock is set back.

    Args:
        name: Of the column, for messages.
        wall: In the order of the file, shape (T,), NaT where one is missing.
        zone: Such as "Europe/Berlin".

    Raises:
        ValueError: There is no such zone, or a time does not exist in it.
    """
    _check_zone(zone)
    descending = _steps(wall, np.less) > _steps(wall, np.greater)
    times = wall[::-1] if descending else wall
    index = pd.DatetimeIndex(times)
    first = _localize(index, zone, True)
    second = _localize(index, zone, False)
    lost = np.isnat(first) & ~np.isnat(times)
    if lost.any():
        row = int(np.argmax(lost))
        raise ValueError(
            f"{pd.Timestamp(times[row])} in {name!r} does not exist in {zone}, where clocks are set forward "
            "over it; give another --time-zone, or none"
        )
    result = first.copy()
    twice = np.flatnonzero((first != second) & ~np.isnat(first))
    for run in np.split(twice, np.flatnonzero(np.diff(twice) > 1) + 1):
        if len(run):
            _settle(result, times, first, second, run)
    return result[::-1] if descending else result


def _settle(result: Times, wall: Times, first: Times, second: Times, run: npt.NDArray[np.int64]) -> None:
    """Which of two hours the rows of one night are in."""
    back = np.flatnonzero(wall[run[1:]] <= wall[run[:-1]])
    if len(back):
        late = run[back[0] + 1 :]
        result[late] = second[late]
        return
    start = int(run[0])
    if start > 1 and second[start] - result[start - 1] == result[start - 1] - result[start - 2]:
        result[run] = second[run]
    else:
        result[run] = first[run]


def likely_zone(wall: Times) -> str | None:
    """A zone in which rows that go back are an hour that comes twice; None where they are something else.

    Args:
        wall: In the order of the file, without NaT.
    """
    back = np.flatnonzero(wall[1:] <= wall[:-1])
    if len(back) == 0 or len(back) > 3 + len(wall) // 100:
        return None
    by = wall[back] - wall[back + 1]
    months = pd.DatetimeIndex(wall[back]).month
    if (by > 2 * _HOUR).any() or not np.isin(months, _CHANGES_IN).all():
        return None
    near = np.zeros(len(wall), dtype=bool)
    for row in back:
        near[max(0, row - 50) : row + 50] = True
    for zone in _LIKELY:
        try:
            times = to_utc("", wall[near], zone)
        except ValueError:
            continue
        if (np.diff(times) > np.timedelta64(0)).all():
            return zone
    return None


def _check_zone(zone: str) -> None:
    known = zoneinfo.available_timezones()
    if zone not in known:
        near = difflib.get_close_matches(zone, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(
            f"there is no time zone {zone!r}: {hint}write it as Europe/Berlin or America/New_York"
        )


def _localize(index: pd.DatetimeIndex, zone: str, is_summer: bool) -> Times:
    ambiguous = np.full(len(index), is_summer)
    local = index.tz_localize(zone, ambiguous=ambiguous, nonexistent="NaT")
    return local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ns]")


def _steps(times: Times, compare: np.ufunc) -> int:
    return int(compare(times[1:], times[:-1]).sum())
