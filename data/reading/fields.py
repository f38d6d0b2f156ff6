"""The numbers that stand in a column of times, taken from its bytes; and how a format is written.

Legend: T rows, N texts of one shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .layouts import Layout, Part, clock_of
from .shapes import Shapes, bytes_of, shape_of

Numbers = npt.NDArray[np.int64]


@dataclass
class Fields:
    """What stands in the texts, row after row."""

    numbers: list[Numbers]
    month: Numbers
    clock: Numbers
    offset: Numbers
    read: npt.NDArray[np.bool_]


def extract(texts: pa.ChunkedArray, layouts: Mapping[str, Layout]) -> Fields:
    """The numbers of all texts, chunk after chunk."""
    n_rows = len(texts)
    fields = Fields(
        numbers=[np.zeros(n_rows, np.int32) for _ in range(3)],
        month=np.zeros(n_rows, np.int8),
        clock=np.zeros(n_rows, np.int64),
        offset=np.zeros(n_rows, np.int16),
        read=np.zeros(n_rows, dtype=bool),
    )
    start = 0
    for chunk in texts.chunks:
        encoded = shape_of(chunk).dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        raw, begin = bytes_of(chunk)
        for code, shape in enumerate(encoded.dictionary.to_pylist()):
            layout = layouts.get(shape)
            if layout is not None:
                rows = np.flatnonzero(codes == code)
                _read_rows(fields, layout, raw, begin[rows], rows + start)
        start += len(chunk)
    return fields


def _read_rows(
    fields: Fields,
    layout: Layout,
    raw: npt.NDArray[np.uint8],
    begin: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
) -> None:
    """The numbers of texts of one shape."""

    def number(part: Part | None) -> npt.NDArray[np.int64]:
        value = np.zeros(len(begin), np.int64)
        for position in range(part.start, part.stop) if part else ():
            value = value * 10 + (raw[begin + position].astype(np.int64) - ord("0"))
        return value

    for i, values in enumerate(fields.numbers):
        if part := layout.part(str(i)):
            values[rows] = number(part)
    fields.month[rows] = layout.month
    hour, minute, second = (number(layout.part(role)) for role in "HMS")
    good = (minute <= 59) & (second <= 59) & ((hour < 24) | ((hour == 24) & (minute == 0) & (second == 0)))
    if layout.noon:
        good &= (hour >= 1) & (hour <= 12)
        hour = hour % 12 + (12 if layout.noon == "p" else 0)
    fraction = layout.part("f")
    nanos = number(fraction) * 10 ** (9 - (fraction.stop - fraction.start)) if fraction else 0
    fields.clock[rows] = ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos
    if layout.offset is not None:
        ahead = 60 * number(layout.part("+")) + number(layout.part(":"))
        fields.offset[rows] = layout.offset + layout.sign * ahead
    fields.read[rows] = good


def parse_clocks(texts: pa.ChunkedArray, shapes: Shapes) -> tuple[npt.NDArray[np.timedelta64], str] | None:
    """A column of times of day, and its format; None if it holds none."""
    layouts = {shape: layout for shape in shapes if (layout := clock_of(shape))}
    if not layouts:
        return None
    fields = extract(texts, layouts)
    nanos = fields.clock.astype("timedelta64[ns]")
    nanos[~fields.read] = np.timedelta64("NaT")
    most = max(layouts, key=lambda shape: shapes.seen[shape].count)
    return nanos, render(layouts[most], shapes.seen[most].example, "")


def render(layout: Layout, example: str, order: str) -> str:
    """A text's format as strftime has it."""
    raw, result, done = example.encode(), "", 0
    directives = {"N": "%b", "A": "%a", "H": "%I" if layout.noon else "%H", "M": "%M", "S": "%S"}
    directives |= {"f": "%f", "p": "%p", "z": "%z"}
    for part in layout.parts:
        if part.role in ("+", ":"):
            continue
        result += raw[done : part.start].decode().replace("%", "%%")
        piece = raw[part.start : part.stop].decode()
        if part.role.isdigit():
            letter = order[int(part.role)]
            year = ("%G" if "w" in order else "%Y") if len(piece) == 4 else "%y"
            result += year if letter == "y" else f"%{'V' if letter == 'w' else letter}"
        else:
            long_name = part.role in "NA" and len(piece) > 4
            result += directives[part.role].upper() if long_name else directives[part.role]
        done = part.stop
    return (result + raw[done:].decode()).strip()
