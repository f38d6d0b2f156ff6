"""How far the best of many may stand out by luck alone.

The chances add up over all that was chosen from: trials, the epochs of each, and the configs that a sampler
picked each from. What that amounts to is said as a number of independent choices.

Legend: N trials, W windows, F folds, E epochs, B draws.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpo.scoring.evidence.blocks import Blocks, Float32, studentised
from hpo.scoring.evidence.units import Array

DRAWS = 2_000

_CHUNK_LOSSES = 2_000_000
_CHUNK_TRIALS = 512


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What the block bootstrap draws for a field of trials.

    Attributes:
        errors: Standard errors of the trials' mean loss differences, (N,).
        kept: Which trials could have come out best, (N,); the extremes are over these.
        lowest: The least studentised mean of each draw, (B,).
        highest: The largest one, (B,).
    """

    errors: Array
    kept: npt.NDArray[np.bool_]
    lowest: Float32
    highest: Float32


def draw(
    losses: npt.NDArray[np.floating],
    reference: Array,
    blocks: Blocks,
    *,
    seed: int,
    limit: float = math.inf,
    bound: float = 0.0,
) -> Draws:
    """Resample the loss differences of many trials together.

    Args:
        losses: Of each trial, (N, W).
        reference: What they are held against, (W,).
        blocks: What is drawn.
        seed: Of the draws.
        limit: A trial that is by ``bound`` of its errors above this was out of the best's reach, and is left
            out: poor trials do not widen the interval (Hansen 2005).
        bound: See there.
    """
    taken = blocks.draws(DRAWS, seed)
    lowest, highest = (np.full(DRAWS, sign * math.inf, dtype=np.float32) for sign in (1, -1))
    errors, kept = [], []
    size = max(1, min(_CHUNK_TRIALS, _CHUNK_LOSSES // losses.shape[1]))
    for start in range(0, len(losses), size):
        differences = losses[start : start + size] - reference
        averages = blocks.averages(differences)
        errors.append(blocks.errors(averages))
        kept.append(blocks.units.means(differences) - bound * errors[-1] <= limit)
        if kept[-1].any():
            found = studentised(averages[kept[-1]], taken)
            lowest, highest = np.minimum(lowest, found.min(axis=0)), np.maximum(highest, found.max(axis=0))
    return Draws(errors=np.concatenate(errors), kept=np.concatenate(kept), lowest=lowest, highest=highest)


def independent_trials(maxima: Float32, tail: float, n_blocks: int) -> float:
    """As many independent trials would have the same chance of a maximum as high.

    Args:
        maxima: Of the studentised means of all trials, in each draw, (B,): White's reality check (2000).
        tail: The chance at which the two are held against each other.
        n_blocks: Blocks in a draw.
    """
    from scipy.special import stdtr  # takes a second to import

    bound = max(0.0, float(np.quantile(maxima, 1.0 - tail))) / _root_mean_square(n_blocks)
    return tail / max(float(stdtr(n_blocks - 1, -bound)), 1e-300)


def critical_value(choices: float, tail: float, n_blocks: int) -> float:
    """What the best of so many independent means exceeds with a chance of ``tail``, in its errors.

    By Student's t over blocks, and Bonferroni.
    """
    from scipy.special import stdtrit

    return -float(stdtrit(n_blocks - 1, tail / choices)) * _root_mean_square(n_blocks)


def _root_mean_square(n_blocks: int) -> float:
    """Errors are root mean squares over blocks, without Student's n - 1."""
    return math.sqrt(n_blocks / (n_blocks - 1))


def independent_epochs(curves: Array, errors: Array, bound: float) -> float:
    """As many independent epochs would give as much to choose from, the mean over trials.

    The best epoch is chosen on the windows that judge it. How far that flatters it is seen in the learning
    curve: by Davies (1987) a path of standard normal numbers exceeds c with a chance of at most that of one
    number plus V exp(-c² / 2) / sqrt(8 pi), V being its total variation. With h(c) the normal hazard, density
    over tail, the path is worth 1 + h(c) V / 2 numbers, and never more than it has.
    Epochs further than c from the best were not in the choice. Over F folds epochs are chosen F times, and
    each has a share of c / sqrt(F) in a mean that exceeds c.

    Args:
        curves: Validation loss by trial, fold and epoch, (N, F, E); NaN where there was no epoch.
        errors: Standard errors of the trials' mean loss differences, (N,); 0 leaves nothing to choose.
        bound: c.
    """
    n_folds = curves.shape[1]
    scale = np.where(errors > 0.0, errors, np.inf)[:, None, None] * math.sqrt(n_folds)
    best = np.min(np.where(np.isnan(curves), np.inf, curves), axis=2, keepdims=True)
    path = (curves - best) / scale
    near = np.minimum(path, 2.0 * bound)  # a path through the choice swings by so much; NaN stays NaN
    variation = np.nansum(np.abs(np.diff(near, axis=2)), axis=2)
    in_reach = np.maximum(1, np.sum(path < bound, axis=2))
    worth = np.minimum(in_reach, 1.0 + _hazard(bound / math.sqrt(n_folds)) * variation / 2.0)
    return float(np.mean(np.prod(worth, axis=1)))


def _hazard(x: float) -> float:
    """The standard normal density over its upper tail."""
    from scipy.special import log_ndtr

    return math.exp(-0.5 * x * x - 0.5 * math.log(2.0 * math.pi) - float(log_ndtr(-x)))
