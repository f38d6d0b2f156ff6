"""The simple forecasts that any model must beat, on the same validation windows.

Naive forecasts know no model: the base rate; the last value, the last season, the training mean. Beside them
stands a linear model of the whole window (logistic regression or ridge), whose strength is chosen on the end
of the training part. All see training windows only.

Legend: N windows, L context_length, C channels, O outputs, H horizon, K target columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from hpo.data.base import ForecastData
from hpo.data.season import seasonal_period
from hpo.models.gaussian import raw_scale
from hpo.scoring.forecasts import Array, Scale
from hpo.scoring.objective import Objective, check_objective
from hpo.scoring.scorer import Scorer
from hpo.scoring.task import TASKS, Task

LINEAR = tuple(dict.fromkeys(task.linear_name for task in TASKS.values()))
"""References that are models; skill is measured against the others."""

MAX_LINEAR_VALUES = 40_000_000
"""A linear model sees at most so many numbers (0.16 GB): the latest training windows."""

HELD_OUT = 0.2
"""Share of the training windows, the latest, that choose a linear model's strength."""

Scores = dict[str, dict[str, float]]
"""Metrics by name of the reference."""

_STRENGTHS = (1e2, 1e3, 1e4, 1e5)
"""Ridge penalties for standardised inputs."""


@dataclass(frozen=True, kw_only=True)
class References:
    """The references of one study.

    Attributes:
        by_fold: Validation metrics of each fold, by name of the reference.
        naive: Name of the naive forecast with the best objective: what skill is measured against.
        season: Rows in a season, given or found; None where nothing repeats.
        scorers: Turn outputs into metrics, one a fold.
    """

    by_fold: tuple[Scores, ...]
    naive: str
    season: int | None
    scorers: tuple[Scorer, ...]

    @property
    def metrics(self) -> Scores:
        """Validation metrics by name, their means over the folds."""
        names = [name for name in self.by_fold[0] if all(name in fold for fold in self.by_fold)]
        return {name: mean_metrics([fold[name] for fold in self.by_fold]) for name in names}


def restore_references(
    folds: Sequence[ForecastData], task: Task, by_fold: Sequence[Scores], naive: str, season: int | None
) -> References:
    """The references that a study's first run computed on the same data."""
    scorers = tuple(make_scorer(data, task, season) for data in folds)
    return References(by_fold=tuple(by_fold), naive=naive, season=season, scorers=scorers)


def compute_references(
    folds: Sequence[ForecastData], task: Task, objective: Objective, *, gaussian: bool = False
) -> References:
    """Score every reference on a study's validation windows.

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
    by_fold = tuple(_scores(data, scorer, gaussian) for data, scorer in zip(folds, scorers, strict=True))
    found = References(by_fold=by_fold, naive="", season=season, scorers=scorers)
    naive = {name: scores for name, scores in found.metrics.items() if name not in LINEAR}
    check_objective(objective, next(iter(naive.values())))
    values = {name: objective.score(scores) for name, scores in naive.items()}
    losses = {name: objective.sign * value for name, value in values.items() if value is not None}
    return replace(found, naive=min(losses, key=losses.__getitem__))


def mean_metrics(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The means of those metrics that every fold has."""
    names = [name for name in folds[0] if all(name in metrics for metrics in folds)]
    return {name: sum(metrics[name] for metrics in folds) / len(folds) for name in names}


def _scores(data: ForecastData, scorer: Scorer, gaussian: bool) -> Scores:
    """The metrics of all references on one validation part."""
    train, val = data.splits.train, data.splits.val
    targets, last = (values.astype(np.float64) for values in (data.targets_at(val), data.target_values[val]))
    outputs = {}
    for name, forecast in _naive_forecasts(data, scorer).items():
        outputs[name] = forecast(data, val)
        if gaussian:
            errors = forecast(data, train) - data.targets_at(train)
            scale = raw_scale(torch.from_numpy(np.sqrt(np.mean(errors**2, axis=0)))).numpy()
            outputs[name] = np.hstack([outputs[name], np.tile(scale, (len(val), 1))])
    linear = _linear_outputs(data, scorer.task)
    if linear is not None:
        outputs[scorer.task.linear_name] = linear
    return {name: scorer.metrics(output, targets, last) for name, output in outputs.items()}


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


