import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import ConfigError, UnknownNameError
from hpo.scoring.objective import (
    OBJECTIVES,
    PROPER_SCORES,
    Objective,
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


@given(st.sampled_from(OBJECTIVES), st.floats(0.01, 0.98), st.floats(0.001, 0.5))
def test_a_step_is_a_gain_of_skill_in_the_objectives_values(name, reference, gain):
    objective = make_objective(name)
    better = reference - objective.sign * objective.step(gain, reference)
    if objective.perfect is not None:
        assert objective.skill(better, reference) == pytest.approx(gain)


def test_a_step_of_a_likelihood_is_in_nats_and_of_a_perfect_reference_nothing():
    assert make_objective("nll").step(0.001, -3.0) == 0.001
    assert LOSS.step(0.001, 0.0) == 0.0
    assert AUC.step(0.001, 1.0) == 0.0


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


def test_metrics_that_score_can_be_the_objective_and_those_that_describe_cannot():
    assert {"val_loss", "log_loss", "auc", "mse", "nll", "direction_accuracy"} <= set(OBJECTIVES)
    assert not {"prediction_range", "coverage_90", "mean_correlation"} & set(OBJECTIVES)
    assert PROPER_SCORES == ("log_loss", "mse")


def test_an_objective_of_a_newer_version_is_readable():
    newer = Objective(name="sharpe", direction="maximize")
    assert newer.score({"sharpe": 1.2}) == 1.2
    assert newer.skill(1.2, 0.5) is None
