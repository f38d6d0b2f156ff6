"""Columns of numbers that are times: seconds since 1970, calendar numbers such as 20240131, years, or steps.

Legend: T rows.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .days import FIRST_YEAR, LAST_YEAR
from .formats import Moments, Times, parse_texts
from .shapes import Shapes

EPOCHS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""Units since 1970 in a second."""
EXCEL = "excel days"
STEPS = "steps"
YEAR_FRACTION = "decimal years"
_ALIASES = {
    "s": "seconds", "sec": "seconds", "second": "seconds", "unix": "seconds", "ms": "milliseconds",
    "us": "microseconds", "ns": "nanoseconds", "step": STEPS, "excel": EXCEL, "excel day": EXCEL,
    "decimal year": YEAR_FRACTION, "years": YEAR_FRACTION,
}  # fmt: skip
_FIRST_SECOND, _LAST_SECOND = 10**8, 5 * 10**9  # 1973 to 2128: an epoch's unit shows in its size
_CALENDAR = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_EXCEL_DAYS = (14_611, 73_415)  # 1940 to 2100
_EXCEL_ZERO = np.datetime64("1899-12-30", "ns")
NAMES = re.compile(
    r"(date|time|day|month|week|year|step|period|index|epoch|unix|ts|ds|dt|t|idx|no|nr|id|hour|minute|second"
    r"|datum|zeit|zeitstempel|fecha|hora|tiempo|data|jour|heure|temps|jahr|año|ano|année|anno|monat|mes|mois"
    r"|时间|日期|дата|время|日時|日付)s?",
    re.IGNORECASE,
)
"""Words in the names of columns that hold times."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A column that counts rows without saying when they are, or no column at all."""

    values: npt.NDArray[np.int64]


def unit_of(given: str | None) -> str | None:
    """The way to read numbers that the user names as a format; None if it is another format."""
    if given is None:
        return None
    word = given.lower().removeprefix("epoch").strip()
    word = _ALIASES.get(word, word)
    return word if word in (*EPOCHS, EXCEL, STEPS, YEAR_FRACTION) else None


def sounds_like_time(name: str) -> bool:
    """Whether a column's name has a word for time in it."""
    words = re.split(r"[\W_\d]+|(?<=[a-z])(?=[A-Z])", name)
    return any(NAMES.fullmatch(word) for word in words if word)


def parse_numbers(name: str, values: npt.NDArray[Any], given: str | None) -> Moments | Steps | None:
    """A column of numbers as times; None if it holds none.

    Args:
        name: Of the column.
        values: Integers, or floats of which some may be missing, shape (T,).
        given: The format that the user gave.

    Raises:
        ValueError: They are not what the user says.
    """
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return None
    whole = bool((known == np.round(known)).all()) and np.abs(known).max() < 2**63
    unit = unit_of(given)
    if unit is None and given is not None:
        return _calendar(name, values, given) if whole else None
    if unit is None:
        unit = _unit(name, known, whole)
    if unit in EPOCHS:
        return Moments(values=_epoch(values, EPOCHS[unit]), format=f"epoch {unit}", in_utc=True)
    if unit == EXCEL:
        return Moments(values=_excel(values), format=EXCEL, notes=("Days are counted as Excel does.",))
    if unit == YEAR_FRACTION:
        return _years(values)
    if unit == STEPS:
        return Steps(values=values.astype(np.int64)) if whole and len(known) == len(values) else None
    return None if unit is None else _calendar(name, values, None)


def _unit(name: str, known: npt.NDArray[Any], whole: bool) -> str | None:
    low, high = float(known.min()), float(known.max())
    if whole and (_is_calendar(known) or _is_day_first(known)):
        return "calendar"
    for unit, factor in EPOCHS.items():
        if low >= _FIRST_SECOND * factor and high <= _LAST_SECOND * factor:
            return unit
    if low >= FIRST_YEAR and high <= LAST_YEAR and not (whole and _counts_steps(name)):
        return YEAR_FRACTION
    if low >= _EXCEL_DAYS[0] and high <= _EXCEL_DAYS[1] and re.search(_DATES, name):
        return EXCEL
    return STEPS if whole else None


_DATES = re.compile(r"dat|time|fecha|zeit|дата|日", re.IGNORECASE)


def _counts_steps(name: str) -> bool:
    return bool(re.fullmatch(r"t|step|steps|index|idx|id|no|nr|unnamed: \d+", name, re.IGNORECASE))


