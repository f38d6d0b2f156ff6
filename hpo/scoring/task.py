"""Tasks: what is forecast, how it is trained for, scored and counted. One object each; no name is compared.

The proper score of a task is what its forecasts are judged by, whatever loss trains them; a search that goes
by ``val_loss`` goes by it.

Legend: N windows, O outputs, K target columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpo.errors import ConfigError
from hpo.scoring.confusion import binary_counts, class_counts
from hpo.scoring.forecasts import (
    Array,
    BinaryForecast,
    ClassForecast,
    RegressionForecast,
    Scale,
    sigmoid,
    softmax,
)
from hpo.scoring.losses import (
    BINARY_LOSSES,
    CLASS_LOSSES,
    REGRESSION_LOSSES,
    Loss,
    LossFunction,
    LossSettings,
    cross_entropy,
    log_loss,
    mse_of_mean,
)
from hpo.scoring.metrics import CLASS_METRICS, REGRESSION_METRICS, Metric

if TYPE_CHECKING:  # both take a while to import, and a config that names a loss needs neither
    from hpo.data.base import ForecastData
    from hpo.data.base import Task as Targets
    from hpo.models.gaussian import Covariance

Floats = npt.NDArray[np.float32]

MAX_FULL = 64
"""Forecast numbers of a full covariance at most: its factor grows with their square."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """One kind of forecast.

    Attributes:
        name: Its name in :data:`TASKS`.
        targets: What a data set's targets must be. Several tasks may share them; the loss then tells which.
        losses: Training losses by name; the first is the default and trains for the score itself.
        score: The proper score, from outputs and targets to a scalar, lower is better: log-loss in nats, or
            MSE in scaled units.
        metrics: Scores of records and pages; the first is the proper score's value.
        read: From outputs (N, O), targets, the target columns at the windows' last rows (N, K) and their
            scale to what the metrics look at.
        n_outputs: Numbers that a model puts out for one window, without a covariance.
        constant: The constant output (O,) with the best score on some targets (N, O) or (N, 1).
        constant_name: What a reference is called that always forecasts this.
        linear_name: What a linear model of the window is called.
        confusion: Counts from outputs, targets and class names; None where there are no classes.
    """

    name: str
    targets: Targets
    losses: Mapping[str, Loss]
    score: LossFunction
    metrics: tuple[Metric[Any], ...]
    read: Callable[[Array, Array, Array, Scale], Any]
    n_outputs: Callable[[ForecastData], int]
    constant: Callable[[Floats, int], Floats]
    constant_name: str
    linear_name: str
    confusion: Callable[[Array, Array, tuple[str, ...]], dict[str, Any]] | None = None

    def __reduce__(self) -> tuple[Callable[[str], Task], tuple[str]]:
        """A task goes to another process by its name."""
        return _named, (self.name,)

    @property
    def default_loss(self) -> str:
        """The training loss it has unless the user chooses."""
        return next(iter(self.losses))

    @property
    def proper_score(self) -> str:
        """The metric that the proper score is."""
        return self.metrics[0].name

    @property
    def classifies(self) -> bool:
        """Whether its targets are classes; else they are values of the series, whose past is known."""
        return self.confusion is not None

    def loss(self, settings: LossSettings) -> LossFunction:
        """The training loss.

        Raises:
            ConfigError: A setting is for another loss.
        """
        if settings.positive_weight != 1.0 and settings.name != "bce":
            raise ConfigError(f"is for the loss bce; the loss is {settings.name}", key="positive_weight")
        return self.losses[settings.name].make(settings)

    def covariance(self, settings: LossSettings, n_outputs: int) -> Covariance:
        """What a model forecasts beside the mean, for its loss.

        Raises:
            ConfigError: A full covariance would be too large.
        """
        covariance = self.losses[settings.name].covariance
        if covariance == "full" and n_outputs > MAX_FULL:
            raise ConfigError(
                f"loss {settings.name} takes at most {MAX_FULL} forecast numbers (horizon x targets), "
                f"got {n_outputs}; gaussian_nll takes any"
            )
        return covariance


def _named(name: str) -> Task:
    return TASKS[name]


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
    n_outputs=_numbers,
    constant=_mean,
    constant_name="training mean",
    linear_name="ridge",
)

TASKS: dict[str, Task] = {task.name: task for task in (BINARY, MULTICLASS, REGRESSION)}
"""Every task."""

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
