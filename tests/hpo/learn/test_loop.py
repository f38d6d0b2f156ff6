import math

import numpy as np
import pytest
import torch
from torch import nn

from hpo.learn.evaluate import evaluate, predict
from hpo.learn.loop import DivergedError, Goal, Training, train
from hpo.learn.schedule import warmup_cosine
from hpo.learn.settings import TrainSettings
from hpo.learn.windows import Windows
from hpo.scoring.losses import LossSettings
from hpo.scoring.tasks import BINARY

LENGTH, CHANNELS = 8, 2


def make_windows(n_rows=400, seed=0):
    """The label says whether the first channel's mean over the window is positive."""
    rng = np.random.default_rng(seed)
    series = rng.standard_normal((n_rows, CHANNELS)).astype(np.float32)
    ends = np.arange(LENGTH - 1, n_rows)
    means = np.stack([series[e - LENGTH + 1 : e + 1, 0].mean() for e in ends])
    targets = np.full((n_rows, 1), np.nan, dtype=np.float32)
    targets[ends, 0] = means > 0
    tensors = torch.from_numpy(series), torch.from_numpy(targets)
    return Windows(*tensors, ends[:280], LENGTH), Windows(*tensors, ends[300:], LENGTH), series


def make_model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(LENGTH * CHANNELS, 16), nn.Tanh(), nn.Linear(16, 1))


def settings(**changes):
    base = {
        "learning_rate": 3e-2,
        "weight_decay": 0.0,
        "batch_size": 32,
        "micro_batch": 32,
        "epochs": 12,
        "patience": 10,
        "min_delta": 0.001,
        "clip_norm": 1.0,
        "precision": "fp32",
        "seed": 0,
    }
    return TrainSettings(**{**base, **changes})


def run(model=None, report=lambda row: True, loss="bce", max_seconds=None, goal=None, **changes):
    train_windows, val_windows, _ = make_windows()
    training = Training(model or make_model(), len(train_windows), settings(**changes))
    function = BINARY.loss(LossSettings(name=loss))
    train(
        training,
        train_windows,
        val_windows,
        function,
        BINARY.score,
        report,
        max_seconds=max_seconds,
        goal=goal,
    )
    return training.model, training


def test_windows_are_the_rows_that_end_at_each_row():
    train_windows, _, series = make_windows()
    inputs, targets = train_windows.batch(torch.tensor([0, 5, 279]))
    for got, end in zip(inputs, (7, 12, 286), strict=True):
        np.testing.assert_array_equal(got, series[end - LENGTH + 1 : end + 1])
    assert targets.shape == (3, 1)
    assert not targets.isnan().any()


def test_targets_ahead_are_step_major():
    series = torch.arange(40.0).reshape(20, 2)
    windows = Windows(series, series, np.arange(4, 17), 5, offsets=(1, 2, 3))
    inputs, targets = windows.batch(torch.tensor([0, 12]))
    assert inputs[0, -1].tolist() == [8.0, 9.0]
    assert targets[0].tolist() == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    assert targets[1].tolist() == [34.0, 35.0, 36.0, 37.0, 38.0, 39.0]


def test_windows_do_not_depend_on_the_memory_layout():
    rows = np.arange(60, dtype=np.float32).reshape(20, 3)
    targets = torch.zeros(20, 1)
    by_row, by_column = (
        Windows(torch.from_numpy(series), targets, np.arange(3, 20), 4)
        for series in (rows, np.asfortranarray(rows))
    )
    chosen = torch.arange(17)
    assert torch.equal(by_row.batch(chosen)[0], by_column.batch(chosen)[0])


def test_windows_share_the_series():
    series, targets = torch.zeros(100, 3), torch.zeros(100, 1)
    windows = Windows(series, targets, np.arange(9, 100), 10)
    series[50] = 1.0
    assert windows.batch(torch.tensor([41]))[0][0, -1].tolist() == [1.0, 1.0, 1.0]


def test_it_learns_and_keeps_the_best_epoch():
    model, result = run()
    losses = [row.val_loss for row in result.progress.curve]
    assert losses[-1] < losses[0]
    assert result.progress.best_value == min(losses)
    assert result.progress.best_epoch == losses.index(min(losses)) + 1
    _, val_windows, _ = make_windows()
    assert evaluate(model, val_windows, BINARY.score, settings()) == pytest.approx(min(losses))
    outputs, targets = predict(model, val_windows, settings())
    accuracy = np.mean((outputs > 0) == targets)
    assert accuracy > 0.9


