"""Real children: they train, crash, are killed, and leave with their parent."""

import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
from safetensors.torch import load_file

from hpo.execute.executor import follow
from hpo.execute.local import LocalExecutor
from hpo.learn.job import Fold, Job
from hpo.learn.settings import TrainSettings
from hpo.models.base import ForecastShape
from hpo.models.mlp import MlpConfig
from hpo.scoring.forecasts import Scale
from hpo.scoring.losses import LossSettings
from hpo.scoring.objective import make_objective
from hpo.scoring.scorer import Scorer
from hpo.scoring.tasks import BINARY
from hpo.search.searcher import Verdict
from hpo.system.stop import StopFlag
from hpo.trial.events import EpochResult, Failed, Finished, Interrupted, Resumed, Trouble

ROWS, LENGTH, CHANNELS = 300, 8, 2
SCORER = Scorer(task=BINARY, scale=Scale(mean=np.zeros(1), std=np.ones(1), naive_error=np.ones(1)))


@pytest.fixture
def job(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((ROWS, CHANNELS)).astype(np.float32)
    targets = (features[:, :1] > 0).astype(np.float32)
    return Job(
        family="mlp",
        model=MlpConfig(d_model=16, n_layers=2, dropout=0.1, normalisation="none"),
        shape=ForecastShape(context_length=LENGTH, n_channels=CHANNELS, n_outputs=1),
        task=BINARY,
        target_offsets=(0,),
        folds=(
            Fold(
                features=features,
                targets=targets,
                scorer=SCORER,
                offset=np.zeros(1, dtype=np.float32),
                train_ends=np.arange(7, 200),
                val_ends=np.arange(210, 300),
            ),
        ),
        objective=make_objective("val_loss"),
        loss=LossSettings(name="bce"),
        settings=TrainSettings(
            learning_rate=1e-2,
            weight_decay=0.0,
            batch_size=32,
            micro_batch=32,
            epochs=8,
            patience=10,
            min_delta=0.001,
            clip_norm=1.0,
            precision="fp32",
            seed=0,
        ),
        seed=0,
        device="cpu",
        threads=1,
        weights=tmp_path / "model.safetensors",
        beats=None,
        checkpoint=tmp_path / "resume.safetensors",
        quarantine=tmp_path / "quarantine",
        checkpoint_seconds=1e9,
        max_seconds=None,
    )


def run_in_child(job, on_epoch, stop, on_resume=lambda curve: None, on_trouble=lambda text: None):
    """Follow a job; ``on_epoch`` returns False to end it."""

    def answer(event):
        if isinstance(event, EpochResult):
            return Verdict.CONTINUE if on_epoch(event) else Verdict.STOP
        if isinstance(event, Resumed):
            on_resume(event.curve)
        if isinstance(event, Trouble):
            on_trouble(event.text)
        return None

    return follow(LocalExecutor().run(job, stop), answer)


def run(job, on_epoch=lambda row: True):
    return run_in_child(job, on_epoch, StopFlag())


def test_a_trial_trains_and_keeps_its_best_weights(job):
    rows = []
    outcome = run(job, lambda row: rows.append(row) or True)
    assert isinstance(outcome, Finished)
    (fold,), (result,) = job.folds, outcome.folds
    assert result.best_value == min(row.val_loss for row in rows)
    assert rows[-1].val_loss < rows[0].val_loss
    assert result.val_metrics["log_loss"] == pytest.approx(result.best_value, rel=1e-5)
    assert sum(result.confusion.values()) == len(fold.val_ends)
    assert result.steps == 8 * math.ceil(len(fold.train_ends) / 32)
    weights = load_file(job.weights)
    learnt = [tensor for name, tensor in weights.items() if name != "offset"]
    assert sum(tensor.numel() for tensor in learnt) == outcome.param_count
    assert outcome.peak_memory_bytes > 0
    # Forward and backward of three matrices over 32 windows, 2 operations a multiply-add; the first
    # layer's input needs no gradient.
    matrices = [LENGTH * CHANNELS * 16, 16 * 16, 16]
    assert outcome.flops_per_step == 32 * 2 * (3 * sum(matrices) - matrices[0])


def test_the_same_job_repeats_to_the_bit(job):
    curves = []
    for _ in range(2):
        rows = []
        run(job, lambda row, rows=rows: rows.append((row.train_loss, row.val_loss)) or True)
        curves.append(rows)
    assert curves[0] == curves[1]


def test_weights_are_not_kept_for_a_trial_that_is_not_the_best(job):
    run(replace(job, beats=0.0))
    assert not job.weights.exists()


def test_the_parent_can_end_it(job):
    outcome = run(job, lambda row: row.epoch < 3)
    assert isinstance(outcome, Finished)
    assert outcome.stopped_because == "report"


def test_divergence_is_an_outcome(job):
    wild = replace(job.settings, learning_rate=1e38, clip_norm=1e30)
    outcome = run(replace(job, settings=wild))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.type) == ("diverged", "DivergedError")


