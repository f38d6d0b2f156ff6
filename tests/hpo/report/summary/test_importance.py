import numpy as np
import optuna
import pytest
from scipy.stats import spearmanr

from hpo.report.summary.importance import MIN_TRIALS, sensitivity


def by_name(found):
    return {row.name: row for row in found.params}


@pytest.fixture(scope="module")
def only_the_learning_rate_matters(record):
    rng = np.random.default_rng(1)
    records = []
    for i in range(40):
        rate = 10 ** rng.uniform(-5, -2)
        value = 0.6 + 0.1 * abs(np.log10(rate) + 5) + rng.normal(0, 0.005)
        dropout, decay = rng.uniform(0, 0.7), 10 ** rng.uniform(-6, -1)
        records.append(record(i, value=value, learning_rate=rate, dropout=dropout, weight_decay=decay))
    return records


def test_the_parameter_that_matters_comes_first(only_the_learning_rate_matters):
    found = sensitivity(only_the_learning_rate_matters)
    assert found.reason is None
    assert found.params[0].name == "learning_rate"
    assert sum(row.importance for row in found.params) == pytest.approx(1.0)
    assert (found.n_trials, found.n_top) == (40, 4)


def test_correlations_agree_with_scipy_on_the_raw_numbers(only_the_learning_rate_matters):
    records = only_the_learning_rate_matters
    row = by_name(sensitivity(records))["dropout"]
    expected = spearmanr([r.training.dropout for r in records], [r.value for r in records])
    assert (row.spearman, row.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert row.p_adjusted >= row.p_value


def test_importance_agrees_with_optuna(only_the_learning_rate_matters):
    study = optuna.create_study()
    for record in only_the_learning_rate_matters:
        names = ("dropout", "learning_rate", "weight_decay")
        distributions = {
            "dropout": optuna.distributions.FloatDistribution(0.0, 0.7),
            "learning_rate": optuna.distributions.FloatDistribution(1e-5, 1e-2, log=True),
            "weight_decay": optuna.distributions.FloatDistribution(1e-6, 1e-1, log=True),
        }
        params = {name: record.params[name] for name in names}
        trial = optuna.trial.create_trial(params=params, distributions=distributions, value=record.value)
        study.add_trial(trial)
    found = {row.name: row.importance for row in sensitivity(only_the_learning_rate_matters).params}
    assert found == pytest.approx(optuna.importance.get_param_importances(study))


def test_parameters_of_one_value_are_named_and_left_out(only_the_learning_rate_matters):
    found = sensitivity(only_the_learning_rate_matters)
    assert found.left_out == ["batch_size", "budget", "normalisation", "shape", "use_weight_decay"]
    assert not set(found.left_out) & set(by_name(found))


def test_a_weight_decay_that_is_off_has_no_say(record):
    records = [
        record(i, value=0.6 + 0.01 * i, weight_decay=0.0 if i % 3 == 0 else 10 ** -(1 + i % 5))
        for i in range(30)
    ]
    found = by_name(sensitivity(records))
    assert found["weight_decay"].n == 20
    assert found["use_weight_decay"].n == 30


def test_truth_values_and_names_have_no_correlation(record):
    names = ("none", "revin", "last")
    records = [
        record(i, value=0.6 + 0.01 * i, normalisation=names[i % 3], weight_decay=[0.0, 1e-3][i % 2])
        for i in range(30)
    ]
    found = by_name(sensitivity(records))
    assert found["normalisation"].spearman is None
    assert found["use_weight_decay"].spearman is None


def test_too_few_trials_say_so(record):
    records = [record(i, value=0.6 + i, dropout=i / 100) for i in range(MIN_TRIALS - 1)]
    found = sensitivity([*records, record(99, state="PRUNED")])
    assert found.params == []
    assert found.reason == "it takes 10 completed trials, and there are 9"


def test_equal_scores_say_so(record):
    found = sensitivity([record(i, value=0.6, dropout=i / 100) for i in range(12)])
    assert found.reason == "all 12 completed trials score the same"


def test_one_config_tried_often_says_so(record):
    found = sensitivity([record(i, value=0.6 + i) for i in range(12)])
    assert found.reason == "no parameter took more than one value"


def test_ties_at_the_edge_of_the_best_tenth_all_count(record):
    values = [0.5] * 4 + [0.6 + 0.01 * i for i in range(16)]
    found = sensitivity([record(i, value=value, dropout=i / 100) for i, value in enumerate(values)])
    assert found.n_top == 4


def test_a_value_outside_its_range_leaves_its_trial_out(record):
    records = [record(i, value=0.6 + 0.01 * i, dropout=i / 100) for i in range(12)]
    found = sensitivity([*records, record(12, value=0.5, dropout=0.9)])
    assert found.reason is None
    assert found.n_trials == 12


def test_maximising_turns_the_best_round(record):
    objective = {"name": "auc", "direction": "maximize"}
    rng = np.random.default_rng(2)
    records = [
        record(i, value=0.5 + i / 100, objective=objective, shape=i / 40, dropout=rng.uniform(0, 0.7))
        for i in range(30)
    ]
    found = by_name(sensitivity(records))
    assert found["shape"].importance > found["dropout"].importance
    assert found["shape"].spearman == pytest.approx(1.0)


def test_optuna_keeps_its_own_verbosity_and_says_nothing(record, capfd):
    before = optuna.logging.get_verbosity()
    sensitivity([record(i, value=0.6 + i, dropout=i / 100) for i in range(12)])
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