@pytest.mark.parametrize("micro_batch", [1, 7, 16, 32])
def test_any_split_of_the_batch_gives_the_same_training(micro_batch):
    whole, split = run(epochs=3)[1], run(epochs=3, micro_batch=micro_batch)[1]
    for a, b in zip(whole.progress.curve, split.progress.curve, strict=True):
        assert a.val_loss == pytest.approx(b.val_loss, rel=1e-4)
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-4)


def test_the_same_seed_repeats_to_the_bit_and_another_does_not():
    first, second, other = (run(epochs=3, seed=seed)[1] for seed in (5, 5, 6))
    assert [r.val_loss for r in first.progress.curve] == [r.val_loss for r in second.progress.curve]
    assert [r.val_loss for r in first.progress.curve] != [r.val_loss for r in other.progress.curve]


def test_it_stops_when_nothing_improves():
    _, result = run(learning_rate=1e-12, epochs=50, patience=4)
    assert result.stopped_because == "early stopping"
    assert len(result.progress.curve) == 5, "the first epoch sets the mark, four more do not beat it"


def test_it_ends_at_its_time_limit_with_its_best_epoch():
    model, result = run(epochs=10**6, patience=10**6, max_seconds=0.5)
    assert result.stopped_because == "time limit"
    spent = sum(row.seconds for row in result.progress.curve) + result.progress.seconds
    assert 0.5 <= spent < 5
    _, val_windows, _ = make_windows()
    best = min(row.val_loss for row in result.progress.curve)
    assert evaluate(model, val_windows, BINARY.score, settings()) == pytest.approx(best)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_goal_takes_the_place_of_the_validation_loss(sign):
    """Its best epoch is kept, and patience counts from it."""
    values = iter([sign * value for value in (0.5, 0.2, 0.3, 0.2, 0.2, 0.2, 0.1)])
    goal = Goal(metric=lambda outputs, targets: next(values), sign=sign)
    _, result = run(goal=goal, patience=4)
    assert result.stopped_because == "early stopping"
    assert [sign * row.value for row in result.progress.curve] == [0.5, 0.2, 0.3, 0.2, 0.2, 0.2]
    assert (result.progress.best_epoch, result.progress.best_value) == (2, sign * 0.2)
    plain = run(epochs=6)[1].progress.curve
    assert len({row.val_loss for row in result.progress.curve}) == len(plain), "the loss goes on beside it"


def test_the_report_can_stop_it():
    _, result = run(report=lambda row: row.epoch < 3)
    assert [row.epoch for row in result.progress.curve] == [1, 2, 3]
    assert result.stopped_because == "report"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_it_at_once(bad):
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x[:, 0, :1] * self.weight + (bad if self.calls == 3 else 0.0)

    model = Broken()
    with pytest.raises(DivergedError):
        run(model=model)
    assert model.calls == 3


def test_a_gradient_that_is_no_number_ends_it_before_the_step():
    model = make_model()
    before = [parameter.detach().clone() for parameter in model.parameters()]

    class Kinked(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("nan")

    class Broken(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, x):
            return Kinked.apply(self.inner(x))

    with pytest.raises(DivergedError, match="gradient norm nan"):
        run(model=Broken())
    for parameter, was in zip(model.parameters(), before, strict=True):
        torch.testing.assert_close(parameter, was)


def test_weight_decay_acts_on_matrices_alone():
    torch.manual_seed(0)
    model = make_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    # A rate this small leaves decay as the only visible change: p <- p (1 - lr * decay).
    run(model=model, learning_rate=1e-3, weight_decay=100.0, epochs=1, clip_norm=1e-12)
    decayed = {name: p.detach().mean().item() for name, p in model.named_parameters()}
    assert decayed["1.weight"] < 0.95
    assert decayed["1.bias"] == pytest.approx(1.0, abs=0.02)


def test_the_schedule_warms_up_and_ends_at_zero():
    factor = warmup_cosine(1000)
    assert [factor(0), factor(49)] == pytest.approx([1 / 50, 1.0])
    assert factor(525) == pytest.approx(0.5, abs=0.01)
    assert factor(1000) == pytest.approx(0.0, abs=1e-9)
    assert all(0 <= factor(step) <= 1 for step in range(1200))
    assert warmup_cosine(1)(0) == 1.0


def test_bf16_stays_near_fp32():
    a, b = run(epochs=2)[1], run(epochs=2, precision="bf16")[1]
    assert a.progress.curve[-1].val_loss == pytest.approx(b.progress.curve[-1].val_loss, rel=0.05)
