"""Scores of a forecast, by scikit-learn where it has them.

scikit-learn takes over a second to import: functions import it when they need it, so that a study that
goes on starts at once.

Legend: N windows, O outputs, H horizon, K target columns.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ECE_BINS = 15
"""Bins of equal width for the expected calibration error (Guo et al. 2017)."""

_Z90 = 1.6448536269514722
"""A normal number is within so many standard deviations in 90 of 100 cases."""

_GAUSSIAN_NUMBERS = 2_000_000
"""Numbers of a batch of covariances that are held at once."""

COLLAPSED_RANGE = 0.1
"""Probabilities that span less than this are all nearly equal: the model tells nothing apart."""


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Turns outputs into metrics.

    Attributes:
        task: "binary", "multiclass" or "regression".
        mean: Of the training targets, taken out of scaled targets, shape (O,).
        std: Likewise.
        naive_error: Mean absolute error of the seasonal naive forecast on training rows, in the targets'
            units, shape (O,): what MASE divides by.
        class_names: Of a multi-class task, by index.
        season: Rows in a season; None where nothing repeats.
    """

    task: str
    mean: Array
    std: Array
    naive_error: Array
    class_names: tuple[str, ...] = ()
    season: int | None = None

    def metrics(self, outputs: Array, targets: Array, last: Array) -> dict[str, float]:
        """All metrics of outputs (N, O), logits or scaled forecasts, against scaled targets.

        Behind scaled forecasts may stand the factor of their covariance (``models/gaussian.py``).
        Targets are (N, O); those of a multi-class task (N, 1), the index of the class. ``last`` holds the
        target columns at the windows' last rows, (N, K), what the direction of a forecast starts from. A
        metric that is not finite is left out.
        """
        scores = self._metrics(outputs, targets, last)
        return {name: value for name, value in scores.items() if np.isfinite(value)}

    def _metrics(self, outputs: Array, targets: Array, last: Array) -> dict[str, float]:
        if self.task == "binary":
            return binary_metrics(sigmoid(outputs[:, 0]), targets[:, 0])
        if self.task == "multiclass":
            return class_metrics(softmax(outputs), targets[:, 0])
        forecast = outputs[:, : targets.shape[1]]
        return {
            "mse": float(np.mean((forecast - targets) ** 2)),
            **regression_metrics(
                forecast * self.std + self.mean, targets * self.std + self.mean, self.naive_error
            ),
            **direction_accuracy(forecast, targets, last),
            **(gaussian_metrics(outputs, targets) if outputs.shape[1] > targets.shape[1] else {}),
        }

    def confusion(self, outputs: Array, targets: Array) -> dict[str, Any] | None:
        """Counts at probability 0.5, or of the likeliest class; None for a regression."""
        if self.task == "binary":
            return confusion_counts(sigmoid(outputs[:, 0]), targets[:, 0])
        if self.task == "multiclass":
            return class_counts(outputs, targets[:, 0], self.class_names)
        return None


def sigmoid(logits: Array) -> Array:
    """Probabilities from logits."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0))))


def softmax(logits: Array) -> Array:
    """Probabilities of classes from their logits, (N, O)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def calibration_error(confidence: Array, correct: Array) -> float:
    """Expected calibration error (Guo et al. 2017): mean distance of confidence and accuracy over bins."""
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


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
        "ece": calibration_error(np.where(predicted, p, 1 - p), predicted == labels),
        "prediction_range": float(np.ptp(p)),
    }
    if len(np.unique(labels)) == 2:
        scores["auc"] = sk.roc_auc_score(labels, p)
    return {name: float(value) for name, value in scores.items()}


def class_metrics(probabilities: Array, labels: Array) -> dict[str, float]:
    """Scores of class probabilities (N, O) against class indices (N,).

    Precision, recall and F1 are means over the classes; AUC is that of each class against the others, also
    their mean, and left out where a class is missing. ``prediction_range`` is the widest of the classes'.
    """
    from sklearn import metrics as sk

    classes = np.arange(probabilities.shape[1])
    p = np.clip(probabilities.astype(np.float64), 1e-7, 1.0)
    p /= p.sum(axis=1, keepdims=True)
    predicted = p.argmax(axis=1)
    means: Any = {"labels": classes, "average": "macro", "zero_division": 0.0}
    scores = {
        "log_loss": sk.log_loss(labels, p, labels=classes),
        "brier": float(np.mean(((p - (labels[:, None] == classes)) ** 2).sum(axis=1))),
        "accuracy": sk.accuracy_score(labels, predicted),
        "precision": sk.precision_score(labels, predicted, **means),
        "recall": sk.recall_score(labels, predicted, **means),
        "f1": sk.f1_score(labels, predicted, **means),
        "ece": calibration_error(p.max(axis=1), predicted == labels),
        "prediction_range": float(np.ptp(p, axis=0).max()),
    }
    if len(np.unique(labels)) == len(classes):
        scores["auc"] = sk.roc_auc_score(labels, p, multi_class="ovr", labels=classes)
    return {name: float(value) for name, value in scores.items()}


def class_counts(outputs: Array, labels: Array, names: tuple[str, ...]) -> dict[str, Any]:
    """How often each class was taken for each other; rows are the true ones."""
    from sklearn import metrics as sk

    classes = np.arange(len(names))
    counts = sk.confusion_matrix(labels, outputs.argmax(axis=1), labels=classes)
    return {"class_names": list(names), "counts": counts.tolist()}


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


def direction_accuracy(forecast: Array, actual: Array, last: Array) -> dict[str, float]:
    """The share of steps forecast to the side of the last known value on which they came to lie.

    Steps (N, H x K) that came to lie where they started have no direction and are left out, as are windows
    whose last value is not known; a forecast of no change is wrong. Empty if nothing is left.
    """
    start = np.tile(last, actual.shape[1] // last.shape[1])
    moved = np.sign(actual - start)
    counts = (moved != 0) & np.isfinite(start)
    if not counts.any():
        return {}
    return {"direction_accuracy": float(np.mean(np.sign(forecast - start)[counts] == moved[counts]))}


def gaussian_metrics(outputs: Array, targets: Array) -> dict[str, float]:
    """Scores of a Gaussian forecast, mean and covariance factor behind it, against scaled targets (N, O).

    ``nll`` is the negative log-likelihood in nats a number; ``coverage_90`` the share of numbers inside their
    central 90 % interval; ``mean_correlation``, of a full covariance, the mean absolute correlation forecast
    between two numbers.
    """
    import torch

    from hpo.models.gaussian import correlations, gaussian_nll, standard_deviations

    n = targets.shape[1]
    full = outputs.shape[1] > 2 * n
    scores = {"nll": 0.0, "coverage_90": 0.0} | ({"mean_correlation": 0.0} if full else {})
    size = max(1, _GAUSSIAN_NUMBERS // (n * n if full else n))
    for rows in np.array_split(np.arange(len(targets)), -(-len(targets) // size)):
        chosen, actual = torch.from_numpy(outputs[rows]), torch.from_numpy(targets[rows])
        share = len(rows) / len(targets)
        scores["nll"] += gaussian_nll(chosen, actual).item() * share
        error = (actual - chosen[:, :n]).abs()
        inside = (error <= _Z90 * standard_deviations(chosen, n)).double().mean()
        scores["coverage_90"] += inside.item() * share
        if full:
            between = correlations(chosen, n).abs().sum().item() / len(rows) - n
            scores["mean_correlation"] += between / (n * (n - 1)) * share
    return scores


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
