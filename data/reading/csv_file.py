"""A text file to columns: looked through once for what it holds, then read as that.

Legend: T rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ..base import DataRequest
from .dialect import Dialect, sniff
from .markers import WORDS, parse_markers
from .shapes import Shapes
from .source import Plan, Source, Wanted, clean_numbers, clean_texts, make_plan
from .text import Text, look

BLOCK_BYTES = 1 << 20


def read_csv(path: Path, request: DataRequest, wanted: Wanted) -> Source:
    """Read a text file.

    Args:
        path: Perhaps compressed.
        request: Its separator, decimal sign, encoding and missing markers, where the user gave them.
        wanted: Which columns.

    Raises:
        ValueError: It is no table, or can be read in two ways.
    """
    text = look(path, request.encoding)
    dialect = sniff(text, request.separator)
    words, _ = parse_markers(request.missing)
    names = [name for name in dialect.names if wanted(name)]
    shapes, n_rows = _survey(text, dialect, names, words)
    plan = make_plan(shapes, dialect.separator, request.decimal)
    try:
        source = _read(text, dialect, plan, shapes, words, n_rows)
    except pa.ArrowInvalid:  # a number of 19 digits that is larger than 64 bits hold
        floats = {name: replace(form, whole=False) for name, form in plan.numbers.items()}
        source = _read(text, dialect, replace(plan, numbers=floats), shapes, words, n_rows)
    source.notes.extend(dialect.notes)
    signs = {form.decimal for form in plan.numbers.values()}
    source.decimal = "," if signs == {","} else "."
    source.separator, source.encoding = dialect.separator, text.encoding
    return source


def _survey(
    text: Text, dialect: Dialect, names: list[str], words: frozenset[str]
) -> tuple[dict[str, tuple[Shapes, Shapes]], int]:
    """The shapes of each column over all rows, those of its missing values, and how many rows there are."""
    shapes = {name: Shapes() for name in names}
    first = 0
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), include_columns=names, strings_can_be_null=False
    )
    for block in _blocks(text, dialect, options):
        for name in names:
            texts = block[name]
            shapes[name].add(_without(texts, words) if words else texts, first)
        first += block.num_rows
    if first == 0:
        raise ValueError(f"the file has a header of {len(dialect.names)} columns and no rows")
    return {name: each.split(WORDS) for name, each in shapes.items()}, first


def _without(texts: pa.Array, words: Iterable[str]) -> pa.Array:
    """Texts with the user's missing markers blanked."""
    found = pc.is_in(pc.utf8_trim_whitespace(texts), pa.array(sorted(words), pa.string()))
    return pc.if_else(found, "", texts)


def _read(
    text: Text,
    dialect: Dialect,
    plan: Plan,
    shapes: dict[str, tuple[Shapes, Shapes]],
    words: frozenset[str],
    n_rows: int,
) -> Source:
    decimals = [form.decimal for form in plan.numbers.values() if form.plain]
    decimal = max(set(decimals), key=decimals.count) if decimals else "."
    fast = {name for name, form in plan.numbers.items() if form.plain and form.decimal == decimal}
    markers = sorted({seen.example for name in fast for seen in shapes[name][1].seen.values()} | words)
    types = {name: pa.int64() if plan.numbers[name].whole else pa.float64() for name in fast}
    types |= dict.fromkeys(plan.numbers.keys() - fast, pa.string())
    types |= dict.fromkeys(plan.times, pa.string())
    types |= dict.fromkeys(plan.texts, pa.dictionary(pa.int32(), pa.string()))
    options = pyarrow.csv.ConvertOptions(
        column_types=types,
        include_columns=[name for name in dialect.names if name in types],
        null_values=markers,
        strings_can_be_null=False,
        decimal_point=decimal,
    )
    source = Source(names=dialect.names)
    source.leave_out(plan)
    source.numbers = {
        name: np.empty(n_rows, np.int64 if name in fast and form.whole else np.float64)
        for name, form in plan.numbers.items()
    }
    texts: dict[str, list[pa.Array]] = {name: [] for name in plan.times | plan.texts}
    for block in _blocks(text, dialect, options):
        rows = slice(source.n_rows, source.n_rows + block.num_rows)
        for name, form in plan.numbers.items():
            if name in fast:
                source.numbers[name][rows] = block[name].to_numpy(zero_copy_only=False)
            else:
                source.numbers[name][rows] = clean_numbers(source, name, block[name], form, words)
        for name, parts in texts.items():
            parts.append(clean_texts(block[name], words))
        source.n_rows += block.num_rows
    source.texts = {name: pa.chunked_array(parts) for name, parts in texts.items()}
    source.shapes = {name: shapes[name][0] for name in texts}
    pa.default_memory_pool().release_unused()
    return source


def _blocks(text: Text, dialect: Dialect, options: Any) -> Iterator[pa.RecordBatch]:
    """The rows of a file, block after block.

    Raises:
        ValueError: A row has more or fewer cells than the others.
    """
    footer = {line.strip() for line in dialect.footer}
    wrong: list[str] = []

    def skip(row: Any) -> str:
        line = row.text.strip()
        if line in footer or (dialect.comment and line.startswith(dialect.comment)):
            return "skip"
        wrong.append(
            f"a row has {row.actual_columns} cells where {row.expected_columns} are expected: {line[:80]!r}; "
            "mend that row, or give --separator"
        )
        return "error"

    try:
        with text.stream() as stream:
            yield from pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    block_size=BLOCK_BYTES, column_names=list(dialect.names), skip_rows=dialect.skip
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=dialect.separator,
                    quote_char=dialect.quote,
                    newlines_in_values=dialect.quote in text.head,
                    ignore_empty_lines=len(dialect.names) > 1,
                    invalid_row_handler=skip,
                ),
                convert_options=options,
            )
    except pa.ArrowInvalid as error:
        if wrong:
            raise ValueError(wrong[0]) from error
        raise
