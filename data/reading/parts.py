"""A time that stands in several columns: date and time of day, or year, month, day and hour.

Legend: T rows.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .counts import parse_numbers
from .days import centuries, days_of
from .fields import parse_clocks
from .formats import Moments, Times, parse_texts
from .layouts import clock_of, layouts_of
from .source import Source, codes_of
from .words import MONTHS

_WORDS = {
    "year": "year yr yyyy jahr año ano annee année anno jaar rok",
    "month": "month mon mo mnth monat mes mois mese maand",
    "quarter": "quarter qtr quartal trimestre",
    "week": "week wk isoweek woche semana semaine weeknumber weekofyear kw",
    "yearday": "dayofyear doy yday julianday",
    "day": "day dayofmonth mday dom tag dia día jour giorno dag",
    "hour": "hour hr hh stunde hora heure ora uur hours",
    "minute": "minute minuto",
    "second": "second sec sekunde segundo seconde",
}
ROLES = {word: role for role, words in _WORDS.items() for word in words.split()}
"""Names of columns that hold a part of a date, to the part."""
_LETTERS = {"year": "y", "month": "m", "quarter": "q", "week": "w", "yearday": "j", "day": "d"}
_CLOCK_ROLES = ("hour", "minute", "second")
_FORMATS = {"year": "%Y", "month": "%m", "quarter": "Q%q", "week": "W%V", "yearday": "%j", "day": "%d"}
_FORMATS |= {"hour": "%H", "minute": "%M", "second": "%S"}


def role_of(name: str) -> str | None:
    """The part of a date that a column's name says it holds."""
    return ROLES.get(re.sub(r"[\W_]", "", name).lower())


def find_parts(source: Source) -> dict[str, str]:
    """Columns that together are a date: a year and what divides it. Empty where there are none."""
    found: dict[str, str] = {}
    for name in source.names:
        role = role_of(name)
        if role and role not in found and (name in source.numbers or name in source.texts):
            found[role] = name
    below = [role for role in ("month", "yearday", "week", "quarter") if role in found]
    if "year" not in found or not below:
        return {}
    used = ["year", below[0]]
    if below[0] == "month" and "day" in found:
        used += ["day"]
    if used[-1] in ("day", "yearday"):
        used += [role for role in _CLOCK_ROLES if role in found]
        if "hour" not in used:
            used = [role for role in used if role not in _CLOCK_ROLES]
    return {role: found[role] for role in used}


def find_clock(source: Source, date: str) -> list[str]:
    """Columns of the time of day beside a date: a text such as 18:30, or an hour, perhaps with minutes."""
    for name in source.texts:
        if name != date and _is_clock(source, name):
            return [name]
    hour = [name for name in source.numbers if role_of(name) == "hour"]
    if not hour:
        return []
    rest = [n for role in ("minute", "second") for n in source.numbers if role_of(n) == role]
    return [hour[0], *rest]


def from_parts(source: Source, parts: Mapping[str, str]) -> Moments:
    """Times of columns that hold year, month and so on.

    Raises:
        ValueError: A value is none of its part.
    """
    values = {role: _numbers(source, role, name) for role, name in parts.items()}
    missing = np.any([np.isnan(value) for value in values.values()], axis=0)
    whole = {role: np.where(missing, 1, value).astype(np.int64) for role, value in values.items()}
    numbers = {_LETTERS[role]: value for role, value in whole.items() if role in _LETTERS}
    if numbers["y"][~missing].max(initial=0) < 100:
        numbers["y"] = centuries(numbers["y"])[0]
    days, exists = days_of(numbers)
    wrong = ~exists
    if (wrong & ~missing).any():
        row = int(np.argmax(wrong & ~missing))
        shown = ", ".join(f"{name} {values[role][row]:g}" for role, name in parts.items())
        raise ValueError(f"there is no such day in row {row + 1:,}: {shown}; give --time")
    times: Times = np.add(days.astype("datetime64[ns]"), _clock(whole))
    times[missing] = np.datetime64("NaT")
    form = " ".join(_FORMATS[role] for role in parts)
    return Moments(values=times, format=form, notes=_hour_notes(parts, whole))


