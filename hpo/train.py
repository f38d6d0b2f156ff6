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

from hpo.losses import LossFunction

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
class EpochResult:
    """One epoch: mean training loss, validation score, learning rate at its end, seconds it took."""

    epoch: int
    train_loss: float
    val_loss: float
    learning_rate: float
    seconds: float


@dataclass(kw_only=True)
class TrainResult:
    """How training went. The model is left with the weights of its best epoch."""

    curve: list[EpochResult] = field(default_factory=list)
    best_epoch: int | None = None
    best_value: float = math.inf
    stopped_because: str = "epochs"
    steps: int = 0


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
    model: nn.Module,
    train_windows: Windows,
    val_windows: Windows,
    loss: LossFunction,
    score: LossFunction,
    settings: TrainSettings,
    report: Report,
) -> TrainResult:
    """Train a model in place and leave it with the weights of its best epoch.

    Args:
        model: On the windows' device, (B, L, C) -> (B, O).
        train_windows: What it learns from.
        val_windows: What each epoch is scored on.
        loss: Training loss.
        score: Validation score; lower is better.
        settings: How to train.
        report: Told of each epoch; may stop the training.

    Raises:
        DivergedError: A loss or score is not finite. What came before was reported.
    """
    device = next(model.parameters()).device
    autocast = _autocast(device, settings.precision)
    optimizer = _optimizer(model, settings)
    steps_per_epoch = math.ceil(len(train_windows) / settings.batch_size)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_cosine(steps_per_epoch * settings.epochs))
    order = torch.Generator().manual_seed(settings.seed)
    result = TrainResult()
    best_weights = None
    reference, waited = math.inf, 0
    for epoch in range(1, settings.epochs + 1):
        started = time.perf_counter()
        model.train()
        total = 0.0
        for chosen in torch.randperm(len(train_windows), generator=order).split(settings.batch_size):
            total += _step(model, train_windows, chosen.to(device), loss, settings, optimizer, autocast)
            scheduler.step()
            result.steps += 1
        value = evaluate(model, val_windows, score, settings)
        if not math.isfinite(value):
            raise DivergedError(f"validation score {value} in epoch {epoch}")
        if value < result.best_value:
            result.best_value, result.best_epoch = value, epoch
            best_weights = copy.deepcopy(model.state_dict())
        waited = 0 if value < reference - settings.min_delta else waited + 1
        reference = min(reference, value) if waited == 0 else reference
        row = EpochResult(
            epoch=epoch,
            train_loss=total / len(train_windows),
            val_loss=value,
            learning_rate=float(scheduler.get_last_lr()[0]),
            seconds=time.perf_counter() - started,
        )
        result.curve.append(row)
        if not report(row):
            result.stopped_because = "report"
            break
        if waited >= settings.patience:
            result.stopped_because = "early stopping"
            break
    if best_weights is not None:
        model.load_state_dict(best_weights)
    return result


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
