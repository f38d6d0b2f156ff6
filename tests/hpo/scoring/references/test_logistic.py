import math
from dataclasses import replace

import numpy as np
import pytest

from hpo.data import prepare
from hpo.data.base import DataRequest
from hpo.scoring.references import logistic, make_scorer
from hpo.scoring.tasks import BINARY, MULTICLASS


def log_loss(data, task, outputs):
    targets = data.targets_at(data.splits.val).astype(np.float64)
    return float(make_scorer(data, task, None).losses(outputs, targets).mean())


@pytest.mark.slow
def test_price_labels_are_told_by_how_far_prices_went(sp500_data):
    """Raw levels of the whole window alone scored 0.41, the base rate 0.469."""
    outputs, words = logistic.forecast(sp500_data, make_scorer(sp500_data, BINARY, None))
    assert log_loss(sp500_data, BINARY, outputs) < 0.397
    assert "two price ratios" in words
    assert "price ratios and the last row" in words


@pytest.mark.slow
def test_it_is_the_same_at_any_price_level(sp500_data):
    scorer = make_scorer(sp500_data, BINARY, None)
    table = sp500_data.table
    features = table.features.copy()
    for name in ("open", "high", "low", "close"):
        features[:, table.channel_names.index(name)] *= 1000.0
    dearer = replace(sp500_data, table=replace(table, features=features))
    got, expected = (logistic.forecast(data, scorer) for data in (dearer, sp500_data))
    np.testing.assert_allclose(got[0], expected[0], atol=1e-6)


def test_of_other_labels_it_finds_what_is_there(prepared):
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    p = 1 / (1 + np.exp(-2 * x))
    label = (rng.uniform(size=2000) < np.concatenate([[0.5] * 3, p[:-3]])).astype(float)
    data = prepared({"x": x, "label": label}, context_length=10, horizon=3, task="binary")
    outputs, _ = logistic.forecast(data, make_scorer(data, BINARY, None))
    ends = data.splits.val
    best = -np.mean(np.log(np.where(data.targets_at(ends)[:, 0] == 1, p[ends], 1 - p[ends])))
    assert log_loss(data, BINARY, outputs) < 1.02 * best
    assert best < 0.8 * math.log(2)


def test_one_class_alone_has_none(sp500_data):
    values = np.zeros_like(sp500_data.target_values)
    assert (
        logistic.forecast(replace(sp500_data, target_values=values), make_scorer(sp500_data, BINARY, None))
        is None
    )


@pytest.mark.slow
def test_of_several_classes(data_dir):
    """Statistics of the window tell the activity; the flattened window scored 1.14, frequencies 1.79."""
    data = prepare("har", DataRequest(context_length=128, horizon=1))
    thin = replace(data, splits=replace(data.splits, train=data.splits.train[::4], val=data.splits.val[::2]))
    outputs, words = logistic.forecast(thin, make_scorer(thin, MULTICLASS, None))
    assert outputs.shape == (len(thin.splits.val), 6)
    assert "statistics of the window" in words
    assert log_loss(thin, MULTICLASS, outputs) < 0.6
