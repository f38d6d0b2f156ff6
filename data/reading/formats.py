"""One time format for a whole column of text, found from all its rows.

Where the order of day and month is open, every row has its say: a first number above 12 settles it, else the
order that makes the rows increase by a regular step. Where that is open too, the column is refused.

Legend: T rows.
"""

import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from .days import centuries, days_of
from .fields import Fields, extract, render
from .layouts import Layout, layouts_of
from .shapes import Seen, Shapes
from .steps import usual_step

Times = npt.NDArray[np.datetime64]
Numbers = npt.NDArray[np.int64]

LEAST = 0.5
"""A column of which fewer texts are times is none."""

ORDERS: dict[str, tuple[str, ...]] = {
    "Y##": ("ymd", "ydm"),
    "##Y": ("dmy", "mdy"),
    "###": ("dmy", "mdy", "ymd"),
    "Y#": ("ym", "yq", "yw"),
    "#Y": ("my", "qy", "wy"),
    "##": ("ym", "my"),
    "#NY": ("dy",),
    "#N#": ("dy", "yd"),
    "N#Y": ("dy",),
    "N##": ("dy",),
    "YN#": ("yd",),
    "Y#N": ("yd",),
    **dict.fromkeys(("NY", "YN", "N#", "#N"), ("y",)),
    "YQ#": ("yq",),
    **dict.fromkeys(("Q#Y", "#QY", "#Q#", "Q##"), ("qy",)),
    "YW#": ("yw",),
    "YW##": ("ywu",),
    "W#Y": ("wy",),
    "YH#": ("yh",),
    "H#Y": ("hy",),
    "YJ": ("yj",),
}
"""What a family's numbers may be: year, month, day, quarter, week, weekday (u), half year, day of year (j).

Where the year comes first, the month comes next if that fits: so no text of ISO 8601 is ambiguous.
"""
_LONG = {"###": "##Y", "#N#": "#NY", "N##": "N#Y", "N#": "NY", "#N": "YN"}
"""Families with a year of two digits, and the one of four that may stand in the same column."""
_YEARLESS = ("##", "N#", "#N")
"""Families that may as well be a month and a day without a year."""
_PREFERRED = ("Y#", "#Y", "##", "#N#")
"""Families whose first order is the usual one."""
_SLICE = 1 << 16
_CLEARLY = 3
"""An order is taken over another if its series has so many times fewer odd steps."""
_EXAMPLES = "'%d/%m/%Y %H:%M', seconds or milliseconds (since 1970), or steps"


@dataclass(frozen=True, kw_only=True)
class Moments:
    """A column of times.

    Attributes:
        values: NaT where one is missing or unreadable, shape (T,): UTC where the texts have offsets, else the
            wall clock.
        format: As strftime has it, with %q for quarters.
        in_utc: Whether the texts have offsets.
        wall: The wall clock beside UTC, where the texts have offsets.
        odd: Shapes that could not be read.
        notes: What was decided, a sentence each.
    """

    values: Times
    format: str
    in_utc: bool = False
    wall: Times | None = None
    odd: tuple[Seen, ...] = ()
    notes: tuple[str, ...] = ()

    def take(self, rows: slice | npt.NDArray[np.int64]) -> "Moments":
        """Some rows."""
        return replace(self, values=self.values[rows], wall=None if self.wall is None else self.wall[rows])


