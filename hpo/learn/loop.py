"""The training loop. It knows torch and a ``report`` callable, and nothing of searches or files.

Legend: T rows, B batch, L context_length, C channels, K target columns, O outputs.
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hpo.learn.evaluate import evaluate, predict
from hpo.learn.schedule import make_optimizer, warmup_cosine
from hpo.learn.settings import TrainSettings, autocast_of
from hpo.learn.windows import Windows
from hpo.scoring.losses import LossFunction
from hpo.trial.events import EpochResult


class DivergedError(ArithmeticError):
    """A loss or a gradient that is no longer a finite number."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A metric that the best epoch and early stopping go by, in place of the validation loss.

    Attributes:
        metric: From outputs and targets, each (N, O), to its value.
        sign: 1 where lower is better, -1 where higher is.
    """

    metric: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float]
    sign: float


@dataclass(kw_only=True)
class Progress:
    """How far a training is, in plain numbers.

    Attributes:
        epoch: The epoch under way, from 1.
        batches: Batches of it that are done.
        loss_sum: Their training loss, summed over windows.
        seconds: Time spent in it.
        steps: Optimiser steps of all epochs.
        waited: Epochs since the objective last improved by min_delta.
        reference: The value that an improvement is measured from; None before the first epoch.
        best_epoch: The epoch of the best value; None before the first epoch.
        best_value: That value.
        curve: The finished epochs.
    """

    epoch: int = 1
    batches: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    steps: int = 0
    waited: int = 0
    reference: float | None = None
    best_epoch: int | None = None
    best_value: float | None = None
    curve: list[EpochResult] = field(default_factory=list)


class Training:
    """A training under way: everything that the rest of it depends on.

    Attributes:
        fold: The fold it trains on.
        model: The network.
        settings: How it is trained.
        optimizer: AdamW.
        scheduler: Its learning rate.
        order: Draws each epoch's order of the windows.
        order_state: ``order`` as it was when the epoch under way began.
        progress: How far it is.
        best_weights: The weights of the best epoch.
        stopped_because: Why it ended: "epochs", "early stopping", "report", "time limit", or "interrupted",
            which may go on.
    """

    def __init__(self, model: nn.Module, n_windows: int, settings: TrainSettings, fold: int = 0) -> None:
        """Begin at the first batch of the first epoch."""
        self.fold = fold
        self.model = model
        self.settings = settings
        self.optimizer = make_optimizer(model, settings.learning_rate, settings.weight_decay)
        total_steps = math.ceil(n_windows / settings.batch_size) * settings.epochs
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, warmup_cosine(total_steps))
        self.order = torch.Generator().manual_seed(settings.seed)
        self.order_state = self.order.get_state()
        self.progress = Progress()
        self.best_weights: dict[str, Tensor] | None = None
        self.stopped_because = "epochs"


Report = Callable[[EpochResult], bool]
"""Called after each epoch; returns False to stop there."""


def train(
    training: Training,
    train_windows: Windows,
    val_windows: Windows,
    loss: LossFunction,
    score: LossFunction,
    report: Report,
    *,
    goal: Goal | None = None,
    max_seconds: float | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    between_epochs: Callable[[], None] = lambda: None,
) -> None:
    """Train, or go on, until the end, and leave the model with the weights of its best epoch.

    Args:
        training: Where to begin; its model is on the windows' device, (B, L, C) -> (B, O).
        train_windows: What it learns from.
        val_windows: What each epoch is scored on.
        loss: Training loss.
        score: Validation score; lower is better.
        report: Told of each epoch; may stop the training.
        goal: What the best epoch and early stopping go by; None takes the validation score.
        max_seconds: It ends at the first batch after so much time, that of earlier attempts included.
        interrupted: Asked before each batch; True leaves at once, with the model as it is, to go on later.
        between_epochs: Called after each epoch that another follows.

    Raises:
        DivergedError: A loss, a gradient or a score is not finite. What came before was reported.
    """
    progress, settings = training.progress, training.settings
    while progress.epoch <= settings.epochs:
        stopped = _train_epoch(training, train_windows, loss, max_seconds, interrupted)
        if stopped == "interrupted":
            training.stopped_because = stopped
            return
        if stopped is not None:
            training.stopped_because = stopped
            break
        if not report(_score_epoch(training, train_windows, val_windows, score, goal)):
            training.stopped_because = "report"
            break
        if progress.waited >= settings.patience:
            training.stopped_because = "early stopping"
            break
        progress.epoch, progress.batches, progress.loss_sum, progress.seconds = (
            progress.epoch + 1,
            0,
            0.0,
            0.0,
        )
        training.order_state = training.order.get_state()
        if progress.epoch <= settings.epochs:
            between_epochs()
    if training.best_weights is not None:
        training.model.load_state_dict(training.best_weights)


def _train_epoch(
    training: Training,
    windows: Windows,
    loss: LossFunction,
    max_seconds: float | None,
    interrupted: Callable[[], bool],
) -> str | None:
    """Train the rest of the epoch under way; why it was left before its end, or None."""
    model, settings, progress = training.model, training.settings, training.progress
    device = next(model.parameters()).device
    autocast = autocast_of(device, settings.precision)
    training.order.set_state(training.order_state)
    batches = torch.randperm(len(windows), generator=training.order).split(settings.batch_size)
    spent = sum(row.seconds for row in progress.curve)
    before, started = progress.seconds, time.perf_counter()
    model.train()
    for chosen in batches[progress.batches :]:
        progress.seconds = before + time.perf_counter() - started
        if interrupted():
            return "interrupted"
        if max_seconds is not None and spent + progress.seconds >= max_seconds:
            return "time limit"
        progress.loss_sum += _step(
            model, windows, chosen.to(device), loss, settings, training.optimizer, autocast
        )
        training.scheduler.step()
        progress.batches += 1
        progress.steps += 1
    progress.seconds = before + time.perf_counter() - started
    return None


def _score_epoch(
    training: Training,
    train_windows: Windows,
    val_windows: Windows,
    score: LossFunction,
    goal: Goal | None,
) -> EpochResult:
    """Score the epoch that was trained, and remember its weights if it is the best."""
    progress, started = training.progress, time.perf_counter()
    val_loss = evaluate(training.model, val_windows, score, training.settings)
    value, sign = val_loss, 1.0
    if goal is not None and math.isfinite(val_loss):
        value, sign = goal.metric(*predict(training.model, val_windows, training.settings)), goal.sign
    if not math.isfinite(value):
        raise DivergedError(f"validation score {value} in epoch {progress.epoch}")
    if progress.best_value is None or sign * value < sign * progress.best_value:
        progress.best_value, progress.best_epoch = value, progress.epoch
        training.best_weights = copy.deepcopy(training.model.state_dict())
    least = training.settings.min_delta
    if progress.reference is None or sign * value < sign * progress.reference - least:
        progress.reference, progress.waited = value, 0
    else:
        progress.waited += 1
    row = EpochResult(
        epoch=progress.epoch,
        train_loss=progress.loss_sum / len(train_windows),
        val_loss=val_loss,
        value=value,
        learning_rate=float(training.scheduler.get_last_lr()[0]),
        seconds=progress.seconds + time.perf_counter() - started,
        fold=training.fold,
    )
    progress.curve.append(row)
    return row


def _step(
    model: nn.Module,
    windows: Windows,
    chosen: Tensor,
    loss: LossFunction,
    settings: TrainSettings,
    optimizer: torch.optim.Optimizer,
    autocast: Callable[[], contextlib.AbstractContextManager[object]],
) -> float:
    """One optimiser step over one effective batch; returns its loss summed over windows."""
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for part in chosen.split(settings.micro_batch):
        inputs, targets = windows.batch(part)
        with autocast():
            outputs = model(inputs)
        value = loss(outputs.float(), targets)
        if not math.isfinite(summed := value.item() * len(part)):
            raise DivergedError(f"training loss {value.item()}")
        # A micro-batch counts by its share, so that any split of the batch gives the same gradient.
        (value * (len(part) / len(chosen))).backward()
        total += summed
    norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm).item()
    if not math.isfinite(norm):
        raise DivergedError(f"gradient norm {norm}")
    optimizer.step()
    return total
