"""What a reference is, and all of a study's.

Legend: N windows of a validation part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hpo.data.base import ForecastData
from hpo.scoring.references.windows import Array
from hpo.scoring.scorer import Scorer

Kind = Literal["naive", "fitted"]
"""Naive forecasts know no model; skill is measured against the best of them."""

Scores = dict[str, dict[str, float]]
"""Metrics by name of the reference."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One reference.

    Attributes:
        name: As records and pages have it.
        kind: Whether it knows a model.
        metrics: Of each fold's validation windows.
        losses: The task's proper score of each validation window, (N,), one array a fold.
        detail: How it was fitted, in words.
    """

    name: str
    kind: Kind
    metrics: tuple[dict[str, float], ...]
    losses: tuple[npt.NDArray[np.floating], ...]
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A reference that could not be had, and why, in words."""

    name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class References:
    """The references of one study.

    Attributes:
        found: All that could be had.
        naive: Name of the naive forecast with the best objective: what skill is measured against.
        season: Rows in a season, given or found; None where nothing repeats.
        scorers: Turn outputs into metrics, one a fold.
        missing: Those that could not be had: no sentence on the toughest may be silent on them.
    """

    found: tuple[Reference, ...]
    naive: str
    season: int | None
    scorers: tuple[Scorer, ...]
    missing: tuple[Missing, ...] = ()

    @property
    def metrics(self) -> Scores:
        """Validation metrics by name, their means over the folds."""
        return {reference.name: mean_metrics(reference.metrics) for reference in self.found}

    @property
    def by_fold(self) -> tuple[Scores, ...]:
        """Validation metrics of each fold, by name."""
        return tuple(
            {reference.name: reference.metrics[i] for reference in self.found}
            for i in range(len(self.scorers))
        )

    @property
    def toughest(self) -> str:
        """Name of the reference with the best proper score, whatever the objective."""
        score = self.scorers[0].task.proper_score
        metrics = self.metrics
        return min(metrics, key=lambda name: metrics[name][score])

    def with_more(self, more: Sequence[Reference | Missing]) -> "References":
        """These, and others that were computed beside the search."""
        names = {other.name for other in more}
        found = [reference for reference in self.found if reference.name not in names]
        missing = [reference for reference in self.missing if reference.name not in names]
        return replace(
            self,
            found=(*found, *(other for other in more if isinstance(other, Reference))),
            missing=(*missing, *(other for other in more if isinstance(other, Missing))),
        )

    def stored(self) -> dict[str, Any]:
        """What a manifest keeps: all but the losses of the windows, which have a file of their own."""
        return {
            "folds": list(self.by_fold),
            "naive": self.naive,
            "toughest": self.toughest,
            "season": self.season,
            "kinds": {reference.name: reference.kind for reference in self.found},
            "details": {reference.name: reference.detail for reference in self.found if reference.detail},
            "missing": {other.name: other.why for other in self.missing},
        }


def mean_metrics(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The means of those metrics that every fold has."""
    names = [name for name in folds[0] if all(name in metrics for metrics in folds)]
    return {name: sum(metrics[name] for metrics in folds) / len(folds) for name in names}


def scored(
    name: str,
    kind: Kind,
    outputs: Sequence[Array],
    folds: Sequence[ForecastData],
    scorers: Sequence[Scorer],
    detail: str = "",
) -> Reference:
    """A reference from its outputs on each fold's validation windows, (N, O)."""
    metrics, losses = [], []
    for output, data, scorer in zip(outputs, folds, scorers, strict=True):
        val = data.splits.val
        targets = data.targets_at(val).astype(np.float64)
        last = data.target_values[val].astype(np.float64)
        metrics.append(scorer.metrics(output, targets, last))
        losses.append(scorer.losses(output, targets))
    return Reference(name=name, kind=kind, metrics=tuple(metrics), losses=tuple(losses), detail=detail)