def test_a_bug_is_recorded_with_its_traceback(job):
    outcome = run(replace(job, folds=(replace(job.folds[0], val_ends=np.array([10_000])),)))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "error"
    assert outcome.type == "IndexError"
    assert "_train" in outcome.traceback


def test_a_model_too_large_for_memory_is_an_outcome(job):
    huge = replace(job.model, d_model=2**24, n_layers=2)
    outcome = run(replace(job, model=huge))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "out of memory"


def children():
    return [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_child_is_an_outcome(job, number):
    before = {p.pid for p in children()}

    def kill(row):
        if row.epoch == 2:
            for process in children():
                if process.pid not in before and process.children() == []:
                    os.kill(process.pid, number)
        return True

    run(replace(job, settings=replace(job.settings, epochs=1)))  # the fork server is up from here on
    before = {p.pid for p in children()}
    outcome = run(job, kill)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.type) == ("killed", number.name)


def test_a_stop_ends_the_child_soon(job):
    stop = StopFlag()
    long = replace(job, settings=replace(job.settings, epochs=100_000, patience=100_000))
    threading.Timer(1.0, stop.set).start()
    started = time.monotonic()
    assert run_in_child(long, lambda row: True, stop) == Interrupted()
    assert time.monotonic() - started < 15


def timeless(outcome):
    """An outcome without what depends on the clock or on the process."""
    folds = [replace(fold, curve=[replace(row, seconds=0.0) for row in fold.curve]) for fold in outcome.folds]
    return replace(outcome, folds=folds, samples_per_second=0, peak_memory_bytes=0)


def rows_of(job, **kwargs):
    rows = []
    outcome = run_in_child(
        job,
        lambda row: rows.append((row.epoch, row.train_loss, row.val_loss)) or True,
        StopFlag(),
        **kwargs,
    )
    return rows, outcome


def stopped_again_and_again(job):
    """Each row that is reported, the curves that it went on from, and the outcome in the end."""
    rows, resumed, outcome = [], [], Interrupted()
    while outcome == Interrupted():
        stop = StopFlag()
        timer = threading.Timer(0.3 + 0.05 * len(resumed), stop.set)
        timer.start()
        outcome = run_in_child(job, lambda row: rows.append(row) or True, stop, on_resume=resumed.append)
        assert outcome != Interrupted() or job.checkpoint.exists()
        timer.cancel()
    return rows, resumed, outcome


def test_a_stopped_trial_goes_on_to_the_same_result(job):
    """Stopped at many moments, each in the middle of an epoch as likely as at its end."""
    settings = replace(job.settings, epochs=200, patience=200, batch_size=8, micro_batch=8)
    job = replace(job, settings=settings)
    whole, expected = rows_of(replace(job, checkpoint=None))
    rows, resumed, outcome = stopped_again_and_again(job)
    assert len(resumed) >= 2
    curve = [(row.epoch, row.train_loss, row.val_loss) for row in rows]
    assert curve == whole, "every epoch once, none trained twice"
    assert timeless(outcome) == timeless(expected)


def test_a_killed_trial_goes_on_from_its_last_checkpoint(job):
    job = replace(job, checkpoint_seconds=0.0, settings=replace(job.settings, epochs=60, patience=60))
    whole, _ = rows_of(replace(job, checkpoint=None))
    before = {p.pid for p in children()}

    def kill(row):
        if row.epoch == 40:
            for process in children():
                if process.pid not in before and process.children() == []:
                    process.kill()
        return True

    assert run_in_child(job, kill, StopFlag()).kind == "killed"
    resumed = []
    rows, _ = rows_of(job, on_resume=resumed.append)
    (curve,) = resumed
    assert 1 <= len(curve) <= 40
    assert [(row.epoch, row.train_loss, row.val_loss) for row in curve] + rows == whole


def test_a_checkpoint_that_cannot_be_used_is_moved_away_and_the_trial_begins_anew(job):
    whole, _ = rows_of(replace(job, checkpoint=None))
    job.checkpoint.write_bytes(b"not safetensors")
    trouble = []
    rows, outcome = rows_of(job, on_trouble=trouble.append)
    assert isinstance(outcome, Finished)
    assert rows == whole
    assert "quarantine" in trouble[0]
    assert (job.quarantine / job.checkpoint.name).read_bytes() == b"not safetensors"


@pytest.fixture
def folds(job):
    """Three folds, each with more training rows than the one before."""
    (fold,) = job.folds
    edges = ((100, 140), (150, 190), (200, 240))
    parts = [
        replace(fold, train_ends=np.arange(7, stop), val_ends=np.arange(stop + 10, end + 10))
        for stop, end in edges
    ]
    return replace(job, folds=tuple(parts))


def test_each_fold_is_trained_anew(job, folds):
    _, together = rows_of(folds)
    alone = [rows_of(replace(folds, folds=(fold,)))[1].folds[0] for fold in folds.folds]
    expected = [
        replace(fold, curve=[replace(row, fold=i) for row in fold.curve]) for i, fold in enumerate(alone)
    ]
    assert timeless(together).folds == timeless(replace(together, folds=expected)).folds
    assert load_file(job.weights), "those of the last fold"


