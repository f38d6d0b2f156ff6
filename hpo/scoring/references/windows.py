"""What references know of a window: its inputs and the past of its targets, up to the window's end.

Legend: N windows, L context_length, C channels, S steps ahead, K target columns, P inputs.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from hpo.data.base import ForecastData

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

N_ORIGINS = 4
FIRST_ORIGIN = 0.2
"""Fitted references are chosen over so many origins, the first after this share of the training windows."""

_CHUNK = 2_000

LEAST_WEIGHT = 0.01
"""Candidates of less are left out."""


class OutOfTimeError(Exception):
    """A reference would not be done by its deadline."""


def has_past(data: ForecastData) -> bool:
    """Whether targets are values to come, of a series whose past is known."""
    return bool(data.table.target_channels) and min(data.table.target_offsets) >= 1


def targets(data: ForecastData, ends: Rows, steps: npt.ArrayLike) -> Array:
    """The targets so many rows ahead, (N, S, K)."""
    return np.asarray(data.target_values[ends[:, None] + np.asarray(steps)], dtype=np.float64)


def past(data: ForecastData, ends: Rows, season: int, steps: npt.ArrayLike) -> Array:
    """Each step's value one or more whole seasons before, the latest that is known, (N, S, K).

    Season 1 is the last value. Seasons may reach back beyond the window, never beyond its end.
    """
    ahead = np.asarray(steps)
    return lagged(data, ends, season * -(-ahead // season) - ahead)


def lagged(data: ForecastData, ends: Rows, lags: npt.ArrayLike) -> Array:
    """The target columns so many rows before the windows' ends, (N, lags, K).

    Where the window's segment begins later (nothing is known before a gap, or of another group), they are the
    last values.
    """
    begins = np.array([start for start, _ in data.table.segments])
    begin = begins[np.searchsorted(begins, ends, side="right") - 1]
    rows = ends[:, None] - np.asarray(lags)
    rows = np.where(rows >= begin[:, None], rows, ends[:, None])
    return np.asarray(data.target_values[rows], dtype=np.float64)


def window(data: ForecastData, ends: Rows, channels: Sequence[int], n_rows: int) -> Array:
    """The latest rows of some channels, (N, rows, channels)."""
    rows = ends[:, None] + np.arange(1 - n_rows, 1)
    return np.asarray(data.features[rows[:, :, None], np.asarray(channels)], dtype=np.float64)


STATISTICS = ("last", "std", "mean", "min", "max", "mean of the latest quarter")
"""Of each channel over the window; the latter four relative to the last value."""


def statistics(data: ForecastData, ends: Rows, channels: Sequence[int]) -> Array:
    """The statistics of each channel over the window, (N, channels x 6), channel after channel."""
    quarter = max(1, data.context_length // 4)
    parts = []
    for start in range(0, len(ends), _CHUNK):
        rows = window(data, ends[start : start + _CHUNK], channels, data.context_length)
        last = rows[:, -1]
        relative = (rows.mean(axis=1), rows.min(axis=1), rows.max(axis=1), rows[:, -quarter:].mean(axis=1))
        over = (last, rows.std(axis=1), *(value - last for value in relative))
        parts.append(np.stack(over, axis=2).reshape(len(rows), -1))
    return np.concatenate(parts)


def in_order(data: ForecastData, ends: Rows, at_most: int | None = None) -> Rows:
    """Windows in the order of :func:`rolling_origins`; at most the latest so many, whatever their group."""
    ordered = ends[np.argsort(known_at(data, ends), kind="stable")]
    if at_most is not None:
        ordered = ordered[-at_most:]
    groups = _groups_to_come(data)
    return ordered if groups is None else ordered[np.argsort(groups[ordered], kind="stable")]


def known_at(data: ForecastData, ends: Rows) -> npt.NDArray[np.datetime64]:
    """When the last value that a window's target looks at is known, (N,)."""
    ahead = data.horizon if data.table.look_ahead is None else data.table.look_ahead
    times: npt.NDArray[np.datetime64] = data.table.timestamps[ends + ahead]
    return times


def rolling_origins(data: ForecastData, ends: Rows) -> list[tuple[int, Rows]]:
    """Origins at which a reference may be judged by what came next, inside the training part.

    Several over most of the part, not one at its end: a single season is easily forecast by luck. Where
    validation is on groups that training has not, what comes next is the next groups.

    Args:
        data: The data.
        ends: Training windows, in order.

    Returns:
        For each origin how many of the windows, the first ones, had their targets known then, and the windows
        after it. Origins with no window before them are left out.
    """
    edges = np.linspace(FIRST_ORIGIN * len(ends), len(ends), N_ORIGINS + 1).astype(np.int64)
    groups, known = _groups_to_come(data), known_at(data, ends)
    if groups is not None:
        of_windows = groups[ends]
        edges[:-1] = np.searchsorted(of_windows, of_windows[edges[:-1]])
    origins = []
    for start, stop in pairwise(edges.tolist()):
        if stop > start:
            first = data.table.timestamps[ends[start:stop]].min()
            n_known = start if groups is not None else int(np.searchsorted(known, first, side="right"))
            if n_known > 0:
                origins.append((min(n_known, start), ends[start:stop]))
    return origins


def _groups_to_come(data: ForecastData) -> npt.NDArray[np.int32] | None:
    """Each row's group, if the training and the validation part have none in common; else None."""
    groups, splits = data.table.groups, data.splits
    if groups is None or np.isin(groups[splits.val], groups[splits.train]).any():
        return None
    return groups


def weights_of(errors: Sequence[float], sharpness: float) -> list[float]:
    """Weights of candidates for a mean forecast: errors to a negative power (Stock and Watson 2004)."""
    least = max(min(errors), float(np.finfo(np.float64).tiny))
    weights = np.array([(least / max(error, least)) ** sharpness for error in errors])
    weights[weights < LEAST_WEIGHT * weights.sum()] = 0.0
    return [float(weight) for weight in weights / weights.sum()]
