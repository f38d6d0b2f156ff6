import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from hpo.data import prepare
from hpo.data.base import DataRequest
from hpo.references import compute_references, skill


@pytest.fixture
def hourly(tmp_path):
    """Sixty days of a daily wave on a slope, with a little noise; a second channel that tells nothing."""
    rng = np.random.default_rng(0)
    hours = np.arange(60 * 24)
    load = 50 + 10 * np.sin(2 * np.pi * hours / 24) + 0.01 * hours + rng.normal(0, 0.5, len(hours))
    frame = pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=len(hours), freq="h"),
            "other": rng.normal(size=len(hours)),
            "load": load,
        }
    )
    path = tmp_path / "hourly.csv"
    frame.to_csv(path, index=False)
    request = DataRequest(context_length=48, horizon=30, path=path, target=("load",))
    return load, prepare("hourly", request)


def test_skill_is_the_share_of_the_reference_score_taken_away():
    assert skill(0.3, 0.4) == pytest.approx(0.25)
    assert skill(0.5, 0.4) == pytest.approx(-0.25)
    assert skill(0.1, 0.0) is None


def test_the_base_rate_is_that_of_the_training_windows(sp500_data):
    train = sp500_data.targets_at(sp500_data.splits.train)
    p, q = float(train.mean()), float(sp500_data.targets_at(sp500_data.splits.val).mean())
    expected = -(q * math.log(p) + (1 - q) * math.log(1 - p))
    references = compute_references(sp500_data)
    assert references.metrics["base rate"]["log_loss"] == pytest.approx(expected, rel=1e-5)
    assert references.naive == "base rate"
    assert references.metrics["logistic regression"]["auc"] > 0.7, (
        "calm follows calm, and the window shows it"
    )


def test_regression_references_against_loops(hourly):
    load, data = hourly
    references = compute_references(data)
    assert references.season == 24
    assert set(references.metrics) == {"last value", "training mean", "seasonal naive (24)", "ridge"}
    ((start, stop),) = data.splits.rows["train"]
    errors = {"last value": [], "training mean": [], "seasonal naive (24)": []}
    for end in data.splits.val:
        for step in range(1, 31):
            actual = load[end + step]
            errors["last value"].append(actual - load[end])
            errors["seasonal naive (24)"].append(actual - load[end + step - (24 if step <= 24 else 48)])
    for name in ("last value", "seasonal naive (24)"):
        got = references.metrics[name]
        assert got["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors[name]))), rel=1e-4)
        assert got["mae"] == pytest.approx(np.mean(np.abs(errors[name])), rel=1e-4)
        in_sample = np.mean(np.abs(load[start + 24 : stop] - load[start : stop - 24]))
        assert got["mase"] == pytest.approx(np.mean(np.abs(errors[name])) / in_sample, rel=1e-4)
    assert references.naive == "seasonal naive (24)"
    assert references.metrics["ridge"]["rmse"] < references.metrics["seasonal naive (24)"]["rmse"]


def test_the_ridge_is_scikit_learns_on_the_same_window(hourly):
    _, data = hourly

    def window(ends):
        return np.stack([data.features[e - 47 : e + 1].ravel() for e in ends])

    scores = []
    for alpha in (1e2, 1e3, 1e4, 1e5):
        model = Ridge(alpha=alpha).fit(window(data.splits.train), data.targets_at(data.splits.train))
        error = model.predict(window(data.splits.val)) - data.targets_at(data.splits.val)
        scores.append(np.mean(error**2))
    got = compute_references(data).metrics["ridge"]["mse"]
    assert min(abs(got / score - 1) for score in scores) < 1e-3, (
        "one of the strengths, fitted on all of train"
    )


def test_references_do_not_see_the_future(hourly):
    """Test rows and later validation rows may change; what is forecast for a window may not."""
    _, data = hourly
    first = data.splits.val[:50]
    small = replace(data, splits=replace(data.splits, val=first))
    values = data.target_values.copy()
    features = data.features.copy()
    values[first[-1] + 31 :] = 1e3
    features[first[-1] + 31 :] = 1e3
    changed = replace(small, target_values=values, features=features)
    assert compute_references(changed).metrics == compute_references(small).metrics


def test_a_given_season_is_taken(hourly):
    _, data = hourly
    given = replace(data, table=replace(data.table, season=12))
    assert "seasonal naive (12)" in compute_references(given).metrics


def test_one_class_alone_has_no_logistic_regression(sp500_data):
    values = np.where(np.isnan(sp500_data.target_values), np.nan, 0.0).astype(np.float32)
    references = compute_references(replace(sp500_data, target_values=values))
    assert set(references.metrics) == {"base rate"}
    assert np.isfinite(references.metrics["base rate"]["log_loss"])
