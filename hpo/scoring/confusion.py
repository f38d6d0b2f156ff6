"""Counts of classes taken for each other, by scikit-learn (see ``hpo/scoring/metrics.py``).

Legend: N windows, O outputs.
"""

from typing import Any

import numpy as np

from hpo.scoring.forecasts import Array, sigmoid


def binary_counts(outputs: Array, targets: Array, _names: tuple[str, ...] = ()) -> dict[str, Any]:
    """True and false negatives and positives of logits (N, 1) and labels (N, 1), at probability 0.5."""
    from sklearn import metrics as sk

    counts = sk.confusion_matrix(targets[:, 0], sigmoid(outputs[:, 0]) >= 0.5, labels=[0.0, 1.0])
    (tn, fp), (fn, tp) = counts.tolist()
    return {"true_negative": tn, "false_positive": fp, "false_negative": fn, "true_positive": tp}


def class_counts(outputs: Array, targets: Array, names: tuple[str, ...]) -> dict[str, Any]:
    """How often each class was taken for each other, of logits (N, O) and class indices (N, 1).

    Rows are the true classes; the likeliest is the predicted one.
    """
    from sklearn import metrics as sk

    classes = np.arange(len(names))
    counts = sk.confusion_matrix(targets[:, 0], outputs.argmax(axis=1), labels=classes)
    return {"class_names": list(names), "counts": counts.tolist()}
