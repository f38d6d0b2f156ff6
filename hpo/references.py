"""The simple forecasts that any model must beat, on the same validation windows.

Legend: N windows, O outputs.
"""

import numpy as np

from hpo.data.base import ForecastData
from hpo.metrics import binary_metrics

SCORES = {"binary": "log_loss", "regression": "mse"}
"""The metric that is each task's objective."""


def reference_metrics(data: ForecastData) -> dict[str, dict[str, float]]:
    """Validation metrics of every reference, by name; the references see training windows only."""
    train, val = data.targets[data.splits.train], data.targets[data.splits.val]
    base_rate = np.full(len(val), train.mean(), dtype=np.float64)
    return {"base rate": binary_metrics(base_rate, val[:, 0].astype(np.float64))}


def best_reference(references: dict[str, dict[str, float]], task: str) -> str:
    """The reference with the best score: the one that skill is measured against."""
    return min(references, key=lambda name: references[name][SCORES[task]])


def skill(value: float, reference: float) -> float | None:
    """Skill score 1 - value / reference (Murphy 1988): 1 is perfect, 0 no better; None if undefined."""
    return 1.0 - value / reference if reference > 0 else None
