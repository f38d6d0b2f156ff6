"""When each row is: the columns that say so, found or given, and what becomes of clocks and zones.

Legend: T rows.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base import DataRequest
from .counts import Steps, is_counter, parse_numbers, sounds_like_time
from .formats import Moments, Times
from .parts import as_moments, find_clock, find_parts, from_parts, role_of, with_clock
from .source import Source
from .zones import to_utc

NONE = "none"
"""Given as the time: rows are counted."""
MAX_FOOTER = 10
"""So many rows at the end without a time that can be read are taken for a footer."""
_RESTARTING = ("ds", "t", "time", "step", "steps", "date", "timestamp", "datetime", "period", "ts", "epoch")
"""Columns of numbers of these names are times even where they start again, as in a file of several series."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """When each row is.

    Attributes:
        columns: The columns that say so; empty where rows are counted.
        times: In UTC where the zone is known, else as the file has them; counted rows are seconds since 1970.
        format: As strftime has it, or in words.
        counted: Whether rows are steps without a date.
        in_utc: Whether the zone is known.
        is_wall: Whether clocks may have been set forward and back.
        notes: What was decided, a sentence each.
    """

    columns: tuple[str, ...]
    times: Times
    format: str | None
    counted: bool
    in_utc: bool
    is_wall: bool
    notes: tuple[str, ...]


def find_timeline(source: Source, request: DataRequest) -> Timeline:
    """Find when each row is; rows of a footer leave the source.

    Raises:
        ValueError: A column given holds no times, or one cannot be read, or could be read in two ways.
    """
    given = request.time
    if given == (NONE,) and NONE not in source.names:
        return _row_numbers(source, ())
    found = _given(source, given, request.time_format) if given else _found(source, request)
    if found is None:
        note = "No column holds times: rows are taken as steps, in the order of the file."
        return _row_numbers(source, (note,))
    columns, moments = found
    if isinstance(moments, Steps):
        return Timeline(
            columns=columns,
            times=moments.values.astype("datetime64[s]").astype("datetime64[ns]"),
            format="steps",
            counted=True,
            in_utc=False,
            is_wall=False,
            notes=(),
        )
    moments = _without_footer(source, columns, moments)
    return _in_zone(columns, moments, request.time_zone)


def check_known(name: str, names: Sequence[str]) -> None:
    """Refuse a name of no column.

    Raises:
        ValueError: It is not among them; the nearest is named.
    """
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        shown = ", ".join(names[:50]) + (" ..." if len(names) > 50 else "")
        raise ValueError(f"there is no column {name!r}: {hint}columns: {shown}")


def _row_numbers(source: Source, notes: tuple[str, ...]) -> Timeline:
    return Timeline(
        columns=(),
        times=np.arange(1, source.n_rows + 1).astype("datetime64[s]").astype("datetime64[ns]"),
        format=None,
        counted=True,
        in_utc=False,
        is_wall=False,
        notes=notes,
    )


Found = tuple[tuple[str, ...], Moments | Steps]


def _given(source: Source, names: tuple[str, ...], form: str | None) -> Found:
    for name in names:
        check_known(name, source.names)
    if len(names) == 1:
        name = names[0]
        moments: Moments | Steps | None = as_moments(source, name, form)
        if moments is None and name in source.numbers:
            moments = parse_numbers(name, source.numbers[name], form)
        if moments is None:
            raise ValueError(
                f"column {name!r} holds no times that can be read{_example(source, name)}{_WAYS}"
            )
        return names, moments
    parts = {role: name for name in names if (role := role_of(name))}
    if len(parts) == len(names) and "year" in parts:
        return names, from_parts(source, parts)
    date = as_moments(source, names[0], form)
    both = None if date is None else with_clock(source, date, names[1:])
    if both is None:
        raise ValueError(
            f"columns {', '.join(names)} are no date and time of day, nor year, month, day and hour; "
            "give --time the columns that are"
        )
    return names, both


_WAYS = "; give another --time, its --time-format, or --time none to count rows"


def _example(source: Source, name: str) -> str:
    if name in source.texts:
        first = next((seen for seen in source.shapes[name].seen.values()), None)
        return f", its first value is {first.example!r}" if first else ""
    if name in source.numbers:
        return f", its first value is {source.numbers[name][0]:g}"
    return f", it {source.left_out[name]}" if name in source.left_out else ""


def _found(source: Source, request: DataRequest) -> Found | None:
    for name in source.names:
        if not (name in source.texts or name in source.moments):
            continue
        moments = as_moments(source, name, request.time_format)
        if moments is None:
            continue
        clock = () if _has_clock(moments) or _is_increasing(moments.values) else find_clock(source, name)
        both = with_clock(source, moments, clock) if clock else None
        return ((name, *clock), both) if both is not None else ((name,), moments)
    parts = find_parts(source)
    if parts and not set(parts.values()) & set(request.target):
        return tuple(parts.values()), from_parts(source, parts)
    numbers = [name for name in source.names if name in source.numbers and name not in request.target]
    for name in sorted(numbers, key=lambda name: not sounds_like_time(name)):
        found = _numbers_as_time(source, name, name == source.names[0], request.time_format)
        if found is not None:
            return (name,), found
    return None


def _numbers_as_time(source: Source, name: str, is_first: bool, form: str | None) -> Moments | Steps | None:
    """A column of numbers as times, if its name or its values say that it is one."""
    sounds = sounds_like_time(name)
    if not (sounds or is_first):
        return None
    values = source.numbers[name]
    read = parse_numbers(name, values, form)
    if read is None:
        return None
    increasing = _is_increasing(values)
    restarts = name.lower() in _RESTARTING and (values[1:] < values[:-1]).mean() < 0.3
    if isinstance(read, Moments):
        return read if increasing or restarts or (values[1:] <= values[:-1]).all() else None
    return read if is_counter(values) or (sounds and (increasing or restarts)) else None


def _is_increasing(values: npt.NDArray[Any]) -> bool:
    return bool((values[1:] > values[:-1]).all())


def _has_clock(moments: Moments) -> bool:
    return any(directive in moments.format for directive in ("%H", "%I", "timestamp", "epoch"))


def _without_footer(source: Source, columns: tuple[str, ...], moments: Moments) -> Moments:
    """Leave out the last rows, if they hold a text where the others hold a time; refuse any other gap."""
    missing = np.isnat(moments.values)
    if not missing.any():
        return moments
    n_last = int(np.argmin(missing[::-1]))
    name = columns[0]
    is_text = name in source.texts and all(
        value is not None for value in source.texts[name].slice(source.n_rows - n_last).to_pylist()
    )
    if n_last == missing.sum() and n_last <= MAX_FOOTER and is_text:
        first = source.texts[name][source.n_rows - n_last].as_py()
        source.keep(slice(0, source.n_rows - n_last))
        source.notes.append(f"{n_last} row{'s' * (n_last > 1)} at the end ({first[:40]!r}) left out.")
        return replace(moments.take(slice(0, source.n_rows)), odd=())
    row = int(np.argmax(missing))
    example = f" ({source.texts[name][row].as_py()!r})" if name in source.texts else ""
    raise ValueError(
        f"{missing.sum():,} times in {name!r} are missing or cannot be read, first in row {row + 1:,}"
        f"{example}; mend them, give --time-format, or --time none to count rows"
    )


def _in_zone(columns: tuple[str, ...], moments: Moments, zone: str | None) -> Timeline:
    notes, times, is_wall = list(moments.notes), moments.values, not moments.in_utc
    in_utc = moments.in_utc
    days = _all_midnight(moments.wall if moments.wall is not None else times)
    if moments.wall is not None and days and not _all_midnight(times):
        times, in_utc = moments.wall, False
        notes.append("Midnights of a local clock are taken as days.")
    elif moments.wall is not None and not np.array_equal(moments.wall, times):
        notes.append("Offsets are turned to UTC.")
    elif zone is not None and not in_utc and not days:
        times, in_utc, is_wall = to_utc(columns[0], times, zone), True, False
        notes.append(f"Clock times of {zone} are turned to UTC.")
    elif zone is not None:
        notes.append(
            f"The time zone {zone} changes nothing: " + ("days have none." if days else "these are UTC.")
        )
    return Timeline(
        columns=columns,
        times=times,
        format=moments.format,
        counted=False,
        in_utc=in_utc,
        is_wall=is_wall and not days,
        notes=tuple(notes),
    )


def _all_midnight(times: Times) -> bool:
    return bool((times == times.astype("datetime64[D]")).all())
