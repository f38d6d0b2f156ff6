"""The median rule (Golovin et al. 2017), within a parameter budget."""

import statistics
from collections.abc import Iterable, Sequence

from hpo.trial.events import EpochResult
from hpo.trial.record import TrialRecord

MIN_TRIALS = 5
"""Completed trials of a budget before their median means anything."""


def is_pruned(
    trial: TrialRecord, curve: Sequence[EpochResult], others: Iterable[TrialRecord], warmup: int
) -> bool:
    """Whether a trial ends here: its best value is worse than the median of its budget's at this epoch.

    Args:
        trial: The running trial. A forced config is never pruned.
        curve: Its epochs so far. Those of the last one's fold count, against the same fold of others.
        others: Finished trials.
        warmup: Epochs of a fold before a trial may be pruned.
    """
    last = curve[-1]
    if trial.origin.startswith("forced:") or last.epoch <= warmup:
        return False
    step = trial.training.step_of(last.fold, last.epoch)
    sign = trial.objective.sign
    peers = [
        sign * other.intermediate_values[step]
        for other in others
        if other.state == "COMPLETE"
        and other.architecture.parameter_budget == trial.architecture.parameter_budget
        and step in other.intermediate_values
    ]
    best = min(sign * row.value for row in curve if row.fold == last.fold)
    return len(peers) >= MIN_TRIALS and best > statistics.median(peers)
