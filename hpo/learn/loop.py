"""The training loop. It knows torch and a ``report`` callable, and nothing of searches or files.

Legend: T rows, B batch, L context_length, C channels, K target columns, O outputs.
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hpo.scoring.losses import LossFunction
from hpo.trial.events import EpochResult

EVAL_BATCH = 1024
WARMUP_FRACTION = 0.05
MAX_WARMUP_STEPS = 100


class DivergedError(ArithmeticError):
    """A loss that is no longer a finite number."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How to train one network.

    Attributes:
        learning_rate: Peak rate of AdamW, after a linear warm-up and before a cosine to zero.
        weight_decay: Decoupled decay of weight matrices; biases, norms and activation parameters have none.
        batch_size: Effective batch: one optimiser step each.
        micro_batch: At most so many windows are held at once; their gradients accumulate.
        epochs: At most so many passes.
        patience: Stop after so many epochs without an improvement of min_delta.
        min_delta: The least improvement of the score that counts.
        clip_norm: Gradients are clipped to this norm.
        precision: "bf16" runs under autocast, "fp32" does not.
        seed: Of the data order.
    """

    learning_rate: float
    weight_decay: float
    batch_size: int
    micro_batch: int
    epochs: int
    patience: int
    min_delta: float
    clip_norm: float
    precision: str
    seed: int

    @property
    def eval_batch(self) -> int:
        """Windows scored at once; without a backward pass four times as many take less than a step."""
        return min(EVAL_BATCH, 4 * self.micro_batch)


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
        self.optimizer = _optimizer(model, settings)
        total_steps = math.ceil(n_windows / settings.batch_size) * settings.epochs
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, warmup_cosine(total_steps))
        self.order = torch.Generator().manual_seed(settings.seed)
        self.order_state = self.order.get_state()
        self.progress = Progress()
        self.best_weights: dict[str, Tensor] | None = None
        self.stopped_because = "epochs"


Report = Callable[[EpochResult], bool]
"""Called after each epoch; returns False to stop there."""


class Windows:
    """Windows of a series, cut on the device as they are needed; the series is held once."""

    def __init__(
        self,
        series: Tensor,
        targets: Tensor,
        ends: npt.NDArray[np.int64],
        length: int,
        offsets: tuple[int, ...] = (0,),
    ) -> None:
        """Take the series and where the windows are.

        Args:
            series: Inputs, (T, C).
            targets: Target columns, (T, K).
            ends: Last row of each window.
            length: Rows of a window, L.
            offsets: A window that ends at row t has the targets of rows t + offset, step-major.
        """
        series = series.contiguous()  # the strides below are those of rows one after the other
        n_channels = series.shape[1]
        shape = (series.shape[0] - length + 1, length, n_channels)
        self._views = series.as_strided(shape, (n_channels, n_channels, 1))
        self._targets = targets
        self._offsets = torch.tensor(offsets, device=series.device)
        self._ends = torch.from_numpy(ends).to(series.device)
        self._length = length

    def __len__(self) -> int:
        return len(self._ends)

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The chosen windows (B, L, C) and their targets (B, O)."""
        ends = self._ends[chosen]
        targets = self._targets[ends[:, None] + self._offsets].flatten(1)
        return self._views[ends - (self._length - 1)], targets

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All windows in order."""
        for chosen in torch.arange(len(self), device=self._ends.device).split(size):
            yield self.batch(chosen)


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
        DivergedError: A loss or score is not finite. What came before was reported.
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
    autocast = _autocast(device, settings.precision)
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


def evaluate(model: nn.Module, windows: Windows, score: LossFunction, settings: TrainSettings) -> float:
    """The mean score over windows, with dropout off."""
    total = 0.0
    for outputs, targets in _outputs(model, windows, settings):
        total += score(outputs, targets).item() * len(targets)
    return total / len(windows)


def predict(
    model: nn.Module, windows: Windows, settings: TrainSettings
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The model's outputs for all windows, with dropout off, and the targets; each (N, O)."""
    parts = list(_outputs(model, windows, settings))
    outputs = np.concatenate([part.double().cpu().numpy() for part, _ in parts])
    return outputs, np.concatenate([part.double().cpu().numpy() for _, part in parts])


def warmup_cosine(total_steps: int) -> Callable[[int], float]:
    """The learning rate's factor at a step: a linear warm-up, then a cosine to zero."""
    warmup = max(1, min(MAX_WARMUP_STEPS, round(WARMUP_FRACTION * total_steps)))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, total_steps - warmup)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))

    return factor


def _outputs(model: nn.Module, windows: Windows, settings: TrainSettings) -> Iterator[tuple[Tensor, Tensor]]:
    model.eval()
    autocast = _autocast(next(model.parameters()).device, settings.precision)
    with torch.inference_mode():
        for inputs, targets in windows.batches(settings.eval_batch):
            with autocast():
                outputs = model(inputs)
            yield outputs.float(), targets


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
    nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
    optimizer.step()
    return total


def _optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def _autocast(
    device: torch.device, precision: str
) -> Callable[[], contextlib.AbstractContextManager[object]]:
    if precision == "bf16":
        return lambda: torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext
