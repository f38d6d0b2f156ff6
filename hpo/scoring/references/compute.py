"""The references that a study has before its first trial: the naive ones, and a linear model.

Legend: N windows, O outputs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hpo.data.base import ForecastData
from hpo.data.season import seasonal_period
from hpo.scoring.forecasts import Scale
from hpo.scoring.objective import Objective, check_objective
from hpo.scoring.references import logistic, ridge
from hpo.scoring.references.naive import naive_forecasts, with_variance
from hpo.scoring.references.reference import (
    Missing,
    Reference,
    References,
    mean_metrics,
    scored,
)
from hpo.scoring.scorer import Scorer
from hpo.scoring.task import Task


def compute_references(
    folds: Sequence[ForecastData], task: Task, objective: Objective, *, gaussian: bool = False
) -> References:
    """Score the naive references and the linear one on a study's validation windows.

    They take seconds. Others that are worth a minute are :func:`hpo.scoring.references.slow.slow_references`,
    which no command calls yet: they belong beside the search, under its deadline.

    Args:
        folds: The study's data.
        task: What is forecast.
        objective: What chooses the best naive forecast.
        gaussian: Whether the study forecasts a covariance, too: naive forecasts then have the variance of
            their errors on the training windows.

    Raises:
        ConfigError: The objective cannot be had on these rows.
    """
    season = _season(folds[0], task)  # no fold validates on rows before those it trains on
    scorers = tuple(make_scorer(data, task, season) for data in folds)
    naive = _naive(folds, scorers, gaussian)
    metrics = {reference.name: mean_metrics(reference.metrics) for reference in naive}
    check_objective(objective, next(iter(metrics.values())))
    values = {name: objective.score(scores) for name, scores in metrics.items()}
    losses = {name: objective.sign * value for name, value in values.items() if value is not None}
    found = References(
        found=tuple(naive), naive=min(losses, key=losses.__getitem__), season=season, scorers=scorers
    )
    return found.with_more([_linear(folds, scorers)])


def restore_references(
    folds: Sequence[ForecastData],
    task: Task,
    stored: Mapping[str, Any],
    losses: Mapping[str, npt.NDArray[np.floating]],
) -> References:
    """The references that a study's first run computed on the same data.

    Args:
        folds: The study's data.
        task: What is forecast.
        stored: What :meth:`References.stored` gave.
        losses: Their losses over the windows of all folds, one after the other, by name.

    Raises:
        KeyError: Another version stored them.
    """
    season = stored["season"]
    cuts = np.cumsum([len(data.splits.val) for data in folds])[:-1]
    return References(
        found=tuple(
            Reference(
                name=name,
                kind=kind,
                metrics=tuple(fold[name] for fold in stored["folds"]),
                losses=tuple(np.split(losses[name], cuts)),
                detail=stored["details"].get(name, ""),
            )
            for name, kind in stored["kinds"].items()
        ),
        naive=stored["naive"],
        season=season,
        scorers=tuple(make_scorer(data, task, season) for data in folds),
        missing=tuple(Missing(name=name, why=why) for name, why in stored["missing"].items()),
    )


def make_scorer(data: ForecastData, task: Task, season: int | None) -> Scorer:
    """The scorer of a study, with the training rows' scale and seasonal naive error."""
    steps = len(data.table.target_offsets)
    errors = []
    for k in range(data.target_values.shape[1]):
        differences = [
            np.abs(values[season or 1 :] - values[: -(season or 1)])
            for start, stop in data.splits.rows["train"]
            if len(values := data.table.target_values[start:stop, k]) > (season or 1)
        ]
        errors.append(float(np.nanmean(np.concatenate(differences))) if differences else 0.0)
    return Scorer(
        task=task,
        scale=Scale(
            mean=np.tile(data.target_mean, steps),
            std=np.tile(data.target_std, steps),
            naive_error=np.tile(np.array(errors), steps),
        ),
        class_names=data.table.class_names,
        season=season,
    )


def _naive(folds: Sequence[ForecastData], scorers: Sequence[Scorer], gaussian: bool) -> list[Reference]:
    found = []
    for name, forecast in naive_forecasts(folds[0], scorers[0]).items():
        outputs = [
            with_variance(data, forecast, data.splits.val) if gaussian else forecast(data, data.splits.val)
            for data in folds
        ]
        found.append(scored(name, "naive", outputs, folds, scorers))
    return found


def _linear(folds: Sequence[ForecastData], scorers: Sequence[Scorer]) -> Reference | Missing:
    task = scorers[0].task
    outputs, words = [], []
    for data, scorer in zip(folds, scorers, strict=True):
        made = logistic.forecast(data, scorer) if task.classifies else ridge.forecast(data, scorer.season)
        if made is None:
            return Missing(name=task.linear_name, why="the training part lacks a class")
        outputs.append(made[0])
        words.append(made[1])
    return scored(task.linear_name, "fitted", outputs, folds, scorers, words[-1])


def _season(data: ForecastData, task: Task) -> int | None:
    table = data.table
    if task.classifies or table.season is not None:
        return table.season
    start, stop = max(data.splits.rows["train"], key=lambda rows: rows[1] - rows[0])
    return seasonal_period(table.target_values[start:stop, 0], table.frequency)