def _season(data: ForecastData, task: Task) -> int | None:
    table = data.table
    if task.classifies or table.season is not None:
        return table.season
    start, stop = max(data.splits.rows["train"], key=lambda rows: rows[1] - rows[0])
    return seasonal_period(table.target_values[start:stop, 0], table.frequency)


Forecast = Callable[[ForecastData, npt.NDArray[np.int64]], Array]
"""From the data and windows' last rows to outputs (N, O)."""


def _naive_forecasts(data: ForecastData, scorer: Scorer) -> dict[str, Forecast]:
    task, season = scorer.task, scorer.season
    constant: dict[str, Forecast] = {task.constant_name: lambda data, ends: _constant(data, task, ends)}
    # Of the row itself: a value to be found, not one to come.
    if task.classifies or min(data.table.target_offsets) < 1:
        return constant
    forecasts: dict[str, Forecast] = {"last value": lambda data, ends: _past(data, ends, 1), **constant}
    if season is not None and season > 1:
        forecasts[f"seasonal naive ({season})"] = lambda data, ends: _past(data, ends, season)
    return forecasts


def _constant(data: ForecastData, task: Task, ends: npt.NDArray[np.int64]) -> Array:
    """The constant with the best score on the training targets, as logits for classes."""
    constant = task.constant(data.targets_at(data.splits.train), task.n_outputs(data))
    return np.tile(constant.astype(np.float64), (len(ends), 1))


def _past(data: ForecastData, ends: npt.NDArray[np.int64], season: int) -> Array:
    """Each step's value one or more whole seasons ago, the latest that is known; season 1 is the last value.

    Seasons may reach back beyond the window, never beyond its end.
    """
    steps = np.array(data.table.target_offsets)
    back = season * -(-steps // season)
    rows = ends[:, None] + (steps - back)
    return np.asarray(data.target_values[np.maximum(rows, 0)].reshape(len(rows), -1), dtype=np.float64)


def _linear_outputs(data: ForecastData, task: Task) -> Array | None:
    """Outputs of a linear model of the flattened window; None where the training part lacks a class."""
    n_inputs = data.context_length * data.features.shape[1]
    train = data.splits.train[-max(50, MAX_LINEAR_VALUES // n_inputs) :]
    n_fit = max(1, int(len(train) * (1 - HELD_OUT)))
    # Windows that share rows with the held-out ones stay out of both.
    gap = data.context_length + data.horizon
    fit = train[: max(1, n_fit - gap)]
    held_out = train[n_fit:]
    if task.classifies:
        n_classes = max(2, task.n_outputs(data))
        if any(len(np.unique(data.targets_at(ends))) < n_classes for ends in (fit, train)):
            return None
    best = _STRENGTHS[-1]
    if len(held_out):
        inputs, targets = _flat(data, held_out), data.targets_at(held_out)
        scorer = make_scorer(data, task, None)
        last = data.target_values[held_out].astype(np.float64)

        def score(strength: float) -> float:
            outputs = _fit_linear(data, task, fit, strength)(inputs)
            metrics = scorer.metrics(outputs, targets.astype(np.float64), last)
            return metrics[task.proper_score]

        best = min(_STRENGTHS, key=score)
    return _fit_linear(data, task, train, best)(_flat(data, data.splits.val))


def _flat(data: ForecastData, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    rows = ends[:, None] + np.arange(1 - data.context_length, 1)
    return np.asarray(data.features[rows].reshape(len(ends), -1))


def _fit_linear(
    data: ForecastData, task: Task, ends: npt.NDArray[np.int64], strength: float
) -> Callable[[npt.NDArray[np.float32]], Array]:
    """Fit a linear model on windows; returns windows' inputs to outputs (logits, or scaled forecasts)."""
    from sklearn.linear_model import LogisticRegression, Ridge  # see hpo.scoring.metrics

    inputs, targets = _flat(data, ends), data.targets_at(ends)
    if task.classifies:
        model = LogisticRegression(C=1.0 / strength, max_iter=1000, tol=1e-3).fit(inputs, targets[:, 0])
        return lambda x: np.asarray(model.decision_function(x), dtype=np.float64).reshape(len(x), -1)
    ridge = Ridge(alpha=strength, solver="cholesky").fit(inputs, targets)
    return lambda x: np.asarray(ridge.predict(x), dtype=np.float64).reshape(len(x), -1)
