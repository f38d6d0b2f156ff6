"""The catalogue of tasks, and of their metrics and losses.

Legend: N windows, O outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpo.errors import ConfigError
from hpo.scoring.confusion import binary_counts, class_counts
from hpo.scoring.forecasts import (
    BinaryForecast,
    ClassForecast,
    RegressionForecast,
    in_units,
    sigmoid,
    softmax,
)
from hpo.scoring.losses import (
    BINARY_LOSSES,
    CLASS_LOSSES,
    REGRESSION_LOSSES,
    cross_entropy,
    log_loss,
    mse_of_mean,
)
from hpo.scoring.metrics import CLASS_METRICS, REGRESSION_METRICS, Metric
from hpo.scoring.task import Floats, Task

if TYPE_CHECKING:  # it takes a while to import
    from hpo.data.base import ForecastData


def _numbers(data: ForecastData) -> int:
    return len(data.table.target_offsets) * int(data.target_values.shape[1])


def _mean(targets: Floats, _n_outputs: int) -> Floats:
    return np.asarray(targets.mean(axis=0, dtype=np.float64), dtype=np.float32)


def _base_rate(targets: Floats, _n_outputs: int) -> Floats:
    """The logit of the share of yes."""
    half = 0.5 / len(targets)  # one class alone would give an infinite logit
    mean = np.clip(targets.mean(axis=0, dtype=np.float64), half, 1.0 - half)
    return np.asarray(np.log(mean / (1.0 - mean)), dtype=np.float32)


def _frequencies(targets: Floats, n_outputs: int) -> Floats:
    """The logits of the classes' shares."""
    counts = np.bincount(targets[:, 0].astype(np.int64), minlength=n_outputs)
    return np.asarray(np.log(np.maximum(counts, 0.5) / len(targets)), dtype=np.float32)


BINARY = Task(
    name="binary",
    targets="binary",
    losses=BINARY_LOSSES,
    score=log_loss,
    metrics=CLASS_METRICS,
    read=lambda outputs, targets, _last, _scale: BinaryForecast(sigmoid(outputs[:, 0]), targets[:, 0]),
    values=lambda outputs, _scale: sigmoid(outputs),
    n_outputs=_numbers,
    constant=_base_rate,
    constant_name="base rate",
    linear_name="logistic regression",
    confusion=binary_counts,
)
MULTICLASS = Task(
    name="multiclass",
    targets="multiclass",
    losses=CLASS_LOSSES,
    score=cross_entropy,
    metrics=CLASS_METRICS,
    read=lambda outputs, targets, _last, _scale: ClassForecast(softmax(outputs), targets[:, 0]),
    values=lambda outputs, _scale: softmax(outputs),
    n_outputs=lambda data: len(data.table.class_names),
    constant=_frequencies,
    constant_name="class frequencies",
    linear_name="logistic regression",
    confusion=class_counts,
)
REGRESSION = Task(
    name="regression",
    targets="regression",
    losses=REGRESSION_LOSSES,
    score=mse_of_mean,
    metrics=REGRESSION_METRICS,
    read=lambda outputs, targets, last, scale: RegressionForecast(
        outputs=outputs, targets=targets, last=last, scale=scale
    ),
    values=in_units,
    n_outputs=_numbers,
    constant=_mean,
    constant_name="training mean",
    linear_name="ridge",
)

TASKS: dict[str, Task] = {task.name: task for task in (BINARY, MULTICLASS, REGRESSION)}
"""Every task."""

LOSSES: tuple[str, ...] = tuple(dict.fromkeys(loss for task in TASKS.values() for loss in task.losses))
"""Every training loss."""

METRICS: dict[str, Metric[Any]] = {metric.name: metric for task in TASKS.values() for metric in task.metrics}
"""Every metric by its name, which means one thing in whatever task."""


def choose_task(targets: str, loss: str | None = None) -> Task:
    """The task of a study.

    Args:
        targets: What the data's targets are, in the words of ``data/``.
        loss: The training loss, if the user chose one.

    Raises:
        ConfigError: The loss trains for no task of these targets.
    """
    fitting = [task for task in TASKS.values() if task.targets == targets]
    for task in fitting:
        if loss is None or loss in task.losses:
            return task
    valid = ", ".join(name for task in fitting for name in task.losses)
    raise ConfigError(f"loss {loss} does not fit a {targets} task; valid: {valid}")
