import math
import tracemalloc

import numpy as np
import pytest

from hpo.scoring.confusion import binary_counts, class_counts
from hpo.scoring.forecasts import (
    BinaryForecast,
    ClassForecast,
    RegressionForecast,
    Scale,
    gaussian_scores,
    softmax,
)
from hpo.scoring.metrics import (
    CLASS_METRICS,
    ECE_BINS,
    calibration_error,
    direction_accuracy,
    mase,
    r2,
    rmse,
    smape,
)
from hpo.scoring.scorer import Scorer
from hpo.scoring.tasks import REGRESSION

P = np.array([0.9, 0.2, 0.6, 0.4, 0.7])
Y = np.array([1.0, 0.0, 0.0, 1.0, 1.0])


def scores_of(forecast):
    """Values of all metrics of classes that are defined, by name."""
    values = {metric.name: metric.of(forecast) for metric in CLASS_METRICS}
    return {name: value for name, value in values.items() if value is not None}


def test_binary_metrics_by_hand():
    scores = scores_of(BinaryForecast(P, Y))
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


def counts_of(p, y):
    return binary_counts(np.log(p / (1 - p))[:, None], y[:, None])


def test_confusion_by_hand():
    counts = counts_of(P, Y)
    assert counts == {"true_negative": 1, "false_positive": 1, "false_negative": 1, "true_positive": 2}


def test_one_class_and_certain_predictions():
    scores = scores_of(BinaryForecast(np.array([0.0, 1.0]), np.array([1.0, 1.0])))
    assert "auc" not in scores
    assert all(math.isfinite(value) for value in scores.values())
    assert counts_of(np.array([0.1]), np.array([0.0]))["true_negative"] == 1


