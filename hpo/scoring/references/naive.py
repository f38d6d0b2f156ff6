"""Naive forecasts: they know no model.

Legend: N windows, O outputs.
"""

from collections.abc import Callable

import numpy as np
import torch

from hpo.data.base import ForecastData
from hpo.models.gaussian import raw_scale
from hpo.scoring.references.windows import Array, Rows, past
from hpo.scoring.scorer import Scorer
from hpo.scoring.task import Task

Naive = Callable[[ForecastData, Rows], Array]
"""From the data and windows' last rows to outputs (N, O)."""


def naive_forecasts(data: ForecastData, scorer: Scorer) -> dict[str, Naive]:
    """Those that a task and its data have, by name."""
    task, season = scorer.task, scorer.season
    constant: dict[str, Naive] = {task.constant_name: lambda data, ends: _constant(data, task, ends)}
    # Of the row itself: a value to be found, not one to come.
    if task.classifies or min(data.table.target_offsets) < 1:
        return constant
    forecasts: dict[str, Naive] = {"last value": lambda data, ends: _past(data, ends, 1), **constant}
    if season is not None and season > 1:
        forecasts[f"seasonal naive ({season})"] = lambda data, ends: _past(data, ends, season)
    return forecasts


def with_variance(data: ForecastData, forecast: Naive, ends: Rows) -> Array:
    """Outputs with the variance of the forecast's errors on the training windows behind them."""
    train = data.splits.train
    errors = forecast(data, train) - data.targets_at(train)
    scale = raw_scale(torch.from_numpy(np.sqrt(np.mean(errors**2, axis=0)))).numpy()
    return np.hstack([forecast(data, ends), np.tile(scale, (len(ends), 1))])


def _constant(data: ForecastData, task: Task, ends: Rows) -> Array:
    """The constant with the best score on the training targets, as logits for classes."""
    constant = task.constant(data.targets_at(data.splits.train), task.n_outputs(data))
    return np.tile(constant.astype(np.float64), (len(ends), 1))


def _past(data: ForecastData, ends: Rows, season: int) -> Array:
    return past(data, ends, season, data.table.target_offsets).reshape(len(ends), -1)
