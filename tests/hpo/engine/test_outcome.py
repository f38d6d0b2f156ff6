import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hpo.engine.outcome import final_record
from hpo.scoring.objective import Objective
from hpo.store.layout import ExperimentFiles
from hpo.store.records import read_records
from hpo.trial.events import EpochResult, Failed, Finished, FoldResult
from hpo.trial.record import FoldScore, TrialRecord


@pytest.fixture
def record(tiny_study):
    """The intent of a trial, as it was before it trained."""
    (record, *_), _ = read_records(ExperimentFiles(out=tiny_study.parent, experiment=tiny_study.name))
    ended = {"value": None, "datetime_complete": None, "duration_seconds": None, "metrics": None}
    return record.updated(state="RUNNING", flags=[], user_attrs={"origin": record.origin}, **ended)


CURVE = [
    EpochResult(epoch=epoch, train_loss=0.5, val_loss=score, value=score, learning_rate=1e-3, seconds=0.1)
    for epoch, score in ((1, 0.6), (2, 0.4), (3, 0.45))
]


def fold_result(value=0.4, confusion=None, **metrics):
    return FoldResult(
        curve=CURVE,
        best_epoch=2,
        best_value=value,
        steps=3,
        train_metrics={"log_loss": 0.3},
        val_metrics={"log_loss": value, "prediction_range": 0.5, **metrics},
        confusion=confusion,
        val_losses=np.full(4, value, dtype=np.float32),
    )


def finished(record, *folds, **metrics):
    return Finished(
        folds=list(folds) or [fold_result(**metrics)],
        stopped_because="epochs",
        param_count=record.architecture.param_count,
        peak_memory_bytes=1,
        flops_per_step=10,
        samples_per_second=1.0,
    )


def other(record, **training):
    changed = record.training.updated(**training)
    return record.updated(trial_number=99, training=changed)


def test_a_completed_trial_has_its_best_score_and_a_pruned_one_its_last(record):
    done = final_record(record, CURVE, finished(record), pruned=False, earlier=[], seconds=1.5)
    assert (done.state, done.value, done.training.best_epoch) == ("COMPLETE", 0.4, 2)
    assert done.naive.skill == pytest.approx(1 - 0.4 / record.naive.metrics["log_loss"])
    pruned = final_record(record, CURVE, finished(record), pruned=True, earlier=[], seconds=1.5)
    assert (pruned.state, pruned.value, pruned.training.stopped_because) == ("PRUNED", 0.45, "pruned")
    assert pruned.constraints == {}, "feasible"
    assert pruned.duration_seconds == 1.5


def test_a_trial_over_its_time_limit_is_pruned_feasible_and_keeps_its_best(record):
    late = replace(finished(record), stopped_because="time limit")
    ended = final_record(record, CURVE, late, pruned=False, earlier=[], seconds=1.5)
    assert (ended.state, ended.value, ended.training.stopped_because) == ("PRUNED", 0.4, "time limit")
    assert ended.constraints == {}
    hung = Failed(kind="time limit", type="TimeLimit", message="why", traceback=None)
    ended = final_record(record, [], hung, pruned=False, earlier=[], seconds=1.5)
    assert (ended.state, ended.value, ended.constraints) == ("PRUNED", None, {})


def test_a_clock_that_was_set_back_does_not_end_a_trial_before_it_began(record):
    later = record.updated(datetime_start=datetime.now(UTC) + timedelta(days=1))
    ended = final_record(later, CURVE, finished(record), pruned=False, earlier=[], seconds=1.5)
    assert ended.datetime_complete == later.datetime_start
    assert ended.duration_seconds == 1.5


@pytest.mark.parametrize("kind", ["diverged", "out of memory"])
def test_an_infeasible_config_is_pruned_with_a_constraint(record, kind):
    outcome = Failed(kind=kind, type="X", message="why", traceback="where")
    ended = final_record(record, CURVE[:1], outcome, pruned=False, earlier=[], seconds=1.5)
    assert (ended.state, ended.value) == ("PRUNED", 0.6)
    assert ended.constraints == {kind.replace(" ", "_"): 1.0}
    assert ended.failure.traceback == "where"
    none = final_record(record, [], outcome, pruned=False, earlier=[], seconds=1.5)
    assert none.value is None


