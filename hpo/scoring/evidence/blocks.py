"""The block bootstrap of many means at once, each studentised in every draw.

Blocks of neighbouring units are drawn with replacement, the same ones for all trials, so that what trials
share stays shared. In each draw a mean's error is estimated from that draw's blocks alone (Götze and Künsch
1996): so its quantiles hold what few blocks do, as Student's t would, and what skewed losses do.

Legend: N trials, W windows, U units, S places where a block may begin, B draws.
"""

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hpo.scoring.evidence.units import Array, Units

Float32 = npt.NDArray[np.float32]

MOST_BLOCKS = 100
"""More blocks than this make nothing surer, and longer ones lose less of what neighbours share."""

LONGER = 1.25
"""Blocks are longer by this than what gives the least error of a variance: an interval that covers needs
longer ones (Sun, Phillips and Jin 2008)."""

PLACES_PER_BLOCK = 8
"""A block may begin at every unit, or, where blocks are long, at so many places along one."""

_LEAST_SERIES = 10
"""Of fewer units nothing can be learnt about what neighbours share."""

_TINY = np.float32(1e-9)


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """How the units are cut: into blocks of ``length`` units."""

    units: Units
    length: int

    @property
    def n(self) -> int:
        """Whole blocks that fit."""
        return len(self.units) // self.length

    def averages(self, values: Array) -> Array:
        """From values a window, (N, W): what each block deviates from the mean, (N, S).

        The last blocks go on at the first unit, as on a circle (Politis and Romano 1992).
        """
        deviations = self.units.deviations(values)
        around = np.concatenate([deviations, deviations[:, : self.length - 1]], axis=1)
        sums = np.cumsum(np.pad(around, ((0, 0), (1, 0))), axis=1)
        places = self._places
        return np.asarray((sums[:, places + self.length] - sums[:, places]) / self.length)

    def errors(self, averages: Array) -> Array:
        """The standard errors (N,) of means: those of their blocks over the root of how many there are.

        All blocks count, also those that overlap (Künsch 1989).
        """
        return np.asarray(np.sqrt(np.mean(averages**2, axis=1) * self.length / len(self.units)))

    def draws(self, n: int, seed: int) -> Float32:
        """How often each place's block is taken in each draw, (S, B)."""
        return _taken(len(self._places), self.n, n, seed)

    @property
    def _places(self) -> npt.NDArray[np.int64]:
        return np.arange(0, len(self.units), max(1, self.length // PLACES_PER_BLOCK))


@lru_cache(maxsize=1)
def _taken(n_places: int, n_blocks: int, n_draws: int, seed: int) -> Float32:
    chances = np.full(n_places, 1.0 / n_places)
    taken = np.random.default_rng(seed).multinomial(n_blocks, chances, size=n_draws)
    return np.ascontiguousarray(taken.T, dtype=np.float32)


def studentised(averages: Array, draws: Float32) -> Float32:
    """Drawn means over their drawn errors, (N, B), from blocks (N, S); 0 where a draw has no spread.

    The errors are root mean squares, as those of :meth:`Blocks.errors` are.
    """
    spread = np.sqrt(np.mean(averages**2, axis=1, keepdims=True))
    blocks = (averages / np.where(spread > 0.0, spread, 1.0)).astype(np.float32)
    n = draws[:, 0].sum()
    means = blocks @ draws / n
    variances = blocks**2 @ draws / n - means**2
    found = means / np.sqrt(np.maximum(variances, _TINY) / n)
    return np.asarray(np.where(variances > _TINY, found, 0.0), dtype=np.float32)


def cut(units: Units, series: Array, horizon: int) -> Blocks:
    """Cut units into blocks: long enough for what neighbours share, at most half of all units.

    Args:
        units: What is resampled; groups are blocks of their own.
        series: Loss differences a window, (n, W). The length is the median of what each asks for (Politis
            and White 2004, corrected by Patton, Politis and White 2009), times :data:`LONGER`.
        horizon: The least length, in moments: targets nearer than this overlap.
    """
    if units.whole_groups:
        return Blocks(units=units, length=1)
    asked = LONGER * _asked_for(units.deviations(series))
    least = max(horizon / units.moments, len(units) / MOST_BLOCKS)
    length = math.ceil(max(asked, least))
    return Blocks(units=units, length=max(1, min(length, len(units) // 2)))


def _asked_for(deviations: Array) -> float:
    with warnings.catch_warnings():  # it changes the filters of whoever imports it
        from arch.bootstrap import optimal_block_length  # takes seconds to import

    moving = deviations[deviations.std(axis=1) > 0.0]
    if len(moving) == 0 or moving.shape[1] < _LEAST_SERIES:
        return 1.0
    return float(optimal_block_length(moving.T)["circular"].median())
