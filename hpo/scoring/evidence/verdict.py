"""The verdict: is the best trial better than a reference, by how much, and how sure is that.

Legend: N trials, W windows, F folds, E epochs.
"""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from hpo.scoring.evidence.blocks import Blocks, cut
from hpo.scoring.evidence.interval import LEAST_BLOCKS, MANY, Field, Interval, find_interval
from hpo.scoring.evidence.units import Array, make_units

LEVEL = 0.95

LEADERS = 20
"""So many of the best trials say how long a block must be."""

Word = Literal["better", "no evidence", "worse"]
Part = Literal["validation", "test"]


class Finding(BaseModel):
    """How a trial compares with a reference on the same windows.

    Attributes:
        word: "better" only if ``high`` < 0, "worse" only if ``low`` > 0, else "no evidence"; always that
            where fewer than 8 blocks fit.
        against: The reference.
        difference: The trial's mean loss minus the reference's, in the task's proper score.
        low: The interval's lower end; null for a single window.
        high: Its upper end, the further one: the best of many is likely to be worse than it seems.
        level: How often such intervals hold the truth.
        n_windows: Windows compared.
        block_length: Moments in time that are resampled together; 1 where whole groups are.
        n_blocks: Whole blocks that fit.
        corrected_for: Trials that it was chosen from as the best.
        part: The part of the data.
        more_windows: As many more would settle it, were the difference to stay, or are needed at the least
            where there are too few; null where it is settled, or where a hundred times as many would not do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    word: Word
    against: str
    difference: float
    low: float | None
    high: float | None
    level: float
    n_windows: int
    block_length: int
    n_blocks: int
    corrected_for: int
    part: Part
    more_windows: int | None


class Verdict(Finding):
    """A finding, and the same in one sentence."""

    text: str


def verdict(
    best: npt.NDArray[np.floating],
    reference: npt.NDArray[np.floating],
    candidates: npt.NDArray[np.floating] | None = None,
    *,
    against: str,
    part: Part = "validation",
    curves: Array | None = None,
    n_trials: int | None = None,
    n_adaptive: int = 0,
    horizon: int = 1,
    times: npt.NDArray[np.generic] | None = None,
    groups: npt.NDArray[np.generic] | None = None,
    weights: Array | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Verdict:
    """Hold the best trial against a reference, window by window.

    Args:
        best: Losses of the best trial, in the task's proper score, (W,).
        reference: Losses of the reference on the same windows, (W,).
        candidates: Those of all trials that it was chosen from, (N, W); None where there was no choice.
        against: The reference's name.
        part: The part of the data that the windows are of.
        curves: The candidates' loss on these windows by fold and epoch, (N, F, E), NaN where there was no
            epoch: what their best epochs were chosen from. None where no epoch was chosen on these windows.
        n_trials: How many trials it was chosen from, where the losses of some are missing.
        n_adaptive: How many of them were suggested by what earlier ones lost on these windows, as TPE does.
        horizon: Moments that a target spans: a block is never shorter.
        times: When each window ends, (W,): windows of one moment (several series) are resampled together.
            None takes the windows as they stand, in the order of time.
        groups: Each window's group, (W,), where whole groups are held out: they are resampled whole.
        weights: What each window counts in a mean, (W,); None counts all alike.
        level: How often such intervals are to hold the truth.
        seed: Of the bootstrap's draws.

    Raises:
        ValueError: The windows differ in number, or a loss is not finite.
    """
    best, reference = (np.asarray(losses, dtype=np.float64) for losses in (best, reference))
    losses = best[None] if candidates is None else np.asarray(candidates)
    _check(best, reference, losses, curves)
    field = Field(
        losses=losses,
        curves=curves,
        n_trials=max(len(losses), n_trials or 0),
        n_adaptive=n_adaptive,
    )
    units = make_units(len(best), times, groups, weights)
    leaders = losses[np.argsort(units.means(losses), kind="stable")[:LEADERS]]
    blocks = cut(units, np.concatenate([best[None], leaders]) - reference, horizon)
    found = find_interval(best, reference, field, blocks, level=level, seed=seed)
    finding = Finding(
        word=_word(found),
        against=against,
        difference=found.difference,
        low=found.low,
        high=found.high,
        level=level,
        n_windows=len(best),
        block_length=blocks.length * units.moments,
        n_blocks=found.n_blocks,
        corrected_for=field.n_trials,
        part=part,
        more_windows=_more(found, blocks, horizon, len(best)),
    )
    return Verdict(**finding.model_dump(), text=sentence(finding))


def sentence(finding: Finding) -> str:
    """A finding in one sentence."""
    several = finding.corrected_for > 1
    who = f"the best of {finding.corrected_for:,} trials" if several else "the trial"
    on = f"over {_windows(finding.n_windows)} of the {finding.part} part"
    if finding.word == "no evidence":
        return f"No evidence that {who} is better than {finding.against}: {on} {_open(finding)}."
    better = finding.word == "better"
    ends = sorted(abs(end) for end in (finding.low, finding.high) if end is not None)
    return (
        f"{who[0].upper()}{who[1:]} is {finding.word} than {finding.against}: {on} its mean loss is "
        f"{abs(finding.difference):.4g} {'lower' if better else 'higher'} ({ends[0]:.4g} to {ends[1]:.4g} at "
        f"{finding.level:.0%} confidence{', the choice among trials allowed for' if several else ''})."
    )


def _open(finding: Finding) -> str:
    """Why it is not settled, and what would settle it."""
    found = f"its mean loss differs by {finding.difference:+.4g}"
    if finding.low is not None:
        found += f" ({finding.low:+.4g} to {finding.high:+.4g} at {finding.level:.0%} confidence)"
    if finding.n_blocks < LEAST_BLOCKS:
        return (
            f"{found}, but these are too few windows: they make {finding.n_blocks} independent "
            f"block{'' if finding.n_blocks == 1 else 's'}, and {LEAST_BLOCKS} are the least; at least "
            f"{finding.more_windows:,} more are needed"
        )
    if finding.more_windows is None:
        return f"{found}, and {MANY} times as many windows would not settle so small a difference"
    return f"{found}; about {_windows(finding.more_windows)} more would settle it if that stays so"


def _windows(n: int) -> str:
    return f"{n:,} window{'' if n == 1 else 's'}"


def _more(found: Interval, blocks: Blocks, horizon: int, n_windows: int) -> int | None:
    """Windows missing for the least blocks, or for the difference to stand out."""
    if found.n_blocks < LEAST_BLOCKS:
        length = max(blocks.length, 1 if blocks.units.whole_groups else horizon / blocks.units.moments)
        return max(1, math.ceil(LEAST_BLOCKS * length / len(blocks.units) * n_windows) - n_windows)
    times = None if found.settles() else found.times_to_settle()
    return None if times is None else max(1, math.ceil((times - 1.0) * n_windows))


def _word(found: Interval) -> Word:
    if not found.settles():
        return "no evidence"
    return "better" if found.difference < 0.0 else "worse"


def _check(best: Array, reference: Array, losses: npt.NDArray[np.floating], curves: Array | None) -> None:
    shapes = [best.shape, reference.shape, losses.shape[1:]]
    if best.ndim != 1 or len(best) == 0 or len(set(shapes)) > 1:
        raise ValueError(f"losses must be of the same windows, one at least, got shapes {shapes}")
    if curves is not None and (curves.ndim != 3 or len(curves) != len(losses)):
        raise ValueError(
            f"curves must be (trial, fold, epoch) of {len(losses)} trials, got shape {curves.shape}"
        )
    if not all(np.isfinite(values).all() for values in (best, reference, losses)):
        raise ValueError("every loss must be a finite number; leave trials out that have others")