@pytest.mark.parametrize("kind", ["error", "killed"])
def test_a_bug_is_a_failure(record, kind):
    outcome = Failed(kind=kind, type="X", message="why", traceback=None)
    ended = final_record(record, CURVE, outcome, pruned=False, earlier=[], seconds=1.5)
    assert (ended.state, ended.value, ended.constraints) == ("FAIL", None, {})


def flags(record, earlier=(), **metrics):
    return final_record(
        record, CURVE, finished(record, **metrics), pruned=False, earlier=earlier, seconds=1.5
    ).flags


def test_collapsed_predictions_and_worse_than_naive(record):
    naive = record.naive.updated(metrics={"log_loss": 0.5})
    good = record.updated(naive=naive)
    assert flags(good) == []
    assert flags(good, prediction_range=0.09) == ["collapsed_predictions"]
    bad = record.updated(naive=naive.updated(metrics={"log_loss": 0.3}))
    assert flags(bad) == ["worse_than_naive"]


def test_worse_than_naive_where_there_is_no_skill(record):
    nll = Objective(name="nll", direction="minimize")
    naive = record.naive.updated(metrics={"nll": 0.3})
    intent = record.updated(objective=nll, naive=naive)
    done = final_record(intent, CURVE, finished(record), pruned=False, earlier=[], seconds=1.5)
    assert done.naive.skill is None
    assert "worse_than_naive" in done.flags


@pytest.mark.parametrize(
    ("training", "is_near"),
    [
        ({}, True),
        ({"dropout": 0.5 + 0.079}, True),
        ({"dropout": 0.5 + 0.081}, False),
        ({"learning_rate": 1.2e-4}, True),
        ({"learning_rate": 1.3e-4}, False),
        ({"weight_decay": 0.0}, False),
        ({"batch_size": 128}, False),
    ],
)
def test_near_duplicates(record, training, is_near):
    naive = record.naive.updated(metrics={"log_loss": 0.5})
    trial = record.updated(naive=naive)
    got = flags(trial, earlier=[other(trial, **training)])
    assert got == (["near_duplicate_of 99"] if is_near else [])


def test_another_architecture_is_no_duplicate(record):
    wider = record.architecture.updated(config={**record.architecture.config, "d_model": 7})
    twin = other(record).updated(architecture=wider)
    assert not any("near_duplicate" in flag for flag in flags(record, earlier=[twin]))


@pytest.mark.parametrize("part", ["train_metrics", "val_metrics"])
def test_a_metric_that_is_not_finite_costs_the_metric_and_not_the_trial(record, part):
    metrics = {"log_loss": 0.4, "brier": math.nan, "ece": math.inf}
    result = replace(fold_result(), **{part: metrics})
    done = final_record(record, CURVE, finished(record, result), pruned=False, earlier=[], seconds=1.5)
    assert (done.state, done.value) == ("COMPLETE", 0.4)
    assert getattr(done.metrics, part.removesuffix("_metrics")) == {"log_loss": 0.4}
    assert done.flags == ["metric_not_finite brier", "metric_not_finite ece"]
    assert done.user_attrs["flags"] == done.flags
    assert TrialRecord.model_validate_json(done.model_dump_json()) == done


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"best_value": math.nan}, r"value: input should be a finite number, got nan"),
        ({"best_value": math.inf}, r"value: input should be a finite number, got inf"),
        ({"steps": 1.5}, r"resources\.steps: .*integer.*, got 1\.5"),
        ({"best_epoch": "second"}, r"training\.best_epoch: .*integer.*, got 'second'"),
        ({"confusion": {"true_positives": 3}}, r"confusion_matrix\."),
    ],
)
def test_an_answer_that_is_no_record_is_a_failure_that_names_the_field(record, change, said):
    outcome = finished(record, replace(fold_result(), **change))
    ended = final_record(record, CURVE, outcome, pruned=False, earlier=[], seconds=1.5)
    assert (ended.state, ended.value, ended.metrics) == ("FAIL", None, None)
    assert ended.failure.type == "InvalidResult"
    assert re.search(said, ended.failure.message)
    assert [row.val_loss for row in ended.learning_curve] == [0.6, 0.4, 0.45], "what it did tell is kept"
    assert TrialRecord.model_validate_json(ended.model_dump_json()) == ended


