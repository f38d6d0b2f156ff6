"""The median rule (Golovin et al. 2017), within a parameter budget."""

import statistics
from collections.abc import Iterable, Sequence

from hpo.records import TrialRecord

MIN_TRIALS = 5
"""Completed trials of a budget before their median means anything."""


def is_pruned(
    trial: TrialRecord, scores: Sequence[float], others: Iterable[TrialRecord], warmup: int
) -> bool:
    """Whether a trial ends here: its best score is worse than the median of its budget's at this epoch.

    Args:
        trial: The running trial. A forced config is never pruned.
        scores: Its validation scores so far, by epoch; lower is better.
        others: Finished trials.
        warmup: Epochs before a trial may be pruned.
    """
    epoch = len(scores)
    if trial.origin.startswith("forced:") or epoch <= warmup:
        return False
    peers = [
        other.intermediate_values[epoch]
        for other in others
        if other.state == "COMPLETE"
        and other.architecture.parameter_budget == trial.architecture.parameter_budget
        and epoch in other.intermediate_values
    ]
    return len(peers) >= MIN_TRIALS and min(scores) > statistics.median(peers)
