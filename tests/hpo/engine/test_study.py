"""Whole studies, run, stopped and resumed as a user does it."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

import hpo
from hpo.engine import context as engine_context
from hpo.engine.context import make_context
from hpo.engine.rerun import rerun_trial
from hpo.report.status import read_status
from hpo.search.forced import forced_configs
from hpo.store.audit import compare
from hpo.store.database import load_records, load_study, open_existing
from hpo.store.layout import ExperimentFiles
from hpo.store.records import read_records
from hpo.study.config import build_config, read_study_file
from hpo.trial.record import TrialRecord, epoch_values, rank

NAME = "sp500_mlp_h1_20k"


def command(out, *arguments):
    return [sys.executable, "-m", "hpo", "run", f"--out={out}", *arguments]


def run(out, *arguments):
    return subprocess.run(command(out, *arguments), capture_output=True, text=True, timeout=280)


def start(out, *arguments):
    return subprocess.Popen(
        command(out, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def wait_for(process, text):
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"{text!r} never came: {process.stderr.read()}")


def records_of(out):
    records, errors = read_records(ExperimentFiles(out=out, experiment=NAME))
    assert errors == []
    return records


def stored(out):
    with open_existing(f"sqlite:///{out}/studies.db") as storage:
        return load_records(load_study(storage, NAME))


def what_counts(record: TrialRecord):
    """What must not depend on when, how often interrupted, or where a study ran."""
    curve = [(e.epoch, e.train_loss, e.val_loss, e.learning_rate) for e in record.learning_curve]
    return (
        record.trial_number,
        record.state,
        record.value,
        record.origin,
        record.params,
        record.flags,
        record.seed,
        record.intermediate_values,
        record.metrics,
        curve,
    )


def test_a_finished_study_leaves_what_the_contract_says(tiny_study):
    files = ExperimentFiles(out=tiny_study.parent, experiment=NAME)
    records = records_of(tiny_study.parent)
    assert [record.trial_number for record in records] == [0, 1, 2]
    assert {record.state for record in records} == {"COMPLETE"}
    best = json.loads(files.best().read_text())
    assert TrialRecord.model_validate(best) == rank(records)[0]
    rows = json.loads(files.all_trials.read_text())
    assert [row["value"] for row in rows] == sorted(record.value for record in records)
    assert files.summary_md.read_text().startswith("# ")
    assert json.loads(files.summary_json.read_text())["schema_version"] == 1
    manifest = json.loads(files.manifest.read_text())
    assert manifest["test_part_uses"] == 0
    assert manifest["packages"]["torch"].startswith("2.")
    assert manifest["data"]["sha256"] == records[0].data.sha256
    assert "trials" in files.study_toml.read_text()
    assert re.search(r"trial 2 COMPLETE", files.log.read_text())
    assert all(plot.stat().st_size > 5_000 for plot in files.plots.glob("*.png"))
    kept = set(files.folder.glob("checkpoints/*/model.safetensors"))
    assert kept == {files.weights(record.trial_number) for record in rank(records)[:5]}
    assert (
        sum(t.numel() for n, t in load_file(files.weights(best["trial_number"])).items() if n != "offset")
        == best["architecture"]["param_count"]
    )


def test_losses_a_window_make_the_scores_and_the_verdict(tiny_study, tmp_path):
    out = tmp_path / "outputs"
    shutil.copytree(tiny_study.parent, out)
    files = ExperimentFiles(out=out, experiment=NAME)
    records = records_of(out)
    for record in records:
        losses = np.load(files.losses(record.trial_number), allow_pickle=False)
        assert len(losses) == record.split["val"].windows
        assert losses.mean(dtype=np.float64) == pytest.approx(record.metrics.val["log_loss"], rel=1e-6)
    summary = json.loads(files.summary_json.read_text())
    verdict, best = summary["verdict"], rank(records)[0]
    toughest = min(best.references, key=lambda name: best.references[name]["log_loss"])
    assert verdict["against"] == toughest
    difference = best.metrics.val["log_loss"] - best.references[toughest]["log_loss"]
    assert verdict["difference"] == pytest.approx(difference, rel=1e-3, abs=1e-6)
    assert verdict["low"] <= verdict["difference"] <= verdict["high"]
    assert verdict["corrected_for"] == 3
    assert best.trial_number in summary["alike"]["trials"]
    head = "\n".join(files.summary_md.read_text().splitlines()[:8])
    assert verdict["word"] in head.lower()
    study = hpo.open(files.folder)
    assert study.verdict == verdict
    (row,) = read_status(f"sqlite:///{out}/studies.db", out)
    assert (row.toughest, row.verdict) == (toughest, verdict)
    # What is gone is said, and trained again to the bit.
    kept = files.losses(1).read_bytes()
    files.losses(1).unlink()
    with open_existing(f"sqlite:///{out}/studies.db") as database:
        (difference,) = compare(load_study(database, NAME), files)
    assert (difference.kind, difference.trial_number) == ("rerun", 1)
    files.summary_json.unlink()
    assert hpo.open(files.folder).verdict["corrected_for"] == 3
    assert rerun_trial(files.trial(1)).reproduced
    assert files.losses(1).read_bytes() == kept
    files.losses(1).write_bytes(kept[:-1])
    assert rerun_trial(files.trial(1)).reproduced
    assert files.losses(1).read_bytes() == kept


def test_a_record_holds_the_trial(tiny_study):
    for record, forced in zip(records_of(tiny_study.parent), forced_configs((20_000,)), strict=False):
        assert record.origin == forced.origin
        assert abs(record.architecture.budget_deviation) <= 0.02
        assert record.architecture.param_count == pytest.approx(20_000, rel=0.02)
        assert record.value == min(epoch.val_loss for epoch in record.learning_curve)
        assert record.value == pytest.approx(record.metrics.val["log_loss"], rel=1e-4)
        assert record.naive.name == "base rate"
        assert record.naive.skill == pytest.approx(1 - record.value / record.naive.metrics["log_loss"])
        assert ("worse_than_naive" in record.flags) == (record.naive.skill < 0)
        assert record.intermediate_values == {e.epoch: e.val_loss for e in record.learning_curve}
        assert record.split["train"].windows == 300
        assert record.split["train"].end < record.split["val"].start < record.split["test"].start
        assert record.resources.total_flops == record.resources.flops_per_step * record.resources.steps
        assert 0 < record.duration_seconds < 60
        assert record.datetime_start.utcoffset().total_seconds() == 0


def test_storage_alone_and_files_alone_hold_the_same(tiny_study):
    assert stored(tiny_study.parent) == records_of(tiny_study.parent)


def test_both_ways_to_a_summary_give_the_same(tiny_study, tmp_path):
    out = tmp_path / "outputs"
    shutil.copytree(tiny_study.parent, out)
    files = ExperimentFiles(out=out, experiment=NAME)
    original = files.summary_md.read_bytes(), files.summary_json.read_bytes()
    base = [sys.executable, "-m", "hpo", "summary", f"--experiment={NAME}", f"--out={out}"]
    files.summary_md.unlink()
    shutil.move(files.trials, tmp_path / "aside")
    subprocess.run(base, check=True, capture_output=True)
    assert (files.summary_md.read_bytes(), files.summary_json.read_bytes()) == original
    shutil.move(tmp_path / "aside", files.trials)
    (out / "studies.db").unlink()
    files.summary_md.unlink()
    subprocess.run([*base, "--from-files"], check=True, capture_output=True)
    assert (files.summary_md.read_bytes(), files.summary_json.read_bytes()) == original


def test_the_database_is_in_wal_and_the_dashboard_finds_the_study(tiny_study):
    with closing(sqlite3.connect(tiny_study.parent / "studies.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT study_name FROM studies").fetchall() == [(NAME,)]


def test_the_same_command_again_adds_nothing_and_more_trials_extend(tiny_study, tmp_path, tiny_arguments):
    out = tmp_path / "outputs"
    shutil.copytree(tiny_study.parent, out)
    before = [what_counts(record) for record in records_of(out)]
    started = time.monotonic()
    again = run(out, *tiny_arguments)
    assert again.returncode == 0, again.stderr
    assert time.monotonic() - started < 60
    assert [what_counts(record) for record in records_of(out)] == before
    more = run(out, *tiny_arguments, "--trials=5")
    assert more.returncode == 0, more.stderr
    records = records_of(out)
    assert [what_counts(record) for record in records[:3]] == before
    assert [record.trial_number for record in records] == [0, 1, 2, 3, 4]


def test_another_config_under_the_same_name_is_refused(tiny_study, tmp_path, tiny_arguments):
    out = tmp_path / "outputs"
    shutil.copytree(tiny_study.parent, out)
    before = {path: path.read_bytes() for path in out.rglob("*.json")}
    done = run(out, *tiny_arguments, "--epochs=3", "--seed=4", "--context=6")
    assert done.returncode == 2
    for words in ("epochs is 3 and was 2", "seed is 4 and was 0", "context is 6 and was 5"):
        assert words in done.stderr
    assert {path: path.read_bytes() for path in out.rglob("*.json")} == before


def test_two_workers_run_at_a_time(tmp_path, tiny_arguments):
    out = tmp_path / "outputs"
    done = run(out, *tiny_arguments, "--workers=2", "--trials=4")
    assert done.returncode == 0, done.stderr
    records = records_of(out)
    assert [record.state for record in records] == ["COMPLETE"] * 4


def test_references_are_computed_once_a_study(tiny_study, monkeypatch):
    config = build_config({}, read_study_file(tiny_study / "study.toml"))

    def fail(_data):
        raise AssertionError("computed again")

    monkeypatch.setattr(engine_context, "compute_references", fail)
    context = make_context(config)
    assert all(record.references == context.references.metrics for record in records_of(tiny_study.parent))


@pytest.mark.slow
def test_a_study_over_folds_by_a_metric(tmp_path, tiny_arguments):
    """Interrupted in a trial's second fold, gone on, shown, rebuilt and trained again."""
    out, options = tmp_path / "outputs", ["--split=walk-forward", "--folds=3", "--objective=auc"]
    arguments = [*tiny_arguments, *options, "--epochs=10", "--trials=2", "--checkpoint-seconds=0"]
    process = start(out, *arguments)
    files = ExperimentFiles(out=out, experiment=NAME)
    wait_for(process, "trial 0 of 2")
    storage = f"sqlite:///{out}/studies.db"
    while not steps_of_trial_0(storage) > 11:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = run(out, *arguments)
    assert done.returncode == 0, done.stderr
    assert "trial 0: goes on after epoch" in done.stdout
    whole = run(tmp_path / "whole", *arguments)
    assert whole.returncode == 0, whole.stderr
    expected = records_of(tmp_path / "whole")
    for record, other in zip(records_of(out), expected, strict=True):
        assert record.objective.direction == "maximize"
        assert (record.value, record.value_std, record.folds) == (other.value, other.value_std, other.folds)
        assert record.value == pytest.approx(np.mean([fold.value for fold in record.folds]))
        assert record.value == pytest.approx(record.metrics.val["auc"])
        assert record.naive.skill == pytest.approx((record.value - 0.5) / 0.5)
        assert len({fold.split["val"].start for fold in record.folds}) == 3
        assert all(a.split["val"].end < b.split["val"].end for a, b in pairwise(record.folds))
        for fold in record.folds:
            values = dict(epoch_values(record)[fold.fold])
            assert fold.value == max(values.values()) == values[fold.best_epoch]
    best = rank(records_of(out))[0]
    assert best.value == max(record.value for record in expected)
    text = files.summary_md.read_text()
    assert "higher is better" in text
    assert "standard deviation" in text
    with open_existing(storage) as opened:
        assert max(trial.record().value for trial in load_study(opened, NAME).trials()) == best.value
    again = subprocess.run(
        [sys.executable, "-m", "hpo", "rerun", str(files.trial(best.trial_number)), "--json"],
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    assert json.loads(again.stdout)["reproduced"]


def steps_of_trial_0(storage):
    with open_existing(storage) as opened:
        return max(load_study(opened, NAME).trials()[0].record().intermediate_values, default=0)


def test_a_gaussian_study_reports_its_likelihood_and_its_coverage(tmp_path):
    out = tmp_path / "outputs"
    arguments = (
        "--data=periodic --model=mlp --budget=20k --context=24 --horizon=3 --trials=2 --epochs=4 --threads=1"
    )
    done = run(out, *arguments.split(), "--loss=gaussian_nll_full", "--objective=nll")
    assert done.returncode == 0, done.stderr
    records, _ = read_records(ExperimentFiles(out=out, experiment="periodic_mlp_h3_20k"))
    for record in records:
        assert record.value == record.metrics.val["nll"]
        assert 0 <= record.metrics.val["coverage_90"] <= 1
        assert record.naive.metrics["nll"] > 0
        assert record.naive.skill is None
        assert abs(record.architecture.budget_deviation) <= 0.02, "the covariance's parameters count"
    assert "nll" in ExperimentFiles(out=out, experiment="periodic_mlp_h3_20k").summary_md.read_text()


@pytest.mark.slow
def test_a_regression_on_a_file_of_ones_own(tmp_path):
    hours = np.arange(2500)
    load = 10 + np.sin(hours / 24 * 2 * np.pi) + np.random.default_rng(0).normal(0, 0.1, 2500)
    dates = pd.date_range("2024-01-01", periods=2500, freq="h")
    pd.DataFrame({"date": dates, "load": load}).to_csv(tmp_path / "my.csv", index=False)
    out = tmp_path / "outputs"
    done = run(
        out,
        *f"--model=patchtst --data={tmp_path / 'my.csv'} --target=load --time=date --horizon=6".split(),
        *["--context=48", "--budget=50k", "--trials=3", "--epochs=4", "--threads=1", "--split=scattered"],
    )
    assert done.returncode == 0, done.stderr
    files = ExperimentFiles(out=out, experiment="my_patchtst_h6_50k")
    records, errors = read_records(files)
    assert errors == []
    for record in records:
        assert set(record.references) == {"last value", "training mean", "seasonal naive (24)", "ridge"}
        assert record.naive.name == "seasonal naive (24)"
        assert set(record.metrics.val) == {"mse", "rmse", "mae", "r2", "smape", "mase", "direction_accuracy"}
        assert record.value == pytest.approx(record.metrics.val["mse"], rel=1e-4)
        assert record.naive.skill == pytest.approx(1 - record.value / record.naive.metrics["mse"])
        assert record.confusion_matrix is None
        # RMSE is in the load's own units, the objective in units of its training standard deviation.
        assert record.metrics.val["rmse"] == pytest.approx(np.sqrt(record.value) * load.std(), rel=0.1)
    text = files.summary_md.read_text()
    assert "seasonal naive (24)" in text
    assert "ridge" in text
