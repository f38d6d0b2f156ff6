from datetime import timedelta

import pytest

from hpo.report.summary.analysis import analyse
from hpo.trial.record import Code, DataSource, Failure


def test_no_record_is_an_error():
    with pytest.raises(ValueError, match="at least one trial"):
        analyse([])


def test_overview_counts_what_was_run(record):
    summary = analyse(
        [
            record(0, origin="forced:dropout:2M-0.1", duration_seconds=10.0),
            record(1, origin="startup", duration_seconds=30.0),
            record(2, state="PRUNED", duration_seconds=20.0),
            record(3, state="FAIL", value=None, duration_seconds=None),
        ]
    )
    o = summary.overview
    assert o.states == {"COMPLETE": 2, "PRUNED": 1, "FAIL": 1}
    assert o.origins == {"forced": 1, "startup": 1, "tpe": 2}
    assert (o.total_seconds, o.median_seconds) == (60.0, 20.0)
    assert o.last_end - o.first_start == timedelta(minutes=3, seconds=23)
    assert (o.score, o.budgets, o.families) == ("log_loss", [2_000_000], ["psann"])


def test_data_and_code_are_named_once_each(record):
    old, new = Code(version="0.1.0", commit="a", dirty=False), Code(version="0.2.0", commit="b", dirty=True)
    other = DataSource(name="sp500", sha256="cd" * 32)
    summary = analyse([record(0, code=old), record(1, code=new), record(2, code=old, data=other)])
    assert summary.overview.code == [old, new]
    assert [source.sha256[:2] for source in summary.overview.data] == ["ab", "cd"]


def test_the_best_trial_with_its_skill_and_config(record):
    summary = analyse([record(0, value=0.7), record(7, value=0.6), record(8, value=0.1, state="PRUNED")])
    best = summary.best
    assert best.trial_number == 7
    assert best.skill == pytest.approx(1 - 0.6 / best.reference_score)
    assert best.architecture.config["d_model"] == 320
    assert best.metrics.val["log_loss"] == 0.6
    assert set(best.intervals) == {"accuracy", "precision", "recall", "auc"}


def test_ties_go_to_the_earlier_trial(record):
    assert analyse([record(4, value=0.6), record(2, value=0.6)]).best.trial_number == 2


def test_references_come_best_first_with_the_skill_over_each(record):
    references = {
        "base rate": {"log_loss": 0.70},
        "logistic regression": {"log_loss": 0.64, "auc": 0.6},
        "last value": {"brier": 0.3},
    }
    summary = analyse([record(0, value=0.63, references=references)])
    names = [row.name for row in summary.references]
    assert names == ["logistic regression", "base rate", "last value"]
    skills = [row.skill_of_best for row in summary.references]
    assert skills == [pytest.approx(1 - 0.63 / 0.64), pytest.approx(0.1), None]


def test_a_naive_forecast_that_the_references_lack_is_listed(record):
    assert [row.name for row in analyse([record(0, references={})]).references] == ["base rate"]


def test_regression_shows_the_metrics_it_has(record):
    summary = analyse([record(0, value=0.6, regression=True)])
    assert summary.overview.score == "mse"
    assert set(summary.best.metrics.val) == {"mse", "rmse", "mae", "r2", "smape", "mase"}
    assert summary.best.confusion is None
    assert summary.best.intervals == {}


def test_a_metric_that_is_maximised_is_compared_by_its_distance_from_1(record):
    objective = {"name": "auc", "direction": "maximize"}
    naive = {"name": "base rate", "metrics": {"auc": 0.5}, "skill": None}
    linear = {"base rate": {"auc": 0.5}, "logistic regression": {"auc": 0.6}}
    common = {"objective": objective, "naive": naive, "references": linear}
    summary = analyse([record(i, value=0.5 + i / 10, **common) for i in range(3)])
    assert summary.overview.score == "auc"
    assert summary.best.trial_number == 2
    assert summary.best.reference_score == 0.5
    assert [row.name for row in summary.references] == ["logistic regression", "base rate"], "best first"
    assert [row.skill_of_best for row in summary.references] == [pytest.approx(0.25), pytest.approx(0.4)]


def test_a_score_that_no_metric_holds_is_not_compared(record):
    objective = {"name": "auc", "direction": "maximize"}
    naive = {"name": "base rate", "metrics": {"log_loss": 0.5}, "skill": None}
    summary = analyse([record(0, objective=objective, naive=naive)])
    assert summary.best.reference_score is None
    assert summary.references[0].skill_of_best is None


def test_several_folds_have_no_interval_from_their_counts_together(record):
    trial = record(0)
    fold = {"fold": 0, "value": 0.5, "naive": 0.6, "best_epoch": 2, "epochs_run": 3, "split": trial.split}
    summary = analyse([record(0, folds=[fold, {**fold, "fold": 1}], value_std=0.1)])
    assert summary.best.intervals == {}
    assert summary.best.confusion.hindsight_log_loss is None
    assert (summary.best.value_std, len(summary.best.folds)) == (0.1, 2)


def test_trials_are_ordered_best_first_then_pruned_then_failed(record):
    summary = analyse(
        [
            record(0, state="FAIL", value=None),
            record(1, state="RUNNING", value=None),
            record(2, state="PRUNED", value=0.1),
            record(3, value=0.7),
            record(4, value=0.6),
        ]
    )
    assert [row.trial_number for row in summary.trials] == [4, 3, 2, 0, 1]
    assert [row.skill is None for row in summary.trials] == [False, False, True, True, True]


def test_flags_are_counted_by_their_first_word(record):
    summary = analyse(
        [
            record(0, flags=["worse_than_naive"]),
            record(1, flags=["worse_than_naive", "near_duplicate_of 0"]),
            record(2, flags=["near_duplicate_of 1"], state="PRUNED"),
        ]
    )
    counts = {name: (count.trials, count.completed) for name, count in summary.flags.items()}
    assert counts == {"near_duplicate_of": (2, 1), "worse_than_naive": (2, 2)}


def test_problems_are_the_trials_with_a_failure(record):
    failure = Failure(type="DivergedError", message="inf", traceback=None)
    summary = analyse([record(0), record(1, state="PRUNED", value=30.0, failure=failure)])
    assert [(p.trial_number, p.state, p.type) for p in summary.problems] == [(1, "PRUNED", "DivergedError")]


def test_the_order_of_the_records_does_not_matter(study):
    records = study()
    assert analyse(records) == analyse(records[::-1])
