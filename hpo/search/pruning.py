"""The median rule (Golovin et al., "Google Vizier", KDD 2017), within a parameter budget."""

import statistics
from collections.abc import Sequence

from hpo.search.searcher import RunningTrial
from hpo.trial.history import History

MIN_TRIALS = 5
"""Completed trials of a budget before their median means anything."""


def is_worse_than_median(best: float, peers: Sequence[float], sign: float) -> bool:
    """Whether a trial's best value so far is worse than the median of its peers' values at the same step.

    Args:
        best: The trial's.
        peers: Of completed trials; with fewer than :data:`MIN_TRIALS` nothing is worse.
        sign: 1 where lower is better, -1 where higher is.
    """
    return len(peers) >= MIN_TRIALS and sign * best > sign * statistics.median(peers)


def is_pruned(trial: RunningTrial, history: History, warmup: int) -> bool:
    """Whether a trial ends here.

    Args:
        trial: A forced config is never pruned. The epochs of its last fold count, against the same fold of
            others.
        history: Holds the completed trials of its budget.
        warmup: Epochs of a fold before a trial may be pruned.
    """
    intent, last = trial.intent, trial.curve[-1]
    if intent.origin.is_forced or last.epoch <= warmup:
        return False
    sign = intent.objective.sign
    best = min(sign * row.value for row in trial.curve if row.fold == last.fold)
    step = intent.training.step_of(last.fold, last.epoch)
    peers = history.scores_at(intent.architecture.parameter_budget, step)
    return is_worse_than_median(sign * best, peers, sign)
