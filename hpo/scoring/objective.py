"""What a search goes by: the task's proper score, or a metric on request, each with its direction.

The best epoch, early stopping, pruning and the ranking of trials all go by it. Its default is called
``val_loss``: log-loss for classes, MSE for a regression, whatever loss trains the network.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hpo.errors import ConfigError, UnknownNameError

VAL_LOSS = "val_loss"

PROPER_SCORES = {"binary": "log_loss", "multiclass": "log_loss", "regression": "mse"}
"""The metric that ``val_loss`` is, by task."""

LOWER_IS_BETTER = ("log_loss", "brier", "ece", "mse", "rmse", "mae", "smape", "mase", "nll")
HIGHER_IS_BETTER = ("auc", "accuracy", "precision", "recall", "f1", "r2", "direction_accuracy")
"""Metrics that are 1 for a perfect forecast."""

OBJECTIVES = (VAL_LOSS, *LOWER_IS_BETTER, *HIGHER_IS_BETTER)


class Objective(BaseModel):
    """What the search minimises or maximises."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    direction: Literal["minimize", "maximize"]

    @property
    def sign(self) -> float:
        """Times a value, it is a loss."""
        return -1.0 if self.direction == "maximize" else 1.0

    @property
    def metric(self) -> str | None:
        """The metric whose value it is; None for the task's proper score."""
        return None if self.name == VAL_LOSS else self.name

    def metric_in(self, metrics: Mapping[str, float]) -> str | None:
        """The metric that it is among those of a task; None where they hold no proper score."""
        return self.metric or next((name for name in PROPER_SCORES.values() if name in metrics), None)

    def score(self, metrics: Mapping[str, float]) -> float | None:
        """Its value among the metrics of a task; None if it is not among them."""
        name = self.metric_in(metrics)
        return None if name is None else metrics.get(name)

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value betters another; any betters None."""
        return than is None or self.sign * value < self.sign * than

    def skill(self, value: float, reference: float) -> float | None:
        """Skill score (Murphy 1988): the share of the way from the reference to a perfect forecast.

        1 - value / reference for a loss, (value - reference) / (1 - reference) for a metric whose perfect
        value is 1. None where that is undefined, as for a likelihood, which no forecast perfects.
        """
        if self.name == "nll":
            return None
        missing, left = (1.0 - reference, 1.0 - value) if self.direction == "maximize" else (reference, value)
        return 1.0 - left / missing if missing > 0 else None


def make_objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        UnknownNameError: There is none; the nearest is named.
    """
    if name not in OBJECTIVES:
        raise UnknownNameError("objective", name, OBJECTIVES)
    return Objective(name=name, direction="maximize" if name in HIGHER_IS_BETTER else "minimize")


def check_objective(objective: Objective, metrics: Mapping[str, float]) -> None:
    """Refuse an objective that a study's references do not have.

    Raises:
        ConfigError: It is a metric of another task, or not defined on these validation rows.
    """
    if objective.score(metrics) is None:
        valid = ", ".join([VAL_LOSS, *(name for name in OBJECTIVES if name in metrics)])
        raise ConfigError(
            f"objective {objective.name} cannot be had on this task and these rows; valid: {valid}"
        )