def _is_calendar(known: npt.NDArray[Any]) -> bool:
    """Whether all are such as 20240131, with a month and a day that exist."""
    size = len(str(int(known.max())))
    if size not in _CALENDAR or len(str(int(known.min()))) != size:
        return False
    rest = known.astype(np.int64)
    for unit, (low, high) in {14: (0, 59), 12: (0, 59), 10: (0, 23), 8: (1, 31), 6: (1, 12)}.items():
        if size >= unit:
            part, rest = rest % 100, rest // 100
            if part.min() < low or part.max() > high:
                return False
    return bool(rest.min() >= 1800 and rest.max() <= 2200)


def _is_day_first(known: npt.NDArray[Any]) -> bool:
    """Whether all are such as 31012024 or 1022024, or with the month first."""
    numbers = known.astype(np.int64)
    year, first, second = numbers % 10_000, numbers // 1_000_000, numbers // 10_000 % 100
    days = (
        (first >= 1) & (second >= 1) & (np.maximum(first, second) <= 31) & (np.minimum(first, second) <= 12)
    )
    return bool(days.all() and year.min() >= 1800 and year.max() <= 2200)


def _calendar(name: str, values: npt.NDArray[Any], given: str | None) -> Moments | None:
    """Numbers such as 20240131, or 1022024 for the first of February, as texts of their digits."""
    numbers = pa.array(values, from_pandas=True).cast(pa.int64())
    texts = numbers.cast(pa.string())
    longest = pc.max(pc.utf8_length(texts)).as_py()
    texts = pc.utf8_lpad(texts, longest + longest % 2, "0")
    shapes = Shapes()
    shapes.add(pc.fill_null(texts, ""), 0)
    kept, _ = shapes.split(frozenset({""}))
    form = _CALENDAR.get(longest) if given is None else given
    return parse_texts(name, pa.chunked_array([texts]), kept, None if longest in (7, 8) else form)


def _epoch(values: npt.NDArray[Any], factor: int) -> Times:
    step = 10**9 // factor
    if values.dtype.kind == "i":
        nanos = values.astype(np.int64) * step
        return nanos.astype("datetime64[ns]")
    missing = np.isnan(values)
    whole = np.floor(np.where(missing, 0, values))
    rest = np.round((np.where(missing, 0, values) - whole) * step)
    times = (whole.astype(np.int64) * step + rest.astype(np.int64)).astype("datetime64[ns]")
    times[missing] = np.datetime64("NaT")
    return times


def _excel(values: npt.NDArray[Any]) -> Times:
    """Days since 1899-12-30, to the second."""
    missing = np.isnan(values)
    seconds = np.round(np.where(missing, 0, values).astype(np.float64) * 86_400).astype(np.int64)
    times = _EXCEL_ZERO + seconds.astype("timedelta64[s]")
    times[missing] = np.datetime64("NaT")
    return times.astype("datetime64[ns]")


def _years(values: npt.NDArray[Any]) -> Moments:
    """Years, or years with a fraction: of months where each falls at the same place in its month."""
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers)
    known = np.where(missing, 1970.0, numbers)
    if (known == np.round(known)).all():
        times = (known.astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[ns]")
        form = "%Y"
    else:
        form = YEAR_FRACTION
        months = (known - 1970) * 12
        places = (months[~missing] + _MONTH_SLACK) % 1
        if places.max() - places.min() <= 2 * _MONTH_SLACK:
            index = np.floor(months + _MONTH_SLACK).astype(np.int64)
            times = index.astype("datetime64[M]").astype("datetime64[ns]")
        else:
            start = np.floor(known).astype(np.int64) - 1970
            year = start.astype("datetime64[Y]").astype("datetime64[s]")
            length = (start + 1).astype("datetime64[Y]").astype("datetime64[s]") - year
            seconds = np.round((known % 1) * length.astype(np.int64) / 3600).astype(np.int64) * 3600
            times = (year + seconds.astype("timedelta64[s]")).astype("datetime64[ns]")
    times[missing] = np.datetime64("NaT")
    return Moments(values=times, format=form)


_MONTH_SLACK = 0.08
"""Of a month: what a year with two decimals may be off."""


def is_counter(values: npt.NDArray[Any]) -> bool:
    """Whether integers count up by one and the same step."""
    if values.dtype.kind != "i" or len(values) < 3:
        return False
    steps = np.diff(values)
    return bool(steps[0] > 0 and (steps == steps[0]).all())
