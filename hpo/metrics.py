"""Scores of a forecast, by scikit-learn where it has them.

scikit-learn takes over a second to import: functions import it when they need it, so that a study that
goes on starts at once.

Legend: N windows, O outputs, H horizon, K target columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

OBJECTIVES = {"binary": "log_loss", "regression": "mse"}
"""The metric that is each task's objective."""

COLLAPSED_RANGE = 0.1
"""Probabilities that span less than this are all nearly equal: the model tells nothing apart."""


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Turns outputs into metrics.

    Attributes:
        task: "binary" or "regression".
        mean: Of the training targets, taken out of scaled targets, shape (O,).
        std: Likewise.
        naive_error: Mean absolute error of the seasonal naive forecast on training rows, in the targets'
            units, shape (O,): what MASE divides by.
    """

    task: str
    mean: Array
    std: Array
    naive_error: Array

    def metrics(self, outputs: Array, targets: Array) -> dict[str, float]:
        """All metrics of outputs (logits, or scaled forecasts) against scaled targets, each (N, O)."""
        if self.task == "binary":
            return binary_metrics(sigmoid(outputs[:, 0]), targets[:, 0])
        return {
            "mse": float(np.mean((outputs - targets) ** 2)),
            **regression_metrics(
                outputs * self.std + self.mean, targets * self.std + self.mean, self.naive_error
            ),
        }

    def confusion(self, outputs: Array, targets: Array) -> dict[str, int] | None:
        """Counts at probability 0.5; None for a regression."""
        if self.task != "binary":
            return None
        return confusion_counts(sigmoid(outputs[:, 0]), targets[:, 0])


def objective_metric(metrics: Mapping[str, float]) -> str:
    """The name of the objective among the metrics of one task."""
    return next(name for name in OBJECTIVES.values() if name in metrics)


def sigmoid(logits: Array) -> Array:
    """Probabilities from logits."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0))))


def binary_metrics(probabilities: Array, labels: Array) -> dict[str, float]:
    """Scores of probabilities against labels of 0 and 1, each of shape (N,).

    AUC is left out where only one class is present. Precision is 0 where nothing is predicted positive.
    """
    from sklearn import metrics as sk

    p = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    predicted = p >= 0.5
    scores = {
        "log_loss": sk.log_loss(labels, p, labels=[0.0, 1.0]),
        "brier": float(np.mean((p - labels) ** 2)),
        "accuracy": sk.accuracy_score(labels, predicted),
        "precision": sk.precision_score(labels, predicted, zero_division=0.0),
        "recall": sk.recall_score(labels, predicted, zero_division=0.0),
        "f1": sk.f1_score(labels, predicted, zero_division=0.0),
        "prediction_range": float(np.ptp(p)),
    }
    if len(np.unique(labels)) == 2:
        scores["auc"] = sk.roc_auc_score(labels, p)
    return {name: float(value) for name, value in scores.items()}


def confusion_counts(probabilities: Array, labels: Array) -> dict[str, int]:
    """True and false negatives and positives at probability 0.5."""
    from sklearn import metrics as sk

    (tn, fp), (fn, tp) = sk.confusion_matrix(labels, probabilities >= 0.5, labels=[0.0, 1.0])
    return {
        "true_negative": int(tn),
        "false_positive": int(fp),
        "false_negative": int(fn),
        "true_positive": int(tp),
    }


def regression_metrics(forecast: Array, actual: Array, naive_error: Array) -> dict[str, float]:
    """Scores of a forecast in the targets' own units, each of shape (N, O).

    R² is over all windows and outputs, each output against its own mean. sMAPE is in percent, 0 to 200
    (Makridakis 1993). MASE divides each output's error by ``naive_error`` (Hyndman and Koehler 2006); it is
    left out where that is 0.
    """
    from sklearn import metrics as sk

    error = np.abs(forecast - actual)
    size = np.abs(forecast) + np.abs(actual)
    smape = np.divide(2 * error, size, out=np.zeros_like(error), where=size > 0)
    scores = {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(error)),
        "smape": float(100 * smape.mean()),
    }
    if len(actual) > 1:
        scores["r2"] = float(sk.r2_score(actual, forecast, multioutput="variance_weighted"))
    if (naive_error > 0).all():
        scores["mase"] = float(np.mean(error.mean(axis=0) / naive_error))
    return scores