def test_a_stopped_trial_of_several_folds_goes_on_to_the_same_result(folds):
    job = replace(
        folds, settings=replace(folds.settings, epochs=80, patience=80, batch_size=8, micro_batch=8)
    )
    _, expected = rows_of(replace(job, checkpoint=None))
    rows, resumed, outcome = stopped_again_and_again(job)
    assert len({row.fold for curve in resumed for row in curve}) >= 2, "it was stopped in several folds"
    steps = [(row.fold, row.epoch) for row in rows]
    assert steps == [(fold, epoch) for fold in range(3) for epoch in range(1, 81)]
    assert timeless(outcome) == timeless(expected)


def test_the_parents_word_ends_all_folds(folds):
    rows, outcome = [], None
    outcome = run(folds, lambda row: rows.append(row) or not (row.fold == 1 and row.epoch == 2))
    assert [(row.fold, row.epoch) for row in rows][-1] == (1, 2)
    assert outcome.stopped_because == "report"
    assert len(outcome.folds) == 2
    assert not folds.weights.exists(), "no fold is the last"


def test_a_time_limit_is_for_all_folds_together(folds):
    long = replace(folds.settings, epochs=400, patience=400)
    _, whole = rows_of(replace(folds, settings=long, checkpoint=None))
    spent = [sum(row.seconds for row in fold.curve) for fold in whole.folds]
    limit = spent[0] + spent[1] / 2
    _, outcome = rows_of(replace(folds, settings=long, checkpoint=None, max_seconds=limit))
    assert outcome.stopped_because == "time limit"
    assert len(outcome.folds) < 3


def test_the_objective_chooses_the_best_epoch_and_the_best_trial(job):
    auc = replace(job, objective=make_objective("auc"))
    rows = []
    outcome = run(auc, lambda row: rows.append(row) or True)
    (result,) = outcome.folds
    assert result.best_value == max(row.value for row in rows) == result.val_metrics["auc"]
    assert result.best_epoch == 1 + [row.value for row in rows].index(result.best_value)
    assert [row.val_loss for row in rows] == [row[2] for row in rows_of(job)[0]], "the loss is reported, too"
    job.weights.unlink()
    run(replace(auc, beats=1.0))
    assert not job.weights.exists()
    run(replace(auc, beats=0.1))
    assert job.weights.exists()


def test_a_trial_over_its_time_limit_is_an_outcome(job):
    long = replace(job.settings, epochs=10**6, patience=10**6)
    rows, outcome = rows_of(replace(job, settings=long, max_seconds=0.5))
    assert (outcome.stopped_because, outcome.folds[0].best_value) == (
        "time limit",
        min(row[2] for row in rows),
    )
    rows, outcome = rows_of(replace(job, settings=long, max_seconds=1e-9))
    assert (rows, outcome.kind) == ([], "time limit")


def test_a_child_leaves_with_its_parent(tmp_path):
    """The parent is killed outright; nothing that it started may live on."""
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import pathlib
            import numpy as np
            from hpo.learn.job import Fold, Job
            from hpo.scoring.losses import LossSettings
            from hpo.scoring.forecasts import Scale
            from hpo.models.base import ForecastShape
            from hpo.models.mlp import MlpConfig
            from hpo.scoring.objective import make_objective
            from hpo.scoring.scorer import Scorer
            from hpo.scoring.tasks import BINARY
            from hpo.system.stop import StopFlag
            from hpo.learn.settings import TrainSettings
            from hpo.execute.executor import follow
            from hpo.execute.local import LocalExecutor

            if __name__ == "__main__":
                features = np.zeros((300, 2), dtype=np.float32)
                settings = TrainSettings(
                    learning_rate=1e-3, weight_decay=0.0, batch_size=32, micro_batch=32, epochs=10**6,
                    patience=10**6, min_delta=0.0, clip_norm=1.0, precision="fp32", seed=0,
                )
                job = Job(
                    family="mlp",
                    model=MlpConfig(d_model=8, n_layers=1),
                    shape=ForecastShape(context_length=8, n_channels=2, n_outputs=1),
                    task=BINARY,
                    target_offsets=(0,),
                    folds=(
                        Fold(
                            features=features,
                            targets=features[:, :1],
                            scorer=Scorer(
                                task=BINARY,
                                scale=Scale(mean=np.zeros(1), std=np.ones(1), naive_error=np.ones(1)),
                            ),
                            offset=np.zeros(1, dtype=np.float32),
                            train_ends=np.arange(7, 200),
                            val_ends=np.arange(210, 300),
                        ),
                    ),
                    objective=make_objective("val_loss"),
                    loss=LossSettings(name="bce"), settings=settings, seed=0, device="cpu", threads=1,
                    weights=None, beats=None,
                    checkpoint=None, quarantine=pathlib.Path({str(tmp_path / "q")!r}),
                    checkpoint_seconds=1e9, max_seconds=None,
                )
                events = LocalExecutor().run(job, StopFlag())
                follow(events, lambda event: print(event.epoch, flush=True))
            """
        )
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "1\n"
    family = psutil.Process(parent.pid).children(recursive=True)
    assert family
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
