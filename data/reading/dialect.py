"""How a text file is laid out: its separator, its header, and the lines that are no rows.

Found in the first lines and the last ones; what is found is said, and the user may say otherwise.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .layouts import clock_of, layouts_of
from .markers import WORDS
from .numbers import THOUSANDS, fits
from .text import Text

SEPARATORS = (",", ";", "\t", "|", " ")
NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " ", "\\t": "\t"}
COMMENTS = ("#", "%", "//")
MAX_LINES = 300
"""Of the beginning, that are looked at."""
MAX_FOOTER = 30
MAX_UNITS = 3
"""Lines between the header and the first row."""
BOOLEANS = frozenset(("true", "false", "yes", "no", "t", "f", "y", "n", "on", "off"))


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The layout of a text file.

    Attributes:
        separator: Between columns.
        quote: Around a text that holds the separator.
        names: Of the columns; those without one are "Unnamed: 0" and so on, by their place.
        skip: Lines before the first row.
        header: Whether one of them names the columns.
        comment: What a line begins with that is no row; "" where there is none.
        footer: Lines at the end that are no rows.
        notes: What was left out, a sentence each.
    """

    separator: str
    quote: str
    names: tuple[str, ...]
    skip: int
    header: bool
    comment: str
    footer: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A row, and the line after it, from 0."""

    cells: tuple[str, ...]
    next_line: int
    line: int


def sniff(text: Text, separator: str | None) -> Dialect:
    """Find a text's layout.

    Args:
        text: Its beginning and end.
        separator: The user's; None finds it.

    Raises:
        ValueError: There is no row, or the separator is none.
    """
    given = None if separator is None else NAMES.get(separator.lower(), separator)
    if given is not None and len(given.encode()) != 1:
        raise ValueError(
            f"--separator must be one character, or one of {', '.join(NAMES)}; got {separator!r}"
        )
    lines = _lines(text.head)[:MAX_LINES]
    comment = _comment(lines)
    stated = re.fullmatch(r"sep=(.)", lines[0].strip()) if lines else None  # a line that Excel writes
    if stated:
        given = given or stated[1]
    quote = "'" if _uses_single_quotes(lines) else '"'
    candidates = SEPARATORS if given is None else (given,)
    tables = {c: _rows(lines, c, quote, comment) for c in candidates}
    best = max(candidates, key=lambda c: (_score(tables[c], c), -candidates.index(c)))
    rows = tables[best]
    if not rows:
        raise ValueError("the file has no rows")
    return _layout(text, rows, best, quote, comment)


def _layout(text: Text, rows: Sequence[_Row], separator: str, quote: str, comment: str) -> Dialect:
    width = _width(rows)
    first = next(i for i, row in enumerate(rows) if _may_begin(row.cells, width, separator))
    body = rows[first:]
    kinds = [_column_kind(body[1:], j) for j in range(width)]
    has_header = len(body) == 1 or _is_header(body[0].cells, kinds)
    notes = []
    if first:
        notes.append(
            f"{first} line{'s' * (first > 1)} before the header: {rows[0].cells[0][:40]!r} ... left out."
        )
    header = body[0].cells if has_header else _commented_header(text, body[0], separator, quote, comment)
    data = body[1:] if has_header else body
    units = 0
    while has_header and units < min(MAX_UNITS, len(data) - 1) and _is_units(data[units].cells, kinds):
        units += 1
    if units:
        shown = ", ".join(cell for cell in data[0].cells if cell)[:60]
        notes.append(f"{units} line{'s' * (units > 1)} under the header ({shown}) left out.")
    names = _names(header, width)
    if not header:
        notes.append("The file has no header: columns are named by their place.")
    begin = data[units].line if len(data) > units else body[-1].next_line
    footer = _footer(text, width, separator, quote, comment)
    if footer:
        notes.append(
            f"{len(footer)} line{'s' * (len(footer) > 1)} at the end ({footer[0].strip()[:40]!r}) left out."
        )
    return Dialect(
        separator=separator,
        quote=quote,
        names=names,
        skip=begin,
        header=has_header,
        comment=comment,
        footer=footer,
        notes=tuple(notes),
    )


def kind_of(cell: str) -> str:
    """What a cell holds: "missing", "number", "time", "boolean" or "text"."""
    return _kind(re.sub(r"\d", "0", cell.strip()))


@lru_cache(maxsize=10_000)
def _kind(shape: str) -> str:
    if shape in WORDS:
        return "missing"
    if any(fits(shape, decimal, sign) for decimal, signs in THOUSANDS.items() for sign in signs):
        return "number"
    if layouts_of(shape) or clock_of(shape):
        return "time"
    return "boolean" if shape.lower() in BOOLEANS else "text"


def _lines(text: str) -> list[str]:
    """Lines as Arrow counts them, blank ones too."""
    return re.split(r"\r\n|\n|\r", text)


def _comment(lines: Sequence[str]) -> str:
    """The mark that some lines begin with, but not most."""
    for mark in COMMENTS:
        if 0 < sum(line.startswith(mark) for line in lines) <= max(1, len(lines) // 2):
            return mark
    return ""


def _uses_single_quotes(lines: Sequence[str]) -> bool:
    cells = [cell.strip() for line in lines for cell in re.split(r"[,;\t|]", line)]
    quoted = sum(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in cells)
    return quoted > 0 and quoted >= 0.2 * len(cells) and not any('"' in line for line in lines)


def _rows(lines: Sequence[str], separator: str, quote: str, comment: str) -> list[_Row]:
    """The rows of some lines, without blank ones and comments."""
    kept = [
        (i, line)
        for i, line in enumerate(lines)
        if line.strip() and not (comment and line.startswith(comment)) and not line.startswith("sep=")
    ]
    reader = csv.reader([line + "\n" for _, line in kept], delimiter=separator, quotechar=quote)
    rows, before = [], 0
    try:
        for cells in reader:
            line = kept[before][0]
            before = reader.line_num
            rows.append(_Row(cells=tuple(cells), line=line, next_line=kept[before - 1][0] + 1))
    except csv.Error:
        pass
    return rows


def _width(rows: Sequence[_Row]) -> int:
    """Cells of most rows; of the later ones, for what stands above a table has other widths."""
    later = rows[len(rows) // 3 :]
    return Counter(len(row.cells) for row in later).most_common(1)[0][0]


def _score(rows: Sequence[_Row], separator: str) -> float:
    """How well rows are a table: their cells hold numbers and times, and each has as many."""
    if not rows:
        return -1.0
    width = _width(rows)
    regular = [row for row in rows if len(row.cells) == width]
    weights = {"number": 1.0, "time": 1.0, "missing": 0.7, "boolean": 0.9, "text": 0.0}
    cells = [cell for row in regular[-100:] for cell in row.cells]
    clean = sum(weights[kind] if (kind := kind_of(cell)) != "text" else _plain(cell) for cell in cells)
    score = clean / max(1, len(cells)) * len(regular) / len(rows)
    if separator == " " and len(rows[0].cells) != width:
        score *= 0.3  # a date and a time of day under one name are one column
    return score * (1.0 if width > 1 else 0.6)


def _plain(cell: str) -> float:
    """A text without another separator in it may be a cell."""
    return 0.4 if not re.search(r"[,;\t|]", cell) else 0.0


def _may_begin(cells: Sequence[str], width: int, separator: str) -> bool:
    """Whether a row may be the header: as wide as the rows, and not a title in one cell."""
    filled = sum(bool(cell.strip()) for cell in cells)
    if len(cells) == width:
        return width < 3 or filled > 1
    return len(cells) == width - 1 and separator in " \t" and filled > 0


def _column_kind(rows: Sequence[_Row], column: int) -> str:
    kinds = Counter(kind_of(row.cells[column]) for row in rows[-50:] if len(row.cells) > column)
    kinds.pop("missing", None)
    return kinds.most_common(1)[0][0] if kinds else "missing"


def _is_header(cells: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether a row is unlike those below it: text over numbers or times, or nothing over the first."""
    if len(cells) < len(kinds):
        return True
    own = [kind_of(cell) for cell in cells]
    clean = [(mine, kind) for mine, kind in zip(own, kinds, strict=False) if kind not in ("text", "missing")]
    if not clean:
        return True
    if any(mine == "text" for mine, _ in clean):
        return True
    return (own[0] == "missing" and kinds[0] != "missing") or all(mine != kind for mine, kind in clean)


