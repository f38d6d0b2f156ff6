"""From a frequency in words back to times: the next ones, and where rows do not follow one another.

Legend: T rows.
"""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from .steps import MONTHS, STEP, UNITS, Times

_FIXED = {**UNITS, "ms": UNITS["millisecond"], STEP: UNITS["second"]}
_BUSINESS = "business day"


def breaks_of(times: Times, frequency: str) -> npt.NDArray[np.bool_]:
    """Which steps between rows are not the frequency's, shape (T - 1,); none where it has no step.

    Args:
        times: Increasing, shape (T,).
        frequency: In the words of :func:`hpo.data.reading.steps.usual_step`.
    """
    count, unit = _parse(frequency)
    if unit in _FIXED:
        return np.asarray(np.diff(times) != np.timedelta64(count * _FIXED[unit], "ns"))
    if unit in MONTHS:
        months = np.diff(times.astype("datetime64[M]").astype(np.int64))
        return np.asarray(months != count * MONTHS[unit])
    if unit == _BUSINESS:
        days = times.astype("datetime64[D]")
        return np.asarray(np.busday_count(days[:-1], days[1:]) != count)
    return np.zeros(max(len(times) - 1, 0), dtype=bool)


def next_times(times: Times, frequency: str, n_steps: int) -> Times:
    """The times of the next rows, shape (n_steps,), after the last of some; NaT where there is no step.

    Months keep their day; where all times are last days of months, so are the next ones. Business days know
    weekends and no holidays.

    Args:
        times: At least one, increasing; the last is the one to go on from.
        frequency: As :func:`breaks_of`.
        n_steps: How many.
    """
    last, ahead = times[-1], np.arange(1, n_steps + 1)
    count, unit = _parse(frequency)
    if unit in _FIXED:
        step = np.timedelta64(count * _FIXED[unit], "ns")
        return np.asarray(last + ahead * step, dtype="datetime64[ns]")
    if unit in MONTHS:
        months = [count * MONTHS[unit] * int(n) for n in ahead]
        start = pd.Timestamp(last)
        if pd.DatetimeIndex(times).is_month_end.all():
            moments = [start + pd.offsets.MonthEnd(n) for n in months]
        else:
            moments = [start + pd.DateOffset(months=n) for n in months]
        return np.array([moment.to_datetime64() for moment in moments], dtype="datetime64[ns]")
    if unit == _BUSINESS:
        day = last.astype("datetime64[D]")
        days = np.busday_offset(day, count * ahead, roll="backward")
        return np.asarray(days.astype("datetime64[ns]") + (last - day), dtype="datetime64[ns]")
    return np.full(n_steps, np.datetime64("NaT"), dtype="datetime64[ns]")


def _parse(frequency: str) -> tuple[int, str]:
    """How many of which unit."""
    match = re.fullmatch(r"(?:([\d,]+) )?(.*)", frequency)
    assert match is not None
    unit = match[2] if match[2] in (*_FIXED, *MONTHS, _BUSINESS) else match[2].removesuffix("s")
    return int((match[1] or "1").replace(",", "")), unit
