"""Days of years and what divides them: months, quarters, half years, ISO weeks, days of the year.

Legend: T rows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

FIRST_YEAR, LAST_YEAR = 1678, 2261
"""The whole years that nanoseconds since 1970 can hold."""


def days_of(
    parts: Mapping[str, npt.NDArray[Any]],
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.bool_]]:
    """The day that some numbers name, the first of a month or a week where they name no day.

    Args:
        parts: By letter, each (T,): y year; m month and d day, or q quarter, h half year, j day of the year,
            or w ISO week and u day of the week.

    Returns:
        The days, (T,), and whether there are such days.
    """
    year = parts["y"].astype(np.int64)
    in_range = (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    start = (np.where(in_range, year, 1970) - 1970).astype("datetime64[Y]")
    january = start.astype("datetime64[D]")
    if "w" in parts:
        fourth = january + 3  # 4 January is in the first week
        monday = fourth - (fourth.astype(np.int64) + 3) % 7
        days = monday + 7 * (parts["w"].astype(np.int64) - 1) + (parts["u"] - 1 if "u" in parts else 0)
        thursday = days - (days.astype(np.int64) + 3) % 7 + 3
        exists = (thursday.astype("datetime64[Y]") == start) & _within(parts.get("u"), 7)
    elif "j" in parts:
        days = january + (parts["j"].astype(np.int64) - 1)
        exists = days.astype("datetime64[Y]") == start
    else:
        month, most = _month(parts)
        months = start.astype("datetime64[M]") + (month - 1)
        days = months.astype("datetime64[D]")
        if "d" in parts:
            days = days + (parts["d"].astype(np.int64) - 1)
        exists = (days.astype("datetime64[M]") == months) & (month >= 1) & (month <= most)
    return days, exists & in_range


def centuries(years: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Years of two digits with a century, the most likely one first."""
    return [years + np.where(years < PIVOT, 2000, 1900), years + 1900, years + 2000]


PIVOT = 40
"""Years of two digits are 1940 to 2039, unless only another century makes the rows increase."""


def _month(parts: Mapping[str, npt.NDArray[Any]]) -> tuple[npt.NDArray[np.int64], int]:
    """The month, and the last one there can be."""
    if "q" in parts:
        return parts["q"].astype(np.int64) * 3 - 2, 10
    if "h" in parts:
        return parts["h"].astype(np.int64) * 6 - 5, 7
    if "m" in parts:
        return parts["m"].astype(np.int64), 12
    return np.ones(len(parts["y"]), dtype=np.int64), 1


def _within(values: npt.NDArray[Any] | None, most: int) -> npt.NDArray[np.bool_] | bool:
    return True if values is None else (values >= 1) & (values <= most)
