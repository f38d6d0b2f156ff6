"""What each column becomes: a channel of numbers, a category, or nothing, with the reason.

Legend: T rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base import DataRequest
from ..categories import MAX_VALUES, Category
from .advice import join_names, quote_flag
from .layouts import layouts_of
from .markers import Sentinel, find_sentinels, parse_markers
from .source import MAX_ODD, Source, codes_of

KEEP_ALL = "none"
"""Given as the missing marker: no number stands for a missing value."""
MAX_CODES = 1_000
"""A text of more different values than this is not kept until the training rows are known."""


@dataclass(kw_only=True)
class Channels:
    """The columns that a model could see.

    Attributes:
        numbers: Name to values, NaN where one is missing, each (T,), in the file's order.
        booleans: Those that hold 0 for false and 1 for true.
        categories: Columns of text.
        left_out: Name to the reason.
        sentinels: Numbers that seem to stand for missing values, unless the user said.
        notes: What was decided, a sentence each.
    """

    numbers: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    booleans: set[str] = field(default_factory=set)
    categories: dict[str, Category] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    sentinels: list[Sentinel] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_channels(source: Source, request: DataRequest, used: Sequence[str]) -> Channels:
    """Turn columns into channels; they leave the source one by one, so that none is held twice.

    Args:
        source: The columns.
        request: Its targets and missing markers.
        used: Columns that are times or tell series apart.

    Raises:
        ValueError: A target is no number or constant, or a column of numbers holds something else.
    """
    channels = Channels(left_out={n: why for n, why in source.left_out.items() if n not in used})
    _, missing = parse_markers(request.missing)
    for name in source.names:
        if name in used:
            for columns in (source.numbers, source.texts, source.moments):
                columns.pop(name, None)
        elif name in source.numbers:
            _check_odd(source, name)
            values = source.numbers.pop(name)
            _add_numbers(channels, name, values, missing, name in request.target)
            if name in source.booleans and name in channels.numbers:
                channels.booleans.add(name)
        elif name in source.texts:
            _add_text(source, channels, name)
        elif name in source.moments:
            channels.left_out[name] = "is another time"
    for name in request.target:
        if name in channels.left_out or name in channels.categories:
            why = channels.left_out.get(name, "is text")
            raise ValueError(
                f"target {name!r} {why}; a target holds numbers that differ: give another --target"
            )
    if not request.missing:
        channels.sentinels = find_sentinels(channels.numbers)
    return channels


def _check_odd(source: Source, name: str) -> None:
    if name not in source.odd:
        return
    counts, row = source.odd[name]
    texts = list(counts)
    ways = f"--drop {quote_flag(join_names([name]))}"
    if len(texts) < MAX_ODD:
        ways = f"--missing {quote_flag(join_names(texts))} to take that as missing, or {ways}"
    raise ValueError(
        f"column {name!r} must hold numbers, got {texts[0]!r} in row {row:,} "
        f"({sum(counts.values()):,} such in all); give {ways}"
    )


def _add_numbers(
    channels: Channels, name: str, values: npt.NDArray[Any], missing: Sequence[float], is_target: bool
) -> None:
    if not is_target and _counts_rows(values):
        channels.left_out[name] = "counts the rows"
        return
    numbers = values.astype(np.float64, copy=False)
    for marker in missing:
        found = numbers == marker
        if found.any():
            numbers = np.where(found, np.nan, numbers)
    if np.isinf(numbers).any():
        row = int(np.argmax(np.isinf(numbers))) + 1
        raise ValueError(
            f"column {name!r} holds infinity, first in row {row:,}; give --missing inf,-inf to take it as "
            f"missing, or --drop {quote_flag(join_names([name]))}"
        )
    known = numbers[~np.isnan(numbers)]
    if len(known) == 0:
        channels.left_out[name] = "is empty"
    elif known.min() == known.max() and len(values) > 1 and (len(known) == len(values) or is_target):
        channels.left_out[name] = f"is constant ({known[0]:.15g} in every row)"
    else:
        channels.numbers[name] = numbers


def _counts_rows(values: npt.NDArray[Any]) -> bool:
    """Whether values are 0, 1, 2 ... or 1, 2, 3 ..."""
    if len(values) < 3 or values[0] not in (0, 1):
        return False
    return bool((values == np.arange(len(values)) + values[0]).all())


def _add_text(source: Source, channels: Channels, name: str) -> None:
    texts = source.texts.pop(name)
    shapes = source.shapes[name]
    if sum(seen.count for shape, seen in shapes.seen.items() if _is_date(shape)) >= 0.9 * shapes.count:
        channels.left_out[name] = "is another time"
        return
    codes, values = codes_of(texts)
    used = np.unique(codes[codes >= 0])
    if len(used) < 2 and (codes >= 0).all():
        channels.left_out[name] = f"is constant ({values[used[0]]!r} in every row)"
    elif len(used) == 2 and (truth := truth_of([values[code] for code in used])) and len(set(truth)) == 2:
        numbers = np.full(len(codes), np.nan)
        for code, value in zip(used, truth, strict=True):
            numbers[codes == code] = value
        channels.numbers[name] = numbers
        channels.booleans.add(name)
    elif len(used) > MAX_CODES:
        channels.left_out[name] = f"is text with {len(used):,} different values, more than {MAX_VALUES}"
    else:
        order = sorted(used.tolist(), key=lambda code: values[code])
        ranks = np.full(len(values) + 1, -1, dtype=np.int32)
        ranks[order] = np.arange(len(order))
        channels.categories[name] = Category(
            name=name, values=tuple(values[code] for code in order), codes=ranks[codes]
        )


def truth_of(values: Sequence[str]) -> tuple[float, ...] | None:
    """1 and 0 for words that mean true and false, in their order; None if some do not."""
    words = [value.lower() for value in values]
    for yes, no in (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("on", "off")):
        if set(words) <= {yes, no}:
            return tuple(float(word == yes) for word in words)
    return None


def _is_date(shape: str) -> bool:
    return any("Y" in way.family or len(way.family) > 2 for way in layouts_of(shape))
