import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.linear_model import Ridge

from hpo.data import prepare, prepare_folds
from hpo.data.base import DataRequest
from hpo.errors import ConfigError
from hpo.scoring.objective import make_objective
from hpo.scoring.references import compute_references
from hpo.scoring.task import BINARY, REGRESSION


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


LOSS = make_objective("val_loss")


def test_the_base_rate_is_that_of_the_training_windows(sp500_data):
    train = sp500_data.targets_at(sp500_data.splits.train)
    p, q = float(train.mean()), float(sp500_data.targets_at(sp500_data.splits.val).mean())
    expected = -(q * math.log(p) + (1 - q) * math.log(1 - p))
    references = compute_references([sp500_data], BINARY, LOSS)
    assert references.metrics["base rate"]["log_loss"] == pytest.approx(expected, rel=1e-5)
    assert references.naive == "base rate"
    assert references.metrics["logistic regression"]["auc"] > 0.7, (
        "calm follows calm, and the window shows it"
    )


def test_regression_references_against_loops(hourly):
    load, data = hourly
    references = compute_references([data], REGRESSION, LOSS)
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
    got = compute_references([data], REGRESSION, LOSS).metrics["ridge"]["mse"]
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
    assert (
        compute_references([changed], REGRESSION, LOSS).metrics
        == compute_references([small], REGRESSION, LOSS).metrics
    )


def test_a_given_season_is_taken(hourly):
    _, data = hourly
    given = replace(data, table=replace(data.table, season=12))
    assert "seasonal naive (12)" in compute_references([given], REGRESSION, LOSS).metrics


def test_one_class_alone_has_no_logistic_regression(sp500_data):
    values = np.where(np.isnan(sp500_data.target_values), np.nan, 0.0).astype(np.float32)
    references = compute_references([replace(sp500_data, target_values=values)], BINARY, LOSS)
    assert set(references.metrics) == {"base rate"}
    assert np.isfinite(references.metrics["base rate"]["log_loss"])


def test_over_folds_they_are_means_and_the_season_is_that_of_the_first_training_part(hourly, tmp_path):
    path = tmp_path / "hourly.csv"
    request = DataRequest(context_length=24, horizon=6, path=path, target=("load",), n_folds=3)
    folds = prepare_folds("hourly", request)
    references = compute_references(folds, REGRESSION, LOSS)
    each = [compute_references([data], REGRESSION, LOSS) for data in folds]
    assert references.season == each[0].season == 24
    for name, scores in references.metrics.items():
        expected = np.mean([one.metrics[name]["mse"] for one in each])
        assert scores["mse"] == pytest.approx(expected)
    assert len(references.scorers) == len(references.by_fold) == 3


def test_the_naive_forecast_is_the_best_by_the_objective(sp500_data, hourly):
    _, data = hourly
    by_loss = compute_references([data], REGRESSION, LOSS)
    by_direction = compute_references([data], REGRESSION, make_objective("direction_accuracy"))
    best = max(
        (name for name in by_loss.metrics if name != "ridge"),
        key=lambda name: by_loss.metrics[name]["direction_accuracy"],
    )
    assert by_direction.naive == best
    assert by_direction.metrics["last value"]["direction_accuracy"] == 0.0, "it forecasts no direction"


def test_an_objective_of_another_task_is_refused_with_what_there_is(sp500_data):
    with pytest.raises(ConfigError, match=r"objective r2 .*valid: val_loss, log_loss.* auc"):
        compute_references([sp500_data], BINARY, make_objective("r2"))


def test_for_a_gaussian_study_naive_forecasts_have_the_variance_of_their_training_errors(hourly):
    load, data = hourly
    references = compute_references([data], REGRESSION, make_objective("nll"), gaussian=True)
    mean, std = data.target_mean[0], data.target_std[0]
    train, val = data.splits.train, data.splits.val
    steps = np.arange(1, 31)
    scaled = (load - mean) / std

    def errors(ends):
        return scaled[ends[:, None] + steps] - scaled[ends][:, None]

    sigma = np.sqrt(np.mean(errors(train) ** 2, axis=0))
    expected = -norm.logpdf(errors(val), scale=sigma).mean()
    assert references.metrics["last value"]["nll"] == pytest.approx(expected, rel=1e-3)
    assert "nll" not in references.metrics["ridge"]


def test_what_is_to_be_found_in_the_row_itself_is_no_last_value():
    data = prepare("tabular_sine", DataRequest(context_length=1, horizon=1))
    references = compute_references([data], REGRESSION, LOSS)
    assert set(references.metrics) == {"training mean", "ridge"}
    assert references.metrics["training mean"]["mse"] > 0.5
