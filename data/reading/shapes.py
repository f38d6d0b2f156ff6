"""The shapes of a column's texts: each digit is written 0, all else stays.

A million texts have a few dozen shapes, so that what a column holds, and in which format, can be found from
all its rows: "2024-01-31" and its like are 0000-00-00, "1.479,63" is 0.000,00, a missing "NA" is itself.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MAX_SHAPES = 3_000
"""A column of more is free text; nothing else is looked for in it."""

_GROUP = re.compile(r"\D*0{1,3}[.,]000\D*")
"""What may be a thousand, or a number with three decimals."""
_DIGITS_TO_ZERO = np.arange(256, dtype=np.uint8)
_DIGITS_TO_ZERO[ord("0") : ord("9") + 1] = ord("0")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How often a shape was seen, and where first.

    Attributes:
        count: Texts of that shape.
        row: The first one's row, from 1.
        example: That text.
    """

    count: int
    row: int
    example: str


@dataclass
class Shapes:
    """The shapes of one column, gathered block after block."""

    seen: dict[str, Seen] = field(default_factory=dict)
    is_free_text: bool = False
    leading_zero: bool = False
    """Whether some number begins with a zero, so that its sign stands before decimals."""

    def add(self, texts: pa.Array, first_row: int) -> None:
        """Count the shapes of the column's next texts, the first of them in a row counted from 0."""
        if self.is_free_text:
            return
        shapes = shape_of(texts)
        counts = pc.value_counts(shapes)
        for shape, count in zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True):
            shape = "" if shape is None else shape
            before = self.seen.get(shape)
            if before is None:
                at = pc.index(pc.fill_null(shapes, ""), shape).as_py()
                before = Seen(count=0, row=first_row + at + 1, example=texts[at].as_py() or "")
            self.seen[shape] = Seen(count=before.count + count, row=before.row, example=before.example)
        self.is_free_text = len(self.seen) > MAX_SHAPES
        if not self.leading_zero and any(
            _GROUP.fullmatch(shape) for shape in counts.field(0).to_pylist() if shape
        ):
            self.leading_zero = bool(pc.any(pc.match_substring_regex(texts, r"^\D*0\d*[.,]")).as_py())

    def __iter__(self) -> Iterator[str]:
        return iter(self.seen)

    def split(self, missing: Mapping[str, object] | frozenset[str]) -> tuple["Shapes", "Shapes"]:
        """Those that are no missing markers, and those that are."""
        kept: dict[str, Seen] = {}
        gone: dict[str, Seen] = {}
        for shape, seen in self.seen.items():
            (gone if shape.strip() in missing else kept)[shape] = seen
        return Shapes(kept, self.is_free_text, self.leading_zero), Shapes(gone)

    @property
    def count(self) -> int:
        """Texts in all."""
        return sum(seen.count for seen in self.seen.values())


def shape_of(texts: pa.Array) -> pa.Array:
    """The shape of each text."""
    _, offsets, data = texts.buffers()
    raw = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    shaped = pa.py_buffer(_DIGITS_TO_ZERO[raw])
    valid = texts.buffers()[0]
    return pa.StringArray.from_buffers(len(texts), offsets, shaped, valid, -1, texts.offset)


def bytes_of(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """A string array's bytes, and where each text begins in them, (N,)."""
    _, offsets, data = texts.buffers()
    raw = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    begin = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts)]
    return raw, begin
