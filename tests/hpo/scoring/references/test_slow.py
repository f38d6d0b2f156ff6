import time

import numpy as np
import pytest

from hpo.scoring.objective import make_objective
from hpo.scoring.references import (
    Missing,
    boosting,
    compute_references,
    make_scorer,
    slow_names,
    slow_references,
    statistical,
    time_limit,
)
from hpo.scoring.references.windows import OutOfTimeError
from hpo.scoring.tasks import BINARY, REGRESSION

pytestmark = pytest.mark.slow

NEVER = float("inf")


def mse(data, outputs):
    return float(np.mean((outputs - data.targets_at(data.splits.val)) ** 2))


@pytest.fixture
def bent(prepared):
    """What comes is the square of another channel a row before: no line follows it."""

    def make(horizon):
        rng = np.random.default_rng(0)
        x = np.repeat(rng.normal(size=200), 6)
        y = np.concatenate([[0.0], x[:-1] ** 2]) + rng.normal(0, 0.1, len(x))
        return prepared({"x": x, "y": y}, context_length=12, horizon=horizon)

    return make


@pytest.mark.parametrize(("horizon", "n_models"), [(1, 1), (6, 6), (30, 1)])
def test_boosting_follows_what_no_line_does(bent, monkeypatch, horizon, n_models):
    monkeypatch.setattr(boosting, "TREES_A_ROUND", 15)
    data = bent(horizon)
    scorer = make_scorer(data, REGRESSION, None)
    problem = boosting._Numbers(data, None)
    assert len(problem.models()) == n_models, "beyond 24 numbers the step is an input"
    outputs, words = boosting.forecast(data, scorer, NEVER)
    assert outputs.shape == (len(data.splits.val), horizon)
    assert "trees on" in words
    linear = compute_references([data], REGRESSION, make_objective("val_loss")).metrics["ridge"]["mse"]
    first = (outputs - data.targets_at(data.splits.val))[:, 0] ** 2
    assert first.mean() < 0.5 * linear if horizon == 1 else mse(data, outputs) < linear


def test_boosting_of_labels(sp500_data):
    scorer = make_scorer(sp500_data, BINARY, None)
    outputs, _ = boosting.forecast(sp500_data, scorer, NEVER)
    targets = sp500_data.targets_at(sp500_data.splits.val).astype(np.float64)
    assert scorer.losses(outputs, targets).mean() < 0.41, "the base rate scores 0.469"


def test_every_window_shows_its_share_of_many_steps(hourly):
    _, data = hourly
    problem = boosting._Numbers(data, 24)
    ends = data.splits.train[:20]
    x, y = problem.rows(ends)
    assert x.shape[0] == y.shape[0] == 20 * problem.rows_a_window
    shown = x[:, -2].reshape(20, -1)
    assert set(shown.ravel()) == set(range(1, 31)), "all steps come up, in turn"
    aims = data.targets_at(ends) - problem._bases(ends)[:, :, 0]
    for i in range(20):
        np.testing.assert_allclose(y.reshape(20, -1)[i], aims[i, shown[i].astype(int) - 1], atol=1e-6)


def test_one_that_is_not_done_by_the_deadline_is_named(hourly):
    _, data = hourly
    quick = compute_references([data], REGRESSION, make_objective("val_loss"))
    scorer = make_scorer(data, REGRESSION, 24)
    with pytest.raises(OutOfTimeError):
        boosting.forecast(data, scorer, time.monotonic())
    late = list(slow_references([data], quick, deadline=time.monotonic()))
    assert [type(other) for other in late] == [Missing] * len(late)
    assert [other.name for other in late] == list(slow_names([data], quick))
    assert late[0].name == "gradient boosting"
    assert "not done after 0 s" in late[0].why
    assert quick.with_more(late).missing == tuple(late)


def test_each_is_handed_over_as_it_is_done_with_its_losses(hourly):
    _, data = hourly
    quick = compute_references([data], REGRESSION, make_objective("val_loss"))
    first = next(slow_references([data], quick, deadline=time.monotonic() + 200))
    assert (first.name, first.kind) == ("gradient boosting", "fitted")
    assert first.losses[0].mean() == pytest.approx(first.metrics[0]["mse"])
    assert first.metrics[0]["mse"] < quick.metrics["last value"]["mse"]


@pytest.mark.parametrize(("study", "limit"), [(None, 60.0), (100.0, 60.0), (7200.0, 360.0)])
def test_they_may_take_a_minute_or_a_twentieth_of_the_study(study, limit):
    assert time_limit(study) == pytest.approx(limit)


def test_statistical_models_follow_a_season(hourly):
    pytest.importorskip("statsforecast", reason="the extra references is not installed")
    _, data = hourly
    quick = compute_references([data], REGRESSION, make_objective("val_loss"))
    few = data.splits.val[:: len(data.splits.val) // 20]
    thin = type(data)(**{**vars(data), "splits": type(data.splits)(**{**vars(data.splits), "val": few})})
    naive = thin.targets_at(few) - thin.target_values[few]
    for name in ("AutoTheta", "AutoETS", "MSTL"):
        outputs, words = statistical.forecast(name, thin, 24, time.monotonic() + 300)
        assert outputs.shape == (len(few), 30)
        assert mse(thin, outputs) < 0.5 * np.mean(naive**2), name
        assert "240 training rows" in words
    assert set(slow_names([data], quick)) == {
        "gradient boosting",
        "AutoTheta",
        "AutoETS",
        "MSTL",
        "AutoARIMA",
    }
    with pytest.raises(OutOfTimeError):
        statistical.forecast("AutoETS", thin, 24, time.monotonic())


def test_a_model_that_cannot_be_fitted_is_named_with_the_reason():
    pytest.importorskip("statsforecast", reason="the extra references is not installed")
    with pytest.raises(statistical.FitError, match="MSTL cannot be fitted"):
        statistical._fitted("MSTL", np.zeros(3), 24)
