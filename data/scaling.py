"""Standardisation by training rows alone, in float64, whatever the values' unit and offset.

Column by column, so that a long table is never held twice.

Legend: T rows, C channels.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .base import RowRange

Array = npt.NDArray[np.float64]


ROUNDING = 1e-12
"""A column that spreads by a smaller share of its mean is constant, but for rounding."""

SILENT = float(np.finfo(np.float64).max)
"""Divided by it, whatever a column does is 0."""


def fit(values: Array, ranges: Sequence[RowRange]) -> tuple[Array, Array]:
    """Mean and standard deviation of each column over some row ranges.

    Args:
        values: Shape (T, C).
        ranges: The rows that training windows may read.

    Returns:
        Mean and standard deviation, each (C,); the latter is 0 where a column is constant over those rows.
    """
    mean, std = np.empty(values.shape[1]), np.empty(values.shape[1])
    for j in range(values.shape[1]):
        column = np.concatenate([values[start:stop, j] for start, stop in ranges], dtype=np.float64)
        known = column[~np.isnan(column)]
        mean[j], std[j] = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
    return mean, np.where(std > ROUNDING * np.abs(mean), std, 0.0)


def apply(values: Array, mean: Array, std: Array) -> npt.NDArray[np.float32]:
    """Standardise columns, (T, C) to float32, row after row in memory; a missing value becomes the mean."""
    scaled = np.empty(values.shape, dtype=np.float32)
    for j in range(values.shape[1]):
        column = (values[:, j] - mean[j]) / std[j]
        column[np.isnan(column)] = 0.0
        scaled[:, j] = column
    return scaled
