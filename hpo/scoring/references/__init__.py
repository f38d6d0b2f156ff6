"""The forecasts that any model must beat, on the same validation windows.

Naive ones know no model: the base rate; the last value, the last season, the training mean. Beside them
stand fitted ones that are hard to beat: a linear model (ridge, or logistic regression), gradient boosting,
and, with the extra ``references``, statistical models. All are fitted, and chosen among, on training windows
alone; a forecast may read whatever is known at its window's end.
"""

from hpo.scoring.references.compute import compute_references, make_scorer, restore_references
from hpo.scoring.references.reference import Missing, Reference, References, mean_metrics
from hpo.scoring.references.slow import slow_names, slow_references, time_limit

__all__ = [
    "Missing",
    "Reference",
    "References",
    "compute_references",
    "make_scorer",
    "mean_metrics",
    "restore_references",
    "slow_names",
    "slow_references",
    "time_limit",
]
