"""References that are worth a minute: computed beside the search, in a process of their own.

One that does not finish by the deadline, or fails, is named as missing, with the reason: whatever is said of
the toughest reference says so.
"""

import time
from collections.abc import Iterator, Sequence

from hpo.data.base import ForecastData
from hpo.scoring.references import boosting, statistical
from hpo.scoring.references.reference import Missing, Reference, References, scored
from hpo.scoring.references.windows import Array, OutOfTimeError

BOOSTING = "gradient boosting"

LEAST_SECONDS = 60.0
SHARE = 0.05
"""Of the study's time."""


def time_limit(study_seconds: float | None) -> float:
    """Seconds that all of them may take: 60, or 5 % of the study's time, whichever is more."""
    return max(LEAST_SECONDS, SHARE * (study_seconds or 0.0))


def slow_names(folds: Sequence[ForecastData], references: References) -> tuple[str, ...]:
    """What :func:`slow_references` computes, in order."""
    return (BOOSTING, *(statistical.names(folds[0], references.season) if statistical.available() else ()))


def slow_references(
    folds: Sequence[ForecastData], references: References, *, deadline: float
) -> Iterator[Reference | Missing]:
    """Compute them one after the other; each is handed over as it is done.

    Args:
        folds: The study's data.
        references: Those computed before; their scorers and season count.
        deadline: When all must have ended, by ``time.monotonic``. It is looked at between steps of a few
            seconds; who must be sure ends the process, and names what has not come as missing.
    """
    for name in slow_names(folds, references):
        yield _slow(name, folds, references, deadline)


def _slow(
    name: str, folds: Sequence[ForecastData], references: References, deadline: float
) -> Reference | Missing:
    started = time.monotonic()
    outputs: list[Array] = []
    words = ""
    try:
        for data, scorer in zip(folds, references.scorers, strict=True):
            if name == BOOSTING:
                made = boosting.forecast(data, scorer, deadline)
            else:
                made = statistical.forecast(name, data, scorer.season, deadline)
            if made is None:
                return Missing(name=name, why="the training part lacks a class")
            outputs.append(made[0])
            words = made[1]
    except OutOfTimeError:
        return Missing(name=name, why=f"not done after {time.monotonic() - started:.0f} s")
    except statistical.FitError as error:
        return Missing(name=name, why=str(error))
    return scored(name, "fitted", outputs, folds, references.scorers, words)
