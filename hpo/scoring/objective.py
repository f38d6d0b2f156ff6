"""What a search goes by: the task's proper score, or a metric on request, each with its direction.

The best epoch, early stopping, pruning and the ranking of trials all go by it. Its default is called
``val_loss``: log-loss for classes, MSE for a regression, whatever loss trains the network.
"""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hpo.errors import ConfigError, UnknownNameError
from hpo.scoring.tasks import METRICS, TASKS

VAL_LOSS = "val_loss"

PROPER_SCORES = tuple(dict.fromkeys(task.proper_score for task in TASKS.values()))
"""The metrics that ``val_loss`` can be."""

LOWER_IS_BETTER = tuple(name for name, metric in METRICS.items() if metric.better == "lower")
HIGHER_IS_BETTER = tuple(name for name, metric in METRICS.items() if metric.better == "higher")

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
        """The metric that it is among those of a task; None where they hold no proper score.

        A task's proper score comes before its other metrics, which may be other tasks' proper scores.
        """
        return self.metric or next((name for name in metrics if name in PROPER_SCORES), None)

    def score(self, metrics: Mapping[str, float]) -> float | None:
        """Its value among the metrics of a task; None if it is not among them."""
        name = self.metric_in(metrics)
        return None if name is None else metrics.get(name)

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value betters another; any betters None."""
        return than is None or self.sign * value < self.sign * than

    @property
    def perfect(self) -> float | None:
        """The value of a perfect forecast; None where there is none, as for a likelihood.

        A metric that is not known, of a newer version, has none; a proper score's is 0.
        """
        if self.metric is None:
            return 0.0
        known = METRICS.get(self.metric)
        return None if known is None else known.perfect

    def skill(self, value: float, reference: float) -> float | None:
        """Skill score (Murphy 1988): the share of the way from the reference to a perfect forecast.

        1 - value / reference for a loss, (value - reference) / (1 - reference) for a metric whose perfect
        value is 1. None where that is undefined.
        """
        if self.perfect is None:
            return None
        missing, left = (self.sign * (score - self.perfect) for score in (reference, value))
        skill = 1.0 - left / missing if missing > 0 else math.nan
        return skill if math.isfinite(skill) else None

    def step(self, skill: float, reference: float) -> float:
        """What a gain of so much skill is in the objective's own values.

        A likelihood has no skill; its nats tell ratios as they are.
        """
        if self.perfect is None:
            return skill
        return skill * max(0.0, self.sign * (reference - self.perfect))


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