def with_clock(source: Source, date: Moments, clock: Sequence[str]) -> Moments | None:
    """A date and the columns of its time of day; None if these are none."""
    if clock[0] in source.texts:
        read = parse_clocks(source.texts[clock[0]], source.shapes[clock[0]])
        if read is None:
            return None
        nanos, form = read
        return Moments(
            values=date.values + nanos, format=f"{date.format} {form}", odd=date.odd, notes=date.notes
        )
    parts = {role: name for name in clock if (role := role_of(name))} or {"hour": clock[0]}
    values = {role: _numbers(source, role, name) for role, name in parts.items()}
    missing = np.any([np.isnan(value) for value in values.values()], axis=0)
    whole = {role: np.where(missing, 0, value).astype(np.int64) for role, value in values.items()}
    hours = whole["hour"]
    as_digits = hours.max() > 24 and hours.max() <= 2400 and (hours % 100 < 60).all()
    if as_digits:  # 1830 is half past six
        whole = {"hour": hours // 100, "minute": hours % 100}
    if whole["hour"].min() < 0 or whole["hour"].max() > 24:
        return None
    times: Times = date.values + _clock(whole)
    times[missing] = np.datetime64("NaT")
    form = "%H%M" if as_digits else " ".join(_FORMATS[role] for role in parts)
    notes = (*date.notes, *_hour_notes(parts, whole))
    return Moments(values=times, format=f"{date.format} {form}", odd=date.odd, notes=notes)


def as_moments(source: Source, name: str, given: str | None) -> Moments | None:
    """One column as times; None if it holds none that say when."""
    if name in source.moments:
        return source.moments[name]
    if name in source.texts:
        texts = source.texts[name]
        texts = texts.cast(pa.string()) if pa.types.is_dictionary(texts.type) else texts
        return parse_texts(name, texts, source.shapes[name], given)
    if name in source.numbers:
        read = parse_numbers(name, source.numbers[name], given)
        return read if isinstance(read, Moments) else None
    return None


def _is_clock(source: Source, name: str) -> bool:
    shapes = source.shapes[name]
    count = sum(seen.count for shape, seen in shapes.seen.items() if clock_of(shape))
    dates = sum(seen.count for shape, seen in shapes.seen.items() if "Y" in str(layouts_of(shape)))
    return count >= 0.9 * shapes.count and not dates


def _numbers(source: Source, role: str, name: str) -> npt.NDArray[np.float64]:
    """A part's numbers; of months, names too, and of quarters and weeks, numbers with a mark."""
    if name in source.numbers:
        return source.numbers[name].astype(np.float64)
    codes, words = codes_of(source.texts[name])
    table = np.array([*(_number(role, word) for word in words), np.nan])
    return np.asarray(table[codes])


def _number(role: str, word: str | None) -> float:
    text = (word or "").strip().lower()
    if role == "month" and text in MONTHS:
        return float(MONTHS[text])
    digits = re.fullmatch(r"[a-z]{0,2}(\d+)", text)
    return float(digits[1]) if digits else np.nan


def _clock(whole: Mapping[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.timedelta64]:
    zero = np.int64(0)
    hour, minute, second = (whole.get(role, zero) for role in _CLOCK_ROLES)
    return np.asarray((hour * 60 + minute) * 60 + second).astype("timedelta64[s]")


def _hour_notes(parts: Mapping[str, str], whole: Mapping[str, npt.NDArray[np.int64]]) -> tuple[str, ...]:
    if "hour" in whole and whole["hour"].max() == 24:
        return (f"Hours in {parts['hour']} go to 24, which is taken as midnight of the next day.",)
    return ()
