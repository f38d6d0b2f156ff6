"""A task on the data of one study: turns outputs into metrics.

Legend: N windows, O outputs, K target columns.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.scoring.forecasts import Array, Scale
from hpo.scoring.task import Task


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Turns outputs into metrics.

    Attributes:
        task: What is forecast.
        scale: Of the targets.
        class_names: Of a multi-class task, by index.
        season: Rows in a season; None where nothing repeats.
    """

    task: Task
    scale: Scale
    class_names: tuple[str, ...] = ()
    season: int | None = None

    def metrics(self, outputs: Array, targets: Array, last: Array) -> dict[str, float]:
        """All metrics of outputs (N, O), logits or scaled forecasts, against scaled targets.

        Behind scaled forecasts may stand the factor of their covariance (``models/gaussian.py``).
        Targets are (N, O); those of a multi-class task (N, 1), the index of the class. ``last`` holds the
        target columns at the windows' last rows, (N, K), what the direction of a forecast starts from. A
        metric that is not defined on these windows, or not finite, is left out.
        """
        forecast = self.task.read(outputs, targets, last, self.scale)
        values = {metric.name: metric.of(forecast) for metric in self.task.metrics}
        return {name: value for name, value in values.items() if value is not None and np.isfinite(value)}

    def losses(self, outputs: Array, targets: Array) -> Array:
        """The proper score of each window, (N,), whose mean is that of all; arguments as above."""
        last = np.full((len(targets), 1), np.nan)  # no proper score asks from where a forecast starts
        return np.asarray(self.task.read(outputs, targets, last, self.scale).losses)

    def confusion(self, outputs: Array, targets: Array) -> dict[str, Any] | None:
        """Counts at probability 0.5, or of the likeliest class; None for a regression."""
        if self.task.confusion is None:
            return None
        return self.task.confusion(outputs, targets, self.class_names)
