"""The simple forecasts that any model must beat, on the same validation windows.

Naive forecasts know no model: the base rate; the last value, the last season, the training mean. Beside them
stands a linear model of the whole window (logistic regression or ridge), whose strength is chosen on the end
of the training part. All see training windows only.

Legend: N windows, L context_length, C channels, O outputs, H horizon, K target columns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpo.data.base import ForecastData
from hpo.data.season import seasonal_period
from hpo.losses import constant_output
from hpo.metrics import OBJECTIVES, Array, Scorer

LINEAR = ("logistic regression", "ridge")
"""References that are models; skill is measured against the others."""

MAX_LINEAR_VALUES = 40_000_000
"""A linear model sees at most so many numbers (0.16 GB): the latest training windows."""

HELD_OUT = 0.2
"""Share of the training windows, the latest, that choose a linear model's strength."""

_STRENGTHS = (1e2, 1e3, 1e4, 1e5)
"""Ridge penalties for standardised inputs."""


@dataclass(frozen=True, kw_only=True)
class References:
    """The references of one study.

    Attributes:
        metrics: Validation metrics by name.
        naive: Name of the naive forecast with the best objective: what skill is measured against.
        season: Rows in a season, given or found; None where nothing repeats.
        scorer: Turns outputs into metrics.
    """

    metrics: dict[str, dict[str, float]]
    naive: str
    season: int | None
    scorer: Scorer


def restore_references(
    data: ForecastData, metrics: dict[str, dict[str, float]], naive: str, season: int | None
) -> References:
    """The references that a study's first run computed on the same data."""
    return References(metrics=metrics, naive=naive, season=season, scorer=make_scorer(data, season))


def compute_references(data: ForecastData) -> References:
    """Score every reference on a study's validation windows."""
    task = data.table.task
    season = _season(data)
    scorer = make_scorer(data, season)
    outputs = {name: forecast(data) for name, forecast in _naive_forecasts(task, season).items()}
    targets = data.targets_at(data.splits.val).astype(np.float64)
    metrics = {name: scorer.metrics(output, targets) for name, output in outputs.items()}
    naive = min(metrics, key=lambda name: metrics[name][OBJECTIVES[task]])
    linear = _linear_outputs(data)
    if linear is not None:
        metrics["ridge" if task == "regression" else "logistic regression"] = scorer.metrics(linear, targets)
    return References(metrics=metrics, naive=naive, season=season, scorer=scorer)


def skill(value: float, reference: float) -> float | None:
    """Skill score 1 - value / reference (Murphy 1988): 1 is perfect, 0 no better; None if undefined."""
    return 1.0 - value / reference if reference > 0 else None


def make_scorer(data: ForecastData, season: int | None) -> Scorer:
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
        task=data.table.task,
        mean=np.tile(data.target_mean, steps),
        std=np.tile(data.target_std, steps),
        naive_error=np.tile(np.array(errors), steps),
        class_names=data.table.class_names,
    )


def _season(data: ForecastData) -> int | None:
    table = data.table
    if table.task != "regression" or table.season is not None:
        return table.season
    start, stop = max(data.splits.rows["train"], key=lambda rows: rows[1] - rows[0])
    return seasonal_period(table.target_values[start:stop, 0], table.frequency)


def _naive_forecasts(task: str, season: int | None) -> dict[str, Callable[[ForecastData], Array]]:
    if task == "binary":
        return {"base rate": _constant}
    if task == "multiclass":
        return {"class frequencies": _constant}
    forecasts: dict[str, Callable[[ForecastData], Array]] = {
        "last value": lambda data: _past(data, 1),
        "training mean": _constant,
    }
    if season is not None and season > 1:
        forecasts[f"seasonal naive ({season})"] = lambda data: _past(data, season)
    return forecasts


def _constant(data: ForecastData) -> Array:
    """The mean of the training targets, as logits for classes."""
    constant = constant_output(data.table.task, data.targets_at(data.splits.train), data.n_outputs)
    return np.tile(constant.astype(np.float64), (len(data.splits.val), 1))


def _past(data: ForecastData, season: int) -> Array:
    """Each step's value one or more whole seasons ago, the latest that is known; season 1 is the last value.

    Seasons may reach back beyond the window, never beyond its end.
    """
    steps = np.array(data.table.target_offsets)
    back = season * -(-steps // season)
    rows = data.splits.val[:, None] + (steps - back)
    return np.asarray(data.target_values[np.maximum(rows, 0)].reshape(len(rows), -1), dtype=np.float64)


def _linear_outputs(data: ForecastData) -> Array | None:
    """Outputs of a linear model of the flattened window; None where the training part lacks a class."""
    n_inputs = data.context_length * data.features.shape[1]
    train = data.splits.train[-max(50, MAX_LINEAR_VALUES // n_inputs) :]
    n_fit = max(1, int(len(train) * (1 - HELD_OUT)))
    # Windows that share rows with the held-out ones stay out of both.
    gap = data.context_length + data.horizon
    fit = train[: max(1, n_fit - gap)]
    held_out = train[n_fit:]
    if data.table.task != "regression":
        n_classes = max(2, data.n_outputs)
        if any(len(np.unique(data.targets_at(ends))) < n_classes for ends in (fit, train)):
            return None
    best = _STRENGTHS[-1]
    if len(held_out):
        inputs, targets = _flat(data, held_out), data.targets_at(held_out)
        scorer = make_scorer(data, None)
        objective = OBJECTIVES[data.table.task]

        def score(strength: float) -> float:
            outputs = _fit_linear(data, fit, strength)(inputs)
            return scorer.metrics(outputs, targets.astype(np.float64))[objective]

        best = min(_STRENGTHS, key=score)
    return _fit_linear(data, train, best)(_flat(data, data.splits.val))


def _flat(data: ForecastData, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    rows = ends[:, None] + np.arange(1 - data.context_length, 1)
    return np.asarray(data.features[rows].reshape(len(ends), -1))


def _fit_linear(
    data: ForecastData, ends: npt.NDArray[np.int64], strength: float
) -> Callable[[npt.NDArray[np.float32]], Array]:
    """Fit a linear model on windows; returns windows' inputs to outputs (logits, or scaled forecasts)."""
    from sklearn.linear_model import LogisticRegression, Ridge  # see hpo.metrics

    inputs, targets = _flat(data, ends), data.targets_at(ends)
    if data.table.task != "regression":
        model = LogisticRegression(C=1.0 / strength, max_iter=1000, tol=1e-3).fit(inputs, targets[:, 0])
        return lambda x: np.asarray(model.decision_function(x), dtype=np.float64).reshape(len(x), -1)
    ridge = Ridge(alpha=strength, solver="cholesky").fit(inputs, targets)
    return lambda x: np.asarray(ridge.predict(x), dtype=np.float64).reshape(len(x), -1)
