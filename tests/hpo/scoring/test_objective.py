import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import ConfigError, UnknownNameError
from hpo.scoring.metrics import Scorer
from hpo.scoring.objective import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    OBJECTIVES,
    check_objective,
    make_objective,
)

LOSS, AUC = make_objective("val_loss"), make_objective("auc")


def test_skill_is_the_share_of_the_way_to_a_perfect_forecast():
    assert LOSS.skill(0.3, 0.4) == pytest.approx(0.25)
    assert LOSS.skill(0.5, 0.4) == pytest.approx(-0.25)
    assert LOSS.skill(0.1, 0.0) is None
    assert AUC.skill(0.75, 0.5) == pytest.approx(0.5)
    assert AUC.skill(0.4, 0.5) == pytest.approx(-0.2)
    assert AUC.skill(1.0, 1.0) is None
    assert make_objective("nll").skill(0.5, 1.0) is None


@given(st.sampled_from(OBJECTIVES), st.floats(0.01, 0.98), st.floats(0.01, 0.98))
def test_better_has_one_meaning(name, value, reference):
    objective = make_objective(name)
    better = value > reference if objective.direction == "maximize" else value < reference
    assert objective.is_better(value, reference) == better
    assert objective.is_better(value, None)
    if name != "nll":
        assert (objective.skill(value, reference) > 0) == better


def test_every_metric_of_a_task_can_be_the_objective_or_is_no_score():
    rng = np.random.default_rng(0)
    scales = {"mean": np.zeros(2), "std": np.ones(2), "naive_error": np.ones(2)}
    outputs, last = rng.normal(size=(50, 5)), rng.normal(size=(50, 2))
    found = {
        *Scorer(task="binary", **scales).metrics(outputs[:, :1], rng.integers(0, 2, (50, 1)) * 1.0, last),
        *Scorer(task="multiclass", **scales).metrics(outputs[:, :3], rng.integers(0, 3, (50, 1)) * 1.0, last),
        *Scorer(task="regression", **scales).metrics(outputs, rng.normal(size=(50, 2)), last),
    }
    described = {"prediction_range", "coverage_90", "mean_correlation"}
    assert found == {*LOWER_IS_BETTER, *HIGHER_IS_BETTER, *described}


def test_what_it_is_among_the_metrics():
    assert LOSS.score({"auc": 0.7, "log_loss": 0.5}) == 0.5
    assert LOSS.score({"mse": 0.3, "mae": 0.4}) == 0.3
    assert AUC.score({"auc": 0.7, "log_loss": 0.5}) == 0.7
    assert AUC.score({"mse": 0.3}) is None


def test_bad_names_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'accuracy'"):
        make_objective("acuracy")
    with pytest.raises(ConfigError, match=r"objective auc .* valid: val_loss, mse, mae"):
        check_objective(AUC, {"mse": 0.3, "mae": 0.4})
