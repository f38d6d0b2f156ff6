"""GitHub's Markdown: text that is safe anywhere, tables, code, pictures."""

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

import hpo.report.formats as fmt
from hpo.report.columns import Shown

T = TypeVar("T")

MAX_MESSAGE = 160
"""Longer messages are shortened; the JSON has them whole."""

_HTML = re.compile(r"<(?=[A-Za-z/!?])")
_CODE_BREAKERS = re.compile(r"[`\s|]+")


def text(value: object) -> str:
    """One line that is not taken for HTML, a table's end of cell or an escape."""
    line = " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|")
    return _HTML.sub("&lt;", line)


def cell(value: object) -> str:
    """A table's cell; a dash where there is nothing."""
    return (text(value) if value is not None else "") or fmt.NOTHING


def table(header: Sequence[str], rows: Iterable[Sequence[object]], align: str) -> str:
    """A table; ``align`` has a letter for each column, l or r."""
    rule = [{"l": "---", "r": "---:"}[side] for side in align]
    lines = [[text(title) for title in header], rule, *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listing(columns: Sequence[Shown[T]], rows: Iterable[T]) -> str:
    """A table of rows, a column for each of what is shown of them."""
    align = "".join("l" if column.is_text else "r" for column in columns)
    cells = ([column.text(row) for column in columns] for row in rows)
    return table([column.title for column in columns], cells, align)


def code(value: object) -> str:
    """A name in code type, whatever it holds."""
    return f"`{_CODE_BREAKERS.sub(' ', str(value))}`"


def picture(drawn: dict[str, str], name: str, alt: str) -> list[str]:
    """A picture by its name, or nothing if it was not drawn."""
    return [f"![{alt}](plots/{drawn[name]})"] if name in drawn else []


def shorten(message: str) -> str:
    """A message on one line, cut if it is long."""
    line = " ".join(message.split())
    return line if len(line) <= MAX_MESSAGE else f"{line[: MAX_MESSAGE - 1]}…"