def test_class_metrics_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    labels = np.array([0.0, 1.0, 1.0, 2.0])
    scores = scores_of(ClassForecast(p, labels))
    assert scores["log_loss"] == pytest.approx(-np.log([0.7, 0.3, 0.8, 0.4]).mean())
    assert scores["accuracy"] == pytest.approx(3 / 4)
    # Class 0 is found once and guessed twice, class 1 found once of two, class 2 always.
    assert scores["precision"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert scores["recall"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert scores["f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    squares = [(0.3, 0.2, 0.1), (0.5, 0.7, 0.2), (0.1, 0.2, 0.1), (0.3, 0.3, 0.6)]
    assert scores["brier"] == pytest.approx(np.mean([np.square(row).sum() for row in squares]))
    assert scores["prediction_range"] == pytest.approx(0.6)
    # Of the pairs of one of a class and one of another, the share in the right order, ties half.
    assert scores["auc"] == pytest.approx((3 / 3 + 3.5 / 4 + 3 / 3) / 3)
    assert "auc" not in scores_of(ClassForecast(p, np.array([0.0, 1.0, 1.0, 1.0])))
    counts = class_counts(np.log(p), labels[:, None], ("a", "b", "c"))["counts"]
    assert counts == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_softmax_of_large_logits():
    assert softmax(np.array([[1000.0, 1000.0], [0.0, -1000.0]])) == pytest.approx(
        np.array([[0.5, 0.5], [1.0, 0.0]])
    )


def test_calibration_error_against_a_loop():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0, 1, 500)
    correct = rng.uniform(0, 1, 500) < confidence**2
    expected = 0.0
    for i in range(ECE_BINS):
        inside = (confidence >= i / ECE_BINS) & (confidence < (i + 1) / ECE_BINS)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert calibration_error(confidence, correct) == pytest.approx(expected)
    assert calibration_error(np.ones(3), np.ones(3, dtype=bool)) == 0.0


def regression(forecast, actual, last=None, scale=None):
    """A forecast of values (N, O), in units that are the scaled ones unless a scale is given."""
    ones = np.ones(actual.shape[1])
    return RegressionForecast(
        outputs=forecast,
        targets=actual,
        last=actual[:, :1] if last is None else last,
        scale=scale or Scale(mean=0 * ones, std=ones, naive_error=ones),
    )


def test_regression_metrics_by_hand():
    scale = Scale(mean=np.array([10.0, 0.0]), std=np.array([2.0, 1.0]), naive_error=np.array([4.0, 0.5]))
    # In units 12 and 8 stand beside 10 and 10, 1 and 3 beside 1 and 1.
    of = regression(np.array([[1.0, 1.0], [-1.0, 3.0]]), np.array([[0.0, 1.0], [0.0, 1.0]]), scale=scale)
    assert rmse(of) == pytest.approx(math.sqrt((4 + 4 + 0 + 4) / 4))
    assert smape(of) == pytest.approx(100 * (4 / 22 + 4 / 18 + 0 + 4 / 4) / 4)
    assert mase(of) == pytest.approx((2 / 4 + 1 / 0.5) / 2)
    perfect = regression(np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    assert r2(perfect) == 1.0
    assert r2(regression(np.ones((1, 1)), np.ones((1, 1)))) is None, "one window has no mean to beat"
    flat = Scale(mean=np.zeros(1), std=np.ones(1), naive_error=np.zeros(1))
    assert mase(regression(np.ones((2, 1)), np.ones((2, 1)), scale=flat)) is None


def test_direction_accuracy_by_hand():
    # Two steps of one column: last values 1, 2 and unknown.
    last = np.array([[1.0], [2.0], [np.nan]])
    actual = np.array([[2.0, 0.5], [2.0, 3.0], [9.0, 9.0]])
    forecast = np.array([[1.5, 1.5], [5.0, 2.5], [9.0, 9.0]])
    # Right: up to 2 (1.5), up to 3 (2.5); wrong: down to 0.5 (1.5). No direction: 2 to 2; unknown: the rest.
    assert direction_accuracy(regression(forecast, actual, last)) == pytest.approx(2 / 3)
    assert direction_accuracy(regression(last.repeat(2, 1), actual, last)) == 0.0
    assert direction_accuracy(regression(forecast[2:], actual[2:], last[2:])) is None
    # Columns beside each other, step-major: (step 1 a, step 1 b, step 2 a, step 2 b).
    two = regression(
        np.array([[2.0, 9.0, 0.0, 9.0]]), np.array([[3.0, 11.0, 2.0, 9.5]]), np.array([[1.0, 10.0]])
    )
    assert direction_accuracy(two) == pytest.approx(2 / 4)


def test_gaussian_metrics_against_draws():
    """Targets drawn from the forecast itself: its interval covers 90 %, its likelihood is the entropy."""
    rng = np.random.default_rng(0)
    factor = np.array([[1.0, 0.0], [0.8, 0.6]])
    targets = rng.normal(size=(20_000, 2)) @ factor.T
    inverse = np.log(np.expm1(np.diag(factor) - 1e-3)) - np.log(np.e - 1)
    raw = np.array([0.0, 0.0, inverse[0], 0.8, inverse[1]])
    scores = gaussian_scores(np.tile(raw, (len(targets), 1)), targets)
    entropy = 0.5 * np.log((2 * np.pi * np.e) ** 2 * np.linalg.det(factor @ factor.T))
    assert scores["nll"] == pytest.approx(entropy / 2, abs=0.01)
    assert scores["coverage_90"] == pytest.approx(0.9, abs=0.01)
    assert scores["mean_correlation"] == pytest.approx(0.8)


def test_a_likelihood_that_is_not_finite_is_left_out_and_the_rest_stays():
    one = np.ones(2)
    scorer = Scorer(task=REGRESSION, scale=Scale(mean=one, std=one, naive_error=one))
    outputs, targets = np.zeros((3, 4)), np.full((3, 2), 1e200)
    outputs[:, 2:] = -50.0
    scores = scorer.metrics(outputs, targets * 1e-100, one[None].repeat(3, 0))
    assert scores["mae"] > 0
    with np.errstate(over="ignore"):
        assert "nll" not in scorer.metrics(outputs, targets, one[None].repeat(3, 0))


def test_a_diagonal_covariance_of_a_long_horizon_takes_no_square():
    """2,000 windows of 700 numbers: whole covariances would take 8 GB."""
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(2000, 700))
    tracemalloc.start()
    scores = gaussian_scores(np.zeros((2000, 1400)), targets)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e9
    assert set(scores) == {"nll", "coverage_90"}
    assert scores["coverage_90"] == pytest.approx(0.9, abs=0.01)
