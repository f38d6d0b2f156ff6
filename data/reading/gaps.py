"""Missing values: filled by looking back only, with a channel that says where.

Legend: T rows, H horizon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MISSING = " is missing"
"""Behind a column's name: the channel that is 1 where its value is missing."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """Channels without gaps but at their beginning.

    Attributes:
        names: Of the channels: the columns, then one channel more for each that had gaps.
        values: NaN only before a series' first value, shape (T, C).
        counts: How many values of each column were missing.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    counts: dict[str, int]


def fill(columns: dict[str, npt.NDArray[np.float64]], begins: npt.NDArray[np.int64]) -> Filled:
    """Give each missing value the last known one of its series.

    Args:
        columns: Name to values, NaN where one is missing; they leave the dictionary one by one, so that none
            is held twice.
        begins: First rows of the series.
    """
    counts = {name: int(np.isnan(values).sum()) for name, values in columns.items()}
    gapped = [name for name, count in counts.items() if count]
    n_rows = len(next(iter(columns.values())))
    result = np.empty((n_rows, len(columns) + len(gapped)))
    names = list(columns)
    for j, name in enumerate(names):
        values = columns.pop(name)
        if counts[name]:
            missing = np.isnan(values)
            result[:, len(names) + gapped.index(name)] = missing
            values = values[last_known(missing, begins)]
        result[:, j] = values
    return Filled(names=(*names, *(name + MISSING for name in gapped)), values=result, counts=counts)


def last_known(missing: npt.NDArray[np.bool_], begins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The last row of the same series where a value is known, up to each row; its own where there is none."""
    rows = np.arange(len(missing))
    begin = np.zeros(len(missing), dtype=np.int64)
    begin[begins] = begins
    begin = np.maximum.accumulate(begin)
    known = np.maximum.accumulate(np.where(missing, -1, rows))
    return np.where(known >= begin, known, rows)


def measured(columns: Mapping[str, npt.NDArray[np.float64]], targets: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Where no target is missing, (T,)."""
    return np.asarray(np.all([~np.isnan(columns[name]) for name in targets], axis=0))
