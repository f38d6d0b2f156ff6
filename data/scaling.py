"""Standardisation by training rows alone.

Legend: T rows, C channels.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .base import RowRange

Array = npt.NDArray[np.float64]


def fit(values: Array, ranges: Sequence[RowRange]) -> tuple[Array, Array]:
    """Mean and standard deviation of each column over some row ranges.

    Args:
        values: Shape (T, C).
        ranges: The rows that training windows may read.

    Returns:
        Mean and standard deviation, each (C,); a column constant over those rows has 1 for the latter.
    """
    # One memory layout: a sum in another order differs in its last bits.
    rows = np.ascontiguousarray(np.concatenate([values[start:stop] for start, stop in ranges]))
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    return mean, np.where(std > 1e-12 * np.maximum(1.0, np.abs(mean)), std, 1.0)


def apply(values: Array, mean: Array, std: Array) -> npt.NDArray[np.float32]:
    """Standardise columns, (T, C) to float32, row after row in memory."""
    return ((values - mean) / std).astype(np.float32, order="C")