def parse_texts(name: str, texts: pa.ChunkedArray, shapes: Shapes, given: str | None) -> Moments | None:
    """A column of text as times; None if it holds none.

    Args:
        name: Of the column, for messages.
        texts: The column, null where a value is missing.
        shapes: Of its texts, without those that are missing.
        given: The format that the user gave.

    Raises:
        ValueError: Dates are written in two orders, or in one that nothing tells, or not as the user says.
    """
    if shapes.is_free_text or not shapes.seen:
        return None
    families = {shape: {way.family: way for way in layouts_of(shape)} for shape in shapes}
    if given is None:
        wanted = {family: ORDERS[family] for family in _common_families(shapes, families)}
    else:
        wanted = _as_given(shapes, families, given)
    for family, orders in wanted.items():
        _check_one_order(name, shapes, families, family)
        layouts = {shape: way for shape in shapes if (way := _way(families[shape], family))}
        fields = extract(texts, layouts)
        fits = {order: times for order in orders if (times := _assemble(fields, family, order)) is not None}
        if fits:
            most = max(layouts, key=lambda shape: shapes.seen[shape].count)
            order = _choose(name, family, fits, layouts[most], shapes.seen[most].example)
            return None if order is None else _moments(name, shapes, layouts, fields, fits[order], order)
    return None if given is None else _strptime(name, texts, given)


def _common_families(shapes: Shapes, families: Mapping[str, Mapping[str, Layout]]) -> list[str]:
    """The families that most texts can be of; several where digits alone can be cut in two ways."""
    counts: dict[str, int] = {}
    for shape, seen in shapes.seen.items():
        for family in families[shape]:
            counts[family] = counts.get(family, 0) + seen.count
    for short, long in _LONG.items():
        if long in counts and short in counts:
            counts[long] += counts.pop(short)
    most = max(counts.values(), default=0)
    return [family for family, count in counts.items() if count == most >= LEAST * shapes.count]


def _way(ways: Mapping[str, Layout], family: str) -> Layout | None:
    short = next((s for s, long in _LONG.items() if long == family and s in ways), None)
    return ways.get(family) or (ways[short] if short else None)


def _check_one_order(
    name: str, shapes: Shapes, families: Mapping[str, Mapping[str, Layout]], family: str
) -> None:
    """Two orders in one column are the trace of a program that swapped some days and months."""
    if "Y" not in family:
        return
    one = next(seen for shape, seen in shapes.seen.items() if _way(families[shape], family))
    for shape, seen in shapes.seen.items():
        if families[shape] and not _way(families[shape], family):
            raise ValueError(
                f"times in {name!r} are written in two ways: {one.example!r} in row {one.row:,} and "
                f"{seen.example!r} in row {seen.row:,}; write all in one, or give --time none to count rows"
            )


def _assemble(fields: Fields, family: str, order: str) -> Times | None:
    """The wall clock under an order; None if some number cannot be what the order says."""
    if not fields.read.any():
        return None
    parts = {letter: fields.numbers[i] for i, letter in enumerate(order)}
    if "N" in family:
        parts["m"] = fields.month
    if "Y" in family:
        return _moment(fields, parts)
    results = [_moment(fields, {**parts, "y": years}) for years in centuries(parts["y"])]
    known = [times for times in results if times is not None]
    return next((times for times in known if _is_sorted(times)), known[0] if known else None)


def _moment(fields: Fields, parts: Mapping[str, Numbers]) -> Times | None:
    """The wall clock; None where there is no such day. Slice by slice, for days take several arrays each."""
    times = np.empty(len(fields.read), dtype="datetime64[ns]")
    for start in range(0, len(times), _SLICE):
        rows = slice(start, start + _SLICE)
        days, exists = days_of({letter: numbers[rows] for letter, numbers in parts.items()})
        if not exists[fields.read[rows]].all():
            return None
        times[rows] = days.astype("datetime64[ns]") + fields.clock[rows].astype("timedelta64[ns]")
    times[~fields.read] = np.datetime64("NaT")
    return times


def _is_sorted(times: Times) -> bool:
    known = times[~np.isnat(times)]
    return bool((known[1:] >= known[:-1]).all() or (known[1:] <= known[:-1]).all())


