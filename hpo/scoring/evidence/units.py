"""From losses a window to what is resampled: moments in time, or whole groups.

Legend: N trials, W windows, U units.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MAX_UNITS = 5_000
"""Of more moments than this, neighbours are taken together: a block is at least a hundredth of them all."""


@dataclass(frozen=True, kw_only=True)
class Units:
    """What is resampled, in the order of time, and which windows each unit holds.

    Attributes:
        order: The windows, unit after unit, (W,).
        starts: Where in ``order`` each unit begins, (U,).
        weights: What a window counts in the mean, in the windows' own order, (W,); their mean is 1.
        moments: Moments in a unit; several where there are very many of them.
        whole_groups: Whether a unit is a group, independent of its neighbours.
    """

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    weights: Array
    moments: int
    whole_groups: bool

    def __len__(self) -> int:
        return len(self.starts)

    def means(self, values: npt.NDArray[np.floating]) -> Array:
        """The weighted means (N,) of values a window, (N, W)."""
        return np.asarray(values @ self.weights / values.shape[1])

    def deviations(self, values: Array) -> Array:
        """What each unit adds to a mean: (N, U), centred at 0, from values a window, (N, W).

        Units with more windows, or heavier ones, count for more: this is the influence of each unit on the
        ratio of sums that a mean over all windows is.
        """
        centred = (values - self.means(values)[:, None]) * self.weights
        if len(self) == values.shape[1]:
            return centred[:, self.order]
        sums = np.add.reduceat(centred[:, self.order], self.starts, axis=1)
        return np.asarray(sums * (len(self) / values.shape[1]))


def make_units(
    n_windows: int,
    times: npt.NDArray[np.generic] | None = None,
    groups: npt.NDArray[np.generic] | None = None,
    weights: Array | None = None,
) -> Units:
    """Group windows into the units that are resampled.

    Args:
        n_windows: W.
        times: When each window ends, (W,): windows of one moment stay together, in the order of time. None
            takes the windows as they stand, each a moment of its own.
        groups: The group of each window, (W,): whole groups are resampled, whatever their times.
        weights: What each window counts in the mean, (W,); None counts all alike.
    """
    key = groups if groups is not None else times
    unit = np.arange(n_windows) if key is None else np.unique(key, return_inverse=True)[1]
    moments = 1
    if groups is None:
        moments = -(-(int(unit.max()) + 1) // MAX_UNITS)
        unit = unit // moments
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
    weights = np.ones(n_windows) if weights is None else weights / weights.mean()
    return Units(
        order=order, starts=starts, weights=weights, moments=moments, whole_groups=groups is not None
    )
