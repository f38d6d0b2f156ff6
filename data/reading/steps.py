"""The usual step between rows, in words, and where it breaks.

Legend: T rows.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..base import RowRange

Times = npt.NDArray[np.datetime64]

IRREGULAR_FRACTION = 0.05
"""With more steps than this of another length than the usual, a series has no regular step."""
IRREGULAR = "irregular"
STEP = "step"
"""The name of rows that are counted and have no time."""

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
UNITS = {
    "week": 7 * _DAY,
    "day": _DAY,
    "hour": 3600 * _SECOND,
    "minute": 60 * _SECOND,
    "second": _SECOND,
    "millisecond": 1_000_000,
    "microsecond": 1_000,
    "nanosecond": 1,
}
"""Nanoseconds of each unit that has always as many, the longest first."""
MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""Months of each unit that is made of them."""
_SHORT = {
    "w": "week", "d": "day", "h": "hour", "min": "minute", "t": "minute", "s": "second", "ms": "millisecond",
    "m": "month", "ms ": "month", "me": "month", "q": "quarter", "qs": "quarter", "qe": "quarter",
    "y": "year", "ys": "year", "ye": "year", "a": "year", "b": "business day",
    "hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter",
    "yearly": "year",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Step:
    """The usual step.

    Attributes:
        name: Such as "hour", "15 minutes", "business day", "month", or "irregular".
        breaks: Which steps are of another length, shape (T - 1,); none in an irregular series.
        n_odd: How many are, in an irregular series too.
    """

    name: str
    breaks: npt.NDArray[np.bool_]
    n_odd: int


def usual_step(times: Times, between_groups: npt.NDArray[np.bool_] | None = None) -> Step:
    """Find the usual step. Weekends are no break in a series of business days.

    Args:
        times: Strictly increasing within a group, shape (T,).
        between_groups: Steps from one group to the next, which do not count, shape (T - 1,).
    """
    nanos = times.astype("datetime64[ns]").astype(np.int64)
    apart = np.diff(nanos)
    inside = np.ones(len(apart), dtype=bool) if between_groups is None else ~between_groups
    n_inside = int(inside.sum())
    if n_inside < 2:
        return Step(name=IRREGULAR, breaks=~inside, n_odd=0)
    lengths, counts = np.unique(apart[inside], return_counts=True)
    usual = int(lengths[np.argmax(counts)])
    odd = apart != usual
    name = _name(usual)
    if int(np.median(apart[inside])) >= 28 * _DAY and not (
        counts.max() >= 0.95 * n_inside and usual % (7 * _DAY) == 0
    ):
        months = np.diff(times.astype("datetime64[M]").astype(np.int64))
        usual_months = int(np.bincount(np.maximum(months[inside], 0)).argmax())
        if usual_months > 0:
            odd, name = months != usual_months, _name_months(usual_months)
    elif usual == _DAY and _only_weekdays(times) and (apart[inside] == 3 * _DAY).any():
        days = times.astype("datetime64[D]")
        odd, name = np.busday_count(days[:-1], days[1:]) != 1, "business day"
    odd &= inside
    n_odd = int(odd.sum())
    if n_odd > IRREGULAR_FRACTION * n_inside or usual <= 0:
        return Step(name=IRREGULAR, breaks=~inside, n_odd=n_odd)
    return Step(name=name, breaks=odd | ~inside, n_odd=n_odd)


def segments(breaks: npt.NDArray[np.bool_]) -> tuple[RowRange, ...]:
    """The row ranges between breaks."""
    edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(breaks) + 1]
    return tuple(pairwise(edges))


def parse_step(text: str) -> str:
    """The pandas alias of a step given as "hour", "15 minutes", "15min", "business day" or "month".

    Raises:
        ValueError: It is none.
    """
    match = re.fullmatch(r"\s*(\d*)\s*([a-zA-Z]+(?: day)?s?)\s*", text)
    unit = match and (_SHORT.get(match[2].lower()) or match[2].lower().removesuffix("s"))
    aliases = {
        "week": "W-MON", "day": "D", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms",
        "month": "MS", "quarter": "QS", "year": "YS", "business day": "B",
    }  # fmt: skip
    if not match or unit not in aliases or match[1] == "0":
        raise ValueError(
            "--frequency must be such as hour, '15 minutes', 15min, day, 'business day', week or month; "
            f"got {text!r}"
        )
    return f"{match[1]}{aliases[unit]}"


def _only_weekdays(times: Times) -> bool:
    return int(pd.DatetimeIndex(times).day_of_week.max()) < 5


def _name(nanos: int) -> str:
    for unit, length in UNITS.items():
        if nanos >= length and nanos % length == 0:
            count = nanos // length
            return unit if count == 1 else f"{count:,} {unit}s"
    return IRREGULAR


def _name_months(months: int) -> str:
    for unit in ("year", "quarter", "month"):
        if months == MONTHS[unit]:
            return unit
    years, rest = divmod(months, 12)
    return f"{months} months" if rest else f"{years} years"