def _choose(name: str, family: str, fits: Mapping[str, Times], layout: Layout, example: str) -> str | None:
    """The order that holds; None where the texts may be no dates at all.

    Raises:
        ValueError: Several orders hold, and lead to series that are equally regular.
    """
    if family in _YEARLESS:
        fits = {order: times for order, times in fits.items() if _is_sorted(times)}
    if len(fits) < 2 or family == "Y##":
        return next(iter(fits), None)
    scores = {order: _disorder(times) for order, times in fits.items()}
    best = min(scores, key=lambda order: scores[order])
    rivals = [o for o in fits if o != best and not np.array_equal(fits[o], fits[best], equal_nan=True)]
    if all(scores[best] * _CLEARLY <= scores[order] and scores[order] > 0 for order in rivals):
        return best
    if family in _PREFERRED:
        return next(iter(fits))
    formats = [shlex.quote(render(layout, example, order)) for order in (best, *rivals)]
    raise ValueError(
        f"the order of day and month in {name!r} is open: {example!r} can be read as "
        f"{' or '.join(formats)}, and neither gives a more regular series; give one of them as --time-format"
    )


def _disorder(times: Times) -> int:
    """How many steps go backwards, or are not the usual ones."""
    known = times[~np.isnat(times)]
    forward = int((known[1:] < known[:-1]).sum())
    backward = int((known[1:] > known[:-1]).sum())
    return min(forward, backward) + usual_step(np.unique(known)).n_odd


def _as_given(
    shapes: Shapes, families: Mapping[str, Mapping[str, Layout]], given: str
) -> dict[str, tuple[str, ...]]:
    """The family and order that some text of a column has, if its format is the one given."""
    for shape, seen in shapes.seen.items():
        for family, way in families[shape].items():
            for order in ORDERS[family]:
                if render(way, seen.example, order) == given:
                    long = _LONG.get(family)
                    is_mixed = long is not None and any(long in ways for ways in families.values())
                    return {long if long and is_mixed else family: (order,)}
    return {}


def _strptime(name: str, texts: pa.ChunkedArray, given: str) -> Moments:
    """Times by a format that ``layouts`` does not know."""
    series = texts.to_pandas()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            times = pd.to_datetime(series, format=given, errors="coerce", utc="%z" in given)
    except ValueError:
        raise ValueError(f"--time-format {given!r} is none; write it as {_EXAMPLES}") from None
    if times.isna().all():
        raise _refused(name, given, str(series.dropna().iloc[0]), 1)
    values = times.dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
    bad = np.flatnonzero(np.isnat(values) & series.notna().to_numpy())
    odd = tuple(Seen(count=1, row=int(row) + 1, example=str(series.iloc[row])) for row in bad[:20])
    return Moments(values=values, format=given, in_utc="%z" in given, odd=odd)


def _refused(name: str, given: str, example: str, row: int) -> ValueError:
    return ValueError(
        f"column {name!r} is not written as --time-format {given!r}: row {row:,} holds {example!r}; "
        f"write the format as {_EXAMPLES}"
    )


def _moments(
    name: str, shapes: Shapes, layouts: Mapping[str, Layout], fields: Fields, wall: Times, order: str
) -> Moments:
    most = max(layouts, key=lambda shape: shapes.seen[shape].count)
    form = render(layouts[most], shapes.seen[most].example, order)
    notes = []
    if "%y" in form:
        known = pd.DatetimeIndex(wall).year
        notes.append(f"Years of two digits are taken as {int(known.min())} to {int(known.max())}.")
    with_offset = [shape for shape, layout in layouts.items() if layout.offset is not None]
    if with_offset and len(with_offset) < len(layouts):
        without = next(shapes.seen[shape] for shape in layouts if shape not in with_offset)
        raise ValueError(
            f"some times in {name!r} have an offset from UTC and some have none, such as {without.example!r} "
            f"in row {without.row:,}; give all of them one"
        )
    odd = tuple(seen for shape, seen in shapes.seen.items() if shape not in layouts)
    values = wall
    if with_offset:
        values = wall - fields.offset.astype("timedelta64[m]")
    return Moments(
        values=values,
        format=form,
        in_utc=bool(with_offset),
        wall=wall if with_offset else None,
        odd=odd,
        notes=tuple(notes),
    )
