"""Which trials cannot be told from the best: an order inside them would be a ranking of noise.

Legend: N trials, W windows, K rivals.
"""

import numpy as np
import numpy.typing as npt

from hpo.scoring.evidence.blocks import Blocks, cut
from hpo.scoring.evidence.interval import LEAST_BLOCKS
from hpo.scoring.evidence.selection import critical_value, draw
from hpo.scoring.evidence.units import Array, make_units
from hpo.scoring.evidence.verdict import LEADERS, LEVEL

MOST_RIVALS = 50
"""Of more trials than this only the best are drawn as rivals, each at its share of the chance of error."""


def confidence_set(
    losses: npt.NDArray[np.floating],
    *,
    horizon: int = 1,
    times: npt.NDArray[np.generic] | None = None,
    groups: npt.NDArray[np.generic] | None = None,
    weights: Array | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> npt.NDArray[np.bool_]:
    """Which trials cannot be told from the best, (N,): those that no rival is shown to be better than.

    Each trial is tested as the benchmark of a reality check (White 2000) against all others; the set of those
    that pass holds the truly best one in at least ``level`` of all cases, as the model confidence set of
    Hansen, Lunde and Nason (2011) does, which is found by elimination instead. Where too few windows tell
    nothing apart, all are left. The trial with the least mean loss always is in.

    Args:
        losses: Of each trial, in the task's proper score, (N, W).
        horizon: As of :func:`~hpo.scoring.evidence.verdict.verdict`, and so the others.
        times: When each window ends, (W,).
        groups: Each window's group, (W,), where whole groups are held out.
        weights: What each window counts in a mean, (W,).
        level: How often the set is to hold the best.
        seed: Of the bootstrap's draws.

    Raises:
        ValueError: A loss is not finite.
    """
    if not np.isfinite(losses).all():
        raise ValueError("every loss must be a finite number; leave trials out that have others")
    units = make_units(losses.shape[1], times, groups, weights)
    means = units.means(losses)
    order = np.argsort(means, kind="stable")
    rivals = losses[order[:MOST_RIVALS]]
    blocks = cut(units, losses[order[:LEADERS]] - losses.mean(axis=0, dtype=np.float64), horizon)
    if len(losses) == 1 or blocks.n < LEAST_BLOCKS:
        return np.ones(len(losses), dtype=np.bool_)
    tail = (1.0 - level) * len(rivals) / len(losses)
    surely = critical_value(len(losses), 1.0 - level, blocks.n)
    return np.array(
        [
            trial == order[0] or _passes(losses[trial], rivals, blocks, tail, surely, seed)
            for trial in range(len(losses))
        ]
    )


def _passes(
    own: npt.NDArray[np.floating],
    rivals: npt.NDArray[np.floating],
    blocks: Blocks,
    tail: float,
    surely: float,
    seed: int,
) -> bool:
    """Whether no rival (K, W) is shown to be better than a trial (W,).

    Args:
        own: The trial's losses.
        rivals: Theirs.
        blocks: What is drawn.
        tail: The chance of error.
        surely: In errors: a lead that no dependence between trials makes a chance of more than ``tail``.
        seed: Of the draws.
    """
    benchmark = np.asarray(own, dtype=np.float64)
    leads = benchmark - rivals
    errors = blocks.errors(blocks.averages(leads))
    differ = errors > 0.0
    if not differ.any():
        return True
    largest = float(np.max(blocks.units.means(leads[differ]) / errors[differ]))
    if largest > surely:
        return False
    drawn = draw(rivals[differ], benchmark, blocks, seed=seed)
    return largest <= float(np.quantile(-drawn.lowest, 1.0 - tail))
