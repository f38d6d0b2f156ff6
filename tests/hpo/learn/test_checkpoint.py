"""A training taken up from its checkpoint is the training that was never interrupted."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hpo.errors import StorageError
from hpo.learn.checkpoint import Checkpointer, key_of, restore
from hpo.learn.loop import Training, train
from hpo.learn.settings import TrainSettings
from hpo.learn.windows import Windows
from hpo.models.blocks import Dropout
from hpo.scoring.losses import LossSettings
from hpo.scoring.tasks import BINARY
from hpo.trial.events import FoldResult

SETTINGS = TrainSettings(
    learning_rate=1e-2,
    weight_decay=0.01,
    batch_size=16,
    micro_batch=8,
    epochs=6,
    patience=6,
    min_delta=0.001,
    clip_norm=1.0,
    precision="fp32",
    seed=3,
)


class Net(nn.Sequential):
    """Dropout draws random numbers, the norm keeps statistics: both must survive."""

    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.Linear(16, 32), nn.BatchNorm1d(32), Dropout(0.3), nn.GELU(), nn.Linear(32, 1)
        )


@pytest.fixture(scope="module")
def windows():
    generator = torch.Generator().manual_seed(0)
    series = torch.randn(200, 2, generator=generator)
    targets = (series.sum(1, keepdim=True) > 0).float()
    ends = torch.arange(7, 200).numpy()
    return Windows(series, targets, ends[:120], 8), Windows(series, targets, ends[130:], 8)


def fresh(fold=0):
    torch.manual_seed(SETTINGS.seed)
    return Training(Net(), 120, SETTINGS, fold)


def go_on(training, windows, batches=None):
    """Train to the end, or leave after so many batches."""
    left = [batches]

    def interrupted():
        if left[0] is None:
            return False
        left[0] -= 1
        return left[0] < 0

    loss, score = BINARY.loss(LossSettings(name="bce")), BINARY.score
    train(training, *windows, loss, score, lambda row: True, interrupted=interrupted)
    return training


def result_of(training):
    curve = [replace(row, seconds=0.0) for row in training.progress.curve]
    weights = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    return curve, replace(training.progress, curve=[], seconds=0.0), weights


def assert_same(a, b):
    assert a[:2] == b[:2]
    assert a[2].keys() == b[2].keys()
    assert all(torch.equal(a[2][name], b[2][name]) for name in a[2])


@pytest.mark.parametrize("batches", [0, 1, 7, 8, 9, 20, 33, 47])
def test_at_whatever_batch_it_was_left_it_ends_the_same(tmp_path, windows, batches):
    whole = result_of(go_on(fresh(), windows))
    path = tmp_path / "resume.safetensors"
    training = go_on(fresh(), windows, batches)
    assert training.stopped_because == "interrupted"
    Checkpointer(path, "key", 0.0).write(training)
    torch.manual_seed(999)
    again, ended = restore(path, "key", fresh)
    assert ended == []
    assert len(again.progress.curve) == batches // 8
    assert_same(result_of(go_on(again, windows)), whole)


def test_folds_that_ended_are_kept_beside_the_one_under_way(tmp_path, windows):
    path = tmp_path / "resume.safetensors"
    first = go_on(fresh(), windows)
    ended = FoldResult(
        curve=first.progress.curve,
        best_epoch=3,
        best_value=0.25,
        steps=48,
        train_metrics={"auc": 0.5},
        val_metrics={"auc": 0.75},
        confusion={"true_positive": 1},
        val_losses=np.array([0.1, 0.2, 1 / 3], dtype=np.float32),
    )
    Checkpointer(path, "key", 0.0).write(go_on(fresh(1), windows, 10), [ended])
    training, again = restore(path, "key", fresh)
    assert again == [ended]
    assert again[0].val_losses.tolist() == ended.val_losses.tolist()
    assert training.fold == 1
    assert len(training.progress.curve) == 1


def test_it_waits_for_its_interval_and_for_33_times_the_last_write(tmp_path, windows, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("hpo.learn.checkpoint.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(
        "hpo.learn.checkpoint.write_bytes", lambda path, data: clock.__setitem__(0, clock[0] + 2)
    )
    checkpointer = Checkpointer(tmp_path / "x", "key", 30.0)
    training = fresh()
    clock[0] = 29.9
    assert not checkpointer.is_due
    clock[0] = 30.0
    assert checkpointer.is_due
    checkpointer.write(training)  # takes 2 s
    clock[0] = 32 + 65.9
    assert not checkpointer.is_due
    clock[0] = 32 + 66.0
    assert checkpointer.is_due


def test_a_torn_one_is_an_error_at_every_length(tmp_path, windows):
    path = tmp_path / "resume.safetensors"
    Checkpointer(path, "key", 0.0).write(go_on(fresh(), windows, 10))
    data = path.read_bytes()
    for length in [*range(0, 16), *range(16, len(data), len(data) // 200), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(StorageError, match="resume"):
            restore(path, "key", fresh)


def test_one_of_another_trial_is_an_error(tmp_path):
    path = tmp_path / "resume.safetensors"
    Checkpointer(path, key_of("a", 1), 0.0).write(fresh())
    with pytest.raises(StorageError, match="another trial"):
        restore(path, key_of("a", 2), fresh)


class Evil:
    def __reduce__(self):
        return (exec, ("import pathlib; raise SystemExit('code ran')",))


@pytest.mark.parametrize(
    "make", [lambda path: pickle.dump(Evil(), path.open("wb")), lambda path: torch.save(Evil(), path)]
)
def test_one_that_tries_to_run_code_is_never_loaded(tmp_path, make):
    path = tmp_path / "resume.safetensors"
    make(path)
    with pytest.raises(StorageError):
        restore(path, "key", fresh)
