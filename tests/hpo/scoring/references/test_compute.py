import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from hpo.data import prepare, prepare_folds
from hpo.data.base import DataRequest
from hpo.errors import ConfigError
from hpo.scoring.objective import make_objective
from hpo.scoring.references import Missing, compute_references, restore_references
from hpo.scoring.tasks import BINARY, REGRESSION

LOSS = make_objective("val_loss")


@pytest.mark.slow
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
    (missing,) = references.missing
    assert (missing.name, missing.why) == ("logistic regression", "the training part lacks a class")
    assert np.isfinite(references.metrics["base rate"]["log_loss"])


def test_over_folds_they_are_means_and_the_season_is_that_of_the_first_training_part(hourly, tmp_path):
    path = tmp_path / "table.csv"
    request = DataRequest(context_length=24, horizon=6, path=path, target=("load",), n_folds=3)
    folds = prepare_folds("table", request)
    references = compute_references(folds, REGRESSION, LOSS)
    each = [compute_references([data], REGRESSION, LOSS) for data in folds]
    assert references.season == each[0].season == 24
    for name, scores in references.metrics.items():
        expected = np.mean([one.metrics[name]["mse"] for one in each])
        assert scores["mse"] == pytest.approx(expected)
    assert len(references.scorers) == len(references.by_fold) == 3
    assert all(len(reference.losses) == 3 for reference in references.found)


@pytest.mark.slow
def test_each_knows_its_kind_and_the_loss_of_every_window(hourly, sp500_data):
    _, data = hourly
    for some, task, score in ((data, REGRESSION, "mse"), (sp500_data, BINARY, "log_loss")):
        references = compute_references([some], task, LOSS)
        fitted = {reference.name for reference in references.found if reference.kind == "fitted"}
        assert fitted == {task.linear_name}
        for name, (values,) in ((each.name, each.losses) for each in references.found):
            assert values.shape == some.splits.val.shape
            assert values.mean() == pytest.approx(references.metrics[name][score])


def test_the_toughest_has_the_best_proper_score_whatever_the_objective(hourly):
    _, data = hourly
    for objective in (LOSS, make_objective("direction_accuracy")):
        references = compute_references([data], REGRESSION, objective)
        assert references.toughest == "ridge"
        assert references.metrics["ridge"]["mse"] == min(row["mse"] for row in references.metrics.values())
        assert references.naive != "ridge"


def test_a_manifest_and_their_losses_restore_them(hourly):
    _, data = hourly
    computed = compute_references([data], REGRESSION, LOSS).with_more([Missing(name="AutoARIMA", why="late")])
    stored = json.loads(json.dumps(computed.stored(), allow_nan=False))
    losses = {reference.name: reference.losses[0] for reference in computed.found}
    restored = restore_references([data], REGRESSION, stored, losses)
    assert restored.metrics == computed.metrics
    assert restored.stored() == computed.stored()
    assert restored.missing == computed.missing
    assert (restored.naive, restored.toughest, restored.season) == ("seasonal naive (24)", "ridge", 24)
    for before, after in zip(computed.found, restored.found, strict=True):
        assert np.array_equal(before.losses[0], after.losses[0])
    with pytest.raises(KeyError):
        restore_references([data], REGRESSION, {"folds": [], "naive": "last value", "season": None}, {})


def test_what_comes_later_joins_or_replaces_them(hourly):
    _, data = hourly
    quick = compute_references([data], REGRESSION, LOSS)
    late = quick.with_more([Missing(name="gradient boosting", why="not done after 60 s")])
    assert [other.name for other in late.missing] == ["gradient boosting"]
    ridge = next(reference for reference in quick.found if reference.name == "ridge")
    better = replace(ridge, name="gradient boosting", metrics=({**ridge.metrics[0], "mse": 1e-6},))
    done = late.with_more([better])
    assert done.missing == ()
    assert done.toughest == "gradient boosting"
    assert quick.toughest == "ridge"


def test_the_naive_forecast_is_the_best_by_the_objective(sp500_data, hourly):
    _, data = hourly
    by_loss = compute_references([data], REGRESSION, LOSS)
    by_direction = compute_references([data], REGRESSION, make_objective("direction_accuracy"))
    best = max(
        (reference.name for reference in by_loss.found if reference.kind == "naive"),
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
