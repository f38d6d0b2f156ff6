"""Scores of a forecast, by scikit-learn.

Legend: N windows.
"""

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

Array = npt.NDArray[np.float64]

COLLAPSED_RANGE = 0.1
"""Probabilities that span less than this are all nearly equal: the model tells nothing apart."""


def binary_metrics(probabilities: Array, labels: Array) -> dict[str, float]:
    """Scores of probabilities against labels of 0 and 1, each of shape (N,).

    AUC is left out where only one class is present. Precision is 0 where nothing is predicted positive.
    """
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
    (tn, fp), (fn, tp) = sk.confusion_matrix(labels, probabilities >= 0.5, labels=[0.0, 1.0])
    return {
        "true_negative": int(tn),
        "false_positive": int(fp),
        "false_negative": int(fn),
        "true_positive": int(tp),
    }
