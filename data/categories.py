"""Columns of text as model inputs: a channel of 0 and 1 for each value that the training rows hold.

A value not seen there is "other": all its channels are 0. So is a missing one.

Legend: T rows, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .base import Channel, RowRange, Table

MAX_VALUES = 50
"""A column with more values in the training rows is left out."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """A column of text.

    Attributes:
        name: Of the column.
        values: What it holds, in alphabetical order.
        codes: The value of each row by its place there, -1 where it is missing, int32, shape (T,).
    """

    name: str
    values: tuple[str, ...]
    codes: npt.NDArray[np.int32]

    def seen(self, ranges: Sequence[RowRange]) -> list[int]:
        """The codes that some rows hold, ascending."""
        held = [np.unique(self.codes[start:stop]) for start, stop in ranges]
        return [int(code) for code in np.unique(np.concatenate([np.empty(0, int), *held])) if code >= 0]


def encode(table: Table, train: Sequence[RowRange], layout: Sequence[RowRange] | None = None) -> Table:
    """Add the channels of a table's categories.

    Args:
        table: With categories that are not yet channels.
        train: The rows that training windows may read: only values seen there have a channel that is ever 1.
        layout: The rows whose values have a channel at all; None takes ``train``. Folds share one layout.

    Returns:
        The table with its features followed by the channels, named "column=value".
    """
    from .base import Channel  # base.py imports this file

    if not table.categories:
        return table
    made: list[Channel] = []
    columns: list[npt.NDArray[np.float64]] = []
    for category in table.categories:
        codes = category.seen(layout or train)
        if len(codes) > MAX_VALUES:
            continue
        known = set(category.seen(train))
        for code in codes:
            value = category.values[code]
            name = f"{category.name}={value}"
            made.append(Channel(name=name, column=category.name, kind="category", value=value))
            hit = category.codes == code if code in known else np.zeros(len(category.codes), dtype=bool)
            columns.append(hit.astype(np.float64))
    return replace(
        table,
        features=np.column_stack([table.features, *columns]),
        channel_names=(*table.channel_names, *(channel.name for channel in made)),
        made_of=(*table.channels, *made),
        categories=(),
    )
