"""What a file holds, column by column, before any of it is a time, a channel or a target.

Legend: T rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .formats import Moments
from .layouts import clock_of, layouts_of
from .markers import WORDS
from .numbers import NumberFormat, decide_decimal, read_shapes, to_numbers
from .shapes import Shapes

MAX_ODD = 20
"""So many different texts among numbers are kept to be named."""

Wanted = Callable[[str], bool]
"""Whether a column of that name is read at all."""


@dataclass(kw_only=True)
class Source:
    """A file's columns, each in one of the dictionaries.

    Attributes:
        names: All that the file has, in its order; those that are not wanted are in none of the others.
        n_rows: T.
        numbers: int64 where all are whole and none is missing, else float64 with NaN, shape (T,).
        booleans: The columns of ``numbers`` that hold 0 and 1 for false and true.
        texts: Texts without blanks around them, null where one is missing.
        shapes: Of the texts, without the missing ones.
        moments: Columns of a type that is a time.
        left_out: Columns that nothing can be made of, and why.
        odd: Columns of numbers to texts in them that are none, with their count, and the row of the first.
        notes: What was found in the layout, a sentence each.
        separator: Between columns; None where the file is no text.
        decimal: The decimal sign.
        encoding: Of the text.
    """

    names: tuple[str, ...]
    n_rows: int = 0
    numbers: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    booleans: set[str] = field(default_factory=set)
    texts: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    shapes: dict[str, Shapes] = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    odd: dict[str, tuple[dict[str, int], int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def leave_out(self, plan: "Plan") -> None:
        """Note the columns that a plan makes nothing of."""
        self.left_out |= dict.fromkeys(plan.empty, "is empty")
        self.left_out |= dict.fromkeys(plan.free, "is text of too many kinds")

    def drop_empty_end(self) -> int:
        """Leave out the last rows where nothing at all is known, and say how many they were."""
        known = np.zeros(self.n_rows, dtype=bool)
        for values in self.numbers.values():
            known |= ~np.isnan(values) if values.dtype.kind == "f" else True
        for moments in self.moments.values():
            known |= ~np.isnat(moments.values)
        for texts in self.texts.values():
            known |= pc.is_valid(texts).to_numpy()
        n_empty = int(np.argmax(known[::-1])) if known.any() else 0
        if n_empty:
            self.keep(slice(0, self.n_rows - n_empty))
        return n_empty

    def keep(self, rows: slice | npt.NDArray[np.int64]) -> None:
        """Keep some rows, in the order given."""
        index = np.arange(self.n_rows)[rows]
        self.numbers = {name: values[rows] for name, values in self.numbers.items()}
        self.texts = {name: texts.take(pa.array(index)) for name, texts in self.texts.items()}
        self.moments = {name: moments.take(rows) for name, moments in self.moments.items()}
        self.n_rows = len(index)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How each column of text is read."""

    numbers: dict[str, NumberFormat]
    times: set[str]
    texts: set[str]
    empty: set[str]
    free: set[str]


def make_plan(
    shapes: Mapping[str, tuple[Shapes, Shapes]], separator: str | None, decimal: str | None
) -> Plan:
    """What columns of text hold, by the shapes of their texts and of their missing ones.

    Raises:
        ValueError: One can be read in two ways and nothing tells which.
    """
    readings = {}
    plan = Plan(numbers={}, times=set(), texts=set(), empty=set(), free=set())
    for name, (kept, missing) in shapes.items():
        reading = read_shapes(kept, missing.count)
        if reading is not None:
            readings[name] = reading
        elif not kept.seen:
            plan.empty.add(name)
        elif kept.is_free_text:
            plan.free.add(name)
        elif sum(kept.seen[s].count for s in kept if layouts_of(s) or clock_of(s)) >= 0.5 * kept.count:
            plan.times.add(name)
        else:
            plan.texts.add(name)
    plan.numbers.update(decide_decimal(readings, separator, decimal))
    return plan


def clean_numbers(
    source: Source, name: str, texts: pa.Array, form: NumberFormat, words: frozenset[str]
) -> npt.NDArray[np.float64]:
    """Texts as numbers; those that are none are noted in the source."""
    values = to_numbers(texts, form, WORDS | words)
    trimmed = pc.utf8_trim_whitespace(texts)
    known = pc.invert(pc.is_in(trimmed, pa.array([*sorted(WORDS | words), None], pa.string())))
    bad = np.isnan(values) & known.to_numpy(zero_copy_only=False)
    if bad.any():
        counts, first = source.odd.get(name, ({}, source.n_rows + int(np.argmax(bad)) + 1))
        for example in trimmed.filter(pa.array(bad)).to_pylist():
            if example in counts or len(counts) < MAX_ODD:
                counts[example] = counts.get(example, 0) + 1
        source.odd[name] = (counts, first)
    return values


def clean_texts(texts: pa.Array, words: frozenset[str]) -> pa.Array:
    """Texts without blanks around them, null where one is missing; dictionaries stay dictionaries."""
    markers = pa.array(sorted(WORDS | words), pa.string())
    if pa.types.is_dictionary(texts.type):
        values = pc.utf8_trim_whitespace(texts.dictionary)
        values = pc.if_else(pc.is_in(values, markers), None, values)
        return values.take(texts.indices).dictionary_encode()
    return pc.if_else(pc.is_in(pc.utf8_trim_whitespace(texts), markers), None, texts)


def codes_of(texts: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[str]]:
    """A column of text as codes, -1 where one is missing, and the texts they stand for."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    array = encoded.unify_dictionaries().combine_chunks()
    codes = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64), array.dictionary.to_pylist()
