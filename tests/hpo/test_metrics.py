import math

import numpy as np
import pytest

from hpo.metrics import binary_metrics, confusion_counts

P = np.array([0.9, 0.2, 0.6, 0.4, 0.7])
Y = np.array([1.0, 0.0, 0.0, 1.0, 1.0])


def test_binary_metrics_by_hand():
    scores = binary_metrics(P, Y)
    assert scores["log_loss"] == pytest.approx(
        -(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.4) + math.log(0.7)) / 5
    )
    assert scores["brier"] == pytest.approx((0.01 + 0.04 + 0.36 + 0.36 + 0.09) / 5)
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx(2 / 3)
    # Of the 3 x 2 pairs of a positive and a negative, only (0.4, 0.6) is the wrong way round.
    assert scores["auc"] == pytest.approx(5 / 6)
    assert scores["prediction_range"] == pytest.approx(0.7)


def test_confusion_by_hand():
    counts = confusion_counts(P, Y)
    assert counts == {"true_negative": 1, "false_positive": 1, "false_negative": 1, "true_positive": 2}


def test_one_class_and_certain_predictions():
    scores = binary_metrics(np.array([0.0, 1.0]), np.array([1.0, 1.0]))
    assert "auc" not in scores
    assert all(math.isfinite(value) for value in scores.values())
    assert confusion_counts(np.array([0.1]), np.array([0.0]))["true_negative"] == 1
