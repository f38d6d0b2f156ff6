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
from hpo.scoring.forecasts import Array, Scale
from hpo.scoring.losses import Loss, LossFunction, LossSettings
from hpo.scoring.metrics import Metric

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
        name: Its name in :data:`hpo.scoring.tasks.TASKS`.
        targets: What a data set's targets must be. Several tasks may share them; the loss then tells which.
        losses: Training losses by name; the first is the default and trains for the score itself.
        score: The proper score, from outputs and targets to a scalar, lower is better: log-loss in nats, or
            MSE in scaled units.
        metrics: Scores of records and pages; the first is the proper score's value.
        read: From outputs (N, O), targets, the target columns at the windows' last rows (N, K) and their
            scale to what the metrics look at, whose ``losses`` (N,) score each window.
        values: From outputs (N, O) and the targets' scale to what a user reads (N, O): forecasts in the
            targets' units, or probabilities.
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
    values: Callable[[Array, Scale], Array]
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
    from hpo.scoring.tasks import TASKS  # the catalogue is made of tasks

    return TASKS[name]
