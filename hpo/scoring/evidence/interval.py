"""The interval of a difference of mean losses, where one of the two was chosen from many.

Legend: N trials, W windows, F folds, E epochs.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpo.scoring.evidence.blocks import Blocks
from hpo.scoring.evidence.selection import (
    critical_value,
    draw,
    independent_epochs,
    independent_trials,
)
from hpo.scoring.evidence.units import Array

LEAST_BLOCKS = 8
"""Fewer blocks settle nothing."""

ADAPTIVE = 10
"""A trial that a sampler suggested by earlier losses counts as so many: it climbs to what luck has to offer.
From searches by Optuna's TPE where no config is better than another (``docs/evidence.md``)."""

MANY = 100
"""More than so many times the windows there are is as good as never."""

_SAME = 1e-3
"""In errors: float32 losses have means that differ by less."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """What the best trial was chosen from.

    Attributes:
        losses: Of its trials, (N, W).
        curves: Their loss on the same windows by fold and epoch, (N, F, E), NaN where there was no epoch;
            None where no epoch was chosen on these windows.
        n_trials: How many trials it was, N or more.
        n_adaptive: How many of them were suggested by what earlier ones lost on these windows.
    """

    losses: npt.NDArray[np.floating]
    curves: Array | None
    n_trials: int
    n_adaptive: int

    @property
    def count(self) -> int:
        """Independent trials that they are at most."""
        return self.n_trials + (ADAPTIVE - 1) * self.n_adaptive


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A difference of means, and how far it may be from the truth.

    Attributes:
        difference: Of the mean losses.
        error: Its standard error.
        n_blocks: Whole blocks that fit.
        tail: The chance that each end leaves out.
        above: How many independent choices the best counts as at the upper end.
        below: Likewise at the lower end.
    """

    difference: float
    error: float
    n_blocks: int
    tail: float
    above: float
    below: float

    @property
    def low(self) -> float | None:
        """The lower end; None for a single block."""
        return None if self.n_blocks < 2 else self.difference - self._reach(self.below, self.n_blocks)

    @property
    def high(self) -> float | None:
        """The upper end; None for a single block."""
        return None if self.n_blocks < 2 else self.difference + self._reach(self.above, self.n_blocks)

    def settles(self) -> bool:
        """Whether it holds 0 on neither side, by blocks enough."""
        if self.low is None or self.high is None or self.n_blocks < LEAST_BLOCKS:
            return False
        return self.high < 0.0 or self.low > 0.0

    def times_to_settle(self) -> float | None:
        """How many times as many windows would settle it, were the difference to stay; None for too many."""
        choices = self.above if self.difference < 0.0 else self.below
        for times in np.geomspace(1.0, MANY, 500):
            n_blocks = int(self.n_blocks * times)
            if n_blocks >= LEAST_BLOCKS:
                reach = self._reach(choices, n_blocks) / math.sqrt(times)
                if reach < abs(self.difference):
                    return float(times)
        return None

    def _reach(self, choices: float, n_blocks: int) -> float:
        return critical_value(choices, self.tail, n_blocks) * self.error


def find_interval(
    best: Array, reference: Array, field: Field, blocks: Blocks, *, level: float, seed: int
) -> Interval:
    """The interval of the best's mean loss minus the reference's.

    Its upper end holds for all that the best was chosen from at once. Its lower end needs no such care where
    the best has the least mean loss of all: what is chosen for its low loss does not seem worse than it is.

    Args:
        best: Losses of the best trial, (W,).
        reference: Losses of the reference, (W,).
        field: What the best was chosen from, itself among it.
        blocks: What is resampled.
        level: How often such intervals are to hold the truth.
        seed: Of the draws.
    """
    own = (best - reference)[None]
    difference, error = float(blocks.units.means(own)[0]), float(blocks.errors(blocks.averages(own))[0])
    tail, n = (1.0 - level) / 2.0, blocks.n
    above = below = float(field.count)  # too few blocks to draw from: all count as independent
    if n >= LEAST_BLOCKS and error > 0.0:
        per_trial = field.count / len(field.losses)
        bound = critical_value(field.n_trials, tail, n)
        alone = draw(best[None], reference, blocks, seed=seed)
        drawn = draw(
            field.losses, reference, blocks, seed=seed, limit=difference + bound * error, bound=bound
        )
        above = per_trial * independent_trials(-np.minimum(alone.lowest, drawn.lowest), tail, n)
        if field.curves is not None and drawn.kept.any():
            above *= _epochs(field.curves[drawn.kept], drawn.errors[drawn.kept], above, tail, n)
        least = float(np.min(blocks.units.means(field.losses))) - float(
            blocks.units.means(reference[None])[0]
        )
        if difference <= least + _SAME * error:
            below = independent_trials(alone.highest, tail, n)
        else:
            below = per_trial * independent_trials(np.maximum(alone.highest, drawn.highest), tail, n)
    return Interval(difference=difference, error=error, n_blocks=n, tail=tail, above=above, below=below)


def _epochs(curves: Array, errors: Array, trials: float, tail: float, n_blocks: int) -> float:
    """Independent epochs a trial, at the bound that trials and epochs make together."""
    epochs = 1.0
    for _ in range(100):
        found = independent_epochs(curves, errors, critical_value(trials * epochs, tail, n_blocks))
        if abs(found - epochs) < 1e-3 * epochs:
            break
        epochs = found
    return epochs
