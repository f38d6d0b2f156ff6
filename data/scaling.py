"""Standardisation by training rows alone. Column by column, so that a long table is never held twice.

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
    mean, std = np.empty(values.shape[1]), np.empty(values.shape[1])
    for j in range(values.shape[1]):
        column = np.concatenate([values[start:stop, j] for start, stop in ranges], dtype=np.float64)
        known = column[~np.isnan(column)]
        mean[j], std[j] = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
    return mean, np.where(std > 1e-12 * np.maximum(1.0, np.abs(mean)), std, 1.0)


def apply(values: Array, mean: Array, std: Array) -> npt.NDArray[np.float32]:
    """Standardise columns, (T, C) to float32, row after row in memory; a missing value becomes the mean."""
    scaled = np.empty(values.shape, dtype=np.float32)
    for j in range(values.shape[1]):
        column = (values[:, j] - mean[j]) / std[j]
        column[np.isnan(column)] = 0.0
        scaled[:, j] = column
    return scaled