def test_an_epoch_that_is_not_finite_has_no_loss_and_no_step(record):
    broken = replace(CURVE[1], val_loss=math.nan, train_loss=math.inf, value=math.nan)
    done = final_record(record, [CURVE[0], broken], finished(record), pruned=False, earlier=[], seconds=1.5)
    assert done.intermediate_values == {1: 0.6}
    assert (done.learning_curve[1].val_loss, done.learning_curve[1].train_loss) == (None, None)


def walk_forward(record, n_folds=3):
    folds = [
        FoldScore(fold=i, value=None, naive=0.5 + i / 10, best_epoch=None, epochs_run=0, split=record.split)
        for i in range(n_folds)
    ]
    training = record.training.updated(epochs_planned=10)
    return record.updated(folds=folds, training=training)


def counts(n):
    names = ("true_negative", "false_positive", "false_negative", "true_positive")
    return dict.fromkeys(names, n)


def test_the_value_of_several_folds_is_their_mean_and_its_spread_is_recorded(record):
    results = [fold_result(value, confusion=counts(i)) for i, value in enumerate((0.3, 0.5, 0.7))]
    curve = [replace(row, fold=fold) for fold in range(3) for row in CURVE]
    intent = walk_forward(record)
    done = final_record(intent, curve, finished(record, *results), pruned=False, earlier=[], seconds=9.0)
    assert done.value == pytest.approx(0.5)
    assert done.value_std == pytest.approx(0.2)
    assert done.naive.skill == pytest.approx(1 - 0.5 / 0.6)
    assert done.metrics.val["log_loss"] == pytest.approx(0.5)
    assert done.confusion_matrix.true_positive == 0 + 1 + 2
    assert [(fold.value, fold.naive, fold.best_epoch) for fold in done.folds] == [
        (0.3, 0.5, 2),
        (0.5, 0.6, 2),
        (0.7, 0.7, 2),
    ]
    assert list(done.intermediate_values) == [fold * 10 + epoch for fold in range(3) for epoch in (1, 2, 3)]
    assert TrialRecord.model_validate_json(done.model_dump_json()) == done


def test_a_trial_that_ended_in_an_early_fold_stands_beside_the_naive_forecast_of_that(record):
    outcome = finished(record, fold_result(0.3))
    done = final_record(walk_forward(record), CURVE, outcome, pruned=True, earlier=[], seconds=9.0)
    assert done.naive.skill == pytest.approx(1 - 0.3 / 0.5)
    assert [fold.value for fold in done.folds] == [0.3, None, None]
    assert done.value_std is None


def test_a_metric_that_is_maximised(record):
    auc = Objective(name="auc", direction="maximize")
    naive = record.naive.updated(metrics={"log_loss": 0.5, "auc": 0.5})
    intent = record.updated(objective=auc, naive=naive)
    curve = [replace(row, value=0.6 + row.epoch / 100) for row in CURVE]
    done = final_record(intent, curve, finished(record, fold_result(0.7)), False, [], 1.0)
    assert (done.value, done.naive.skill) == (0.7, pytest.approx(0.4))
    assert done.intermediate_values == {1: 0.61, 2: 0.62, 3: 0.63}
    assert [row.val_loss for row in done.learning_curve] == [0.6, 0.4, 0.45], "the curve keeps the loss"
