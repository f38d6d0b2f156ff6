"""GitHub's Markdown: text that is safe anywhere, tables, code, pictures."""

import re
from collections.abc import Sequence

import hpo.summary.formats as fmt

MAX_MESSAGE = 160
"""Longer messages are shortened; the JSON has them whole."""

_CODE_BREAKERS = re.compile(r"[`\s|]+")


def text(value: object) -> str:
    """One line that is not taken for HTML, a table's end of cell or an escape."""
    return " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def cell(value: object) -> str:
    """A table's cell; a dash where there is nothing."""
    return (text(value) if value is not None else "") or fmt.NOTHING


def table(header: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """A table whose first ``left`` columns stand left and whose others stand right."""
    rule = ["---" if column < left else "---:" for column in range(len(header))]
    lines = [[text(title) for title in header], rule, *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
