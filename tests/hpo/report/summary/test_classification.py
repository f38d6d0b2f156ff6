import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from hpo.report.summary.classification import confusion, intervals
from hpo.trial.record import ConfusionMatrix


def matrix(tn, fp, fn, tp):
    return ConfusionMatrix(true_negative=tn, false_positive=fp, false_negative=fn, true_positive=tp)


def test_rates_of_a_matrix_counted_by_hand():
    found = confusion(matrix(50, 10, 20, 20))
    assert found.accuracy == 0.7
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == 0.5
    assert found.f1 == pytest.approx(4 / 7)
    assert found.base_rate == 0.4
    assert found.majority_accuracy == 0.6
    assert found.hindsight_log_loss == pytest.approx(-(0.4 * math.log(0.4) + 0.6 * math.log(0.6)))


def test_precision_without_a_positive_prediction_is_not_defined():
    found = confusion(matrix(80, 0, 20, 0))
    assert found.precision is None
    assert found.recall == 0.0
    assert found.f1 == 0.0


def test_recall_and_f1_without_positives_are_not_defined():
    found = confusion(matrix(100, 0, 0, 0))
    assert (found.precision, found.recall, found.f1) == (None, None, None)
    assert found.hindsight_log_loss == 0.0


def test_a_matrix_that_counts_nothing_has_no_rates():
    assert confusion(matrix(0, 0, 0, 0)) is None
    assert intervals(matrix(0, 0, 0, 0), {"auc": 0.6}) == {}


COUNTS = st.integers(0, 60)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_rates_agree_with_scikit_learn(tn, fp, fn, tp):
    if tn + fp + fn + tp == 0:
        return
    labels = np.repeat([0, 0, 1, 1], [tn, fp, fn, tp])
    predicted = np.repeat([0, 1, 0, 1], [tn, fp, fn, tp])
    found = confusion(matrix(tn, fp, fn, tp))
    assert found.accuracy == pytest.approx(sk.accuracy_score(labels, predicted))
    for name, of in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
        assert (getattr(found, name) or 0.0) == pytest.approx(of(labels, predicted, zero_division=0.0))


def test_wilson_interval_by_its_formula():
    found = intervals(matrix(50, 10, 20, 20), {})["accuracy"]
    n, p, z = 100, 0.7, 1.959964
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert found.estimate == 0.7
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


def test_auc_interval_covers_the_truth_in_about_95_of_100_samples():
    rng = np.random.default_rng(0)
    # Normal scores a distance of 1 apart have an AUC of Phi(1 / sqrt 2).
    truth, hits = 0.7602, 0
    for _ in range(300):
        labels = np.repeat([0, 1], [120, 60])
        auc = sk.roc_auc_score(labels, rng.normal(labels, 1.0))
        found = intervals(matrix(100, 20, 30, 30), {"auc": auc})["auc"]
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / 300 <= 0.985


@pytest.mark.parametrize("auc", [0.0, 1.0])
def test_a_perfect_auc_gets_no_interval_rather_than_one_without_width(auc):
    assert "auc" not in intervals(matrix(50, 10, 20, 20), {"auc": auc})


def test_proportions_of_nothing_get_no_interval():
    assert set(intervals(matrix(80, 0, 0, 0), {"auc": 0.6})) == {"accuracy"}