def _is_units(cells: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether a row has text, or nothing, wherever the rows below have numbers or times."""
    pairs = [(kind_of(cell), kind) for cell, kind in zip(cells, kinds, strict=False)]
    clean = [(own, kind) for own, kind in pairs if kind in ("number", "time")]
    return (
        bool(clean) and all(own in ("text", "missing") for own, _ in clean) and any(c.strip() for c in cells)
    )


def _commented_header(text: Text, row: _Row, separator: str, quote: str, comment: str) -> Sequence[str]:
    """The line before the first row without its comment mark, if it names as many columns."""
    above = _lines(text.head)[: row.line]
    if not comment or not above or not above[-1].startswith(comment):
        return ()
    rows = _rows([above[-1].removeprefix(comment).strip(" ")], separator, quote, "")
    return rows[0].cells if rows and len(rows[0].cells) == len(row.cells) else ()


def _names(header: Sequence[str], width: int) -> tuple[str, ...]:
    if not header:
        return tuple(f"column {j + 1}" for j in range(width))
    cells = [cell.strip() for cell in header]
    if len(cells) == width - 1:  # R writes no name over the names of rows
        cells = ["", *cells]
    cells += [""] * (width - len(cells))
    names: list[str] = []
    for j, cell in enumerate(cells):
        name, n = cell or f"Unnamed: {j}", 1
        while name in names:
            name, n = f"{cell}.{n}", n + 1
        names.append(name)
    return tuple(names)


def _footer(text: Text, width: int, separator: str, quote: str, comment: str) -> tuple[str, ...]:
    """Lines at the end that are no rows: of another width and with text first, or of separators alone."""
    lines = [line for line in _lines(text.tail or text.head) if line.strip()][-MAX_FOOTER:]
    footer: list[str] = []
    for line in reversed(lines):
        rows = _rows([line], separator, quote, comment)
        cells = rows[0].cells if rows else ()
        filled = [cell for cell in cells if cell.strip()]
        if filled and (len(cells) == width or kind_of(cells[0]) not in ("text", "missing")):
            break
        footer.append(line)
    return tuple(reversed(footer)) if len(footer) < len(lines) else ()
