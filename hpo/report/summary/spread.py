"""How the completed trials' scores are spread, and how near to each other the best of them lie."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, median, quantiles, stdev

from hpo.report.summary.schema import Closeness, Distribution
from hpo.trial.flags import NEAR_DUPLICATE
from hpo.trial.record import TrialRecord, epoch_values

TOP = 5
"""The best trials that are held against each other."""


def distribution(done: Sequence[TrialRecord]) -> Distribution | None:
    """Moments and quartiles of the scores; None where there are none."""
    values = _values(done)
    if not values:
        return None
    several = len(values) > 1
    # "inclusive" interpolates between the sorted values, as numpy and pandas do.
    q1, q2, q3 = quantiles(values, n=4, method="inclusive") if several else values * 3
    return Distribution(
        n=len(values),
        min=min(values),
        q1=q1,
        median=q2,
        q3=q3,
        max=max(values),
        mean=mean(values),
        std=stdev(values) if several else None,
    )


def closeness(done: Sequence[TrialRecord]) -> Closeness | None:
    """How near the best trials lie; None for fewer than two.

    Args:
        done: The completed trials, best first.
    """
    top = done[:TOP]
    if len(top) < 2:
        return None
    scores, twins, changes = _values(top), _twin_distances(done), _epoch_changes(top)
    return Closeness(
        n=len(top),
        spread=abs(scores[-1] - scores[0]),
        epoch_change=median(changes) if changes else None,
        twins=len(twins),
        twin_difference=median(twins) if twins else None,
    )


def _twin_distances(done: Sequence[TrialRecord]) -> list[float]:
    """How far each trial flagged as a near-duplicate scores from the trial it repeats."""
    values = {record.trial_number: record.value for record in done if record.value is not None}
    distances = []
    for record in done:
        for twin in (flag.trial_number for flag in record.flags if flag.name == NEAR_DUPLICATE):
            if twin in values:
                distances.append(abs(values[record.trial_number] - values[twin]))
    return distances


def _epoch_changes(top: Sequence[TrialRecord]) -> list[float]:
    """How far the objective moves from each epoch to the next."""
    return [
        abs(after - before)
        for record in top
        for values in epoch_values(record).values()
        for (_, before), (_, after) in pairwise(values)
    ]


def _values(done: Sequence[TrialRecord]) -> list[float]:
    return [record.value for record in done if record.value is not None]
