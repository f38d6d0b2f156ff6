"""What a trial tells while it runs, and how it ends."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One epoch.

    Attributes:
        epoch: From 1.
        train_loss: Mean training loss.
        val_loss: The task's proper score on the validation windows.
        value: The objective; ``val_loss`` unless a metric is asked for.
        learning_rate: At its end.
        seconds: That it took.
        fold: Of a walk-forward split, from 0.
    """

    epoch: int
    train_loss: float
    val_loss: float
    value: float
    learning_rate: float
    seconds: float
    fold: int = 0


@dataclass(frozen=True, kw_only=True)
class FoldResult:
    """How the training on one fold ended; the metrics are those of its best epoch's weights.

    ``val_losses`` is the proper score of each validation window, (N,), whose mean is the metric of that name.
    """

    curve: list[EpochResult]
    best_epoch: int
    best_value: float
    steps: int
    train_metrics: dict[str, float]
    val_metrics: dict[str, float]
    confusion: dict[str, Any] | None
    val_losses: npt.NDArray[np.float32] = field(compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A trial that trained to its end, whether by epochs, by patience or by the parent's word."""

    folds: list[FoldResult]
    stopped_because: str
    param_count: int
    peak_memory_bytes: int
    flops_per_step: int
    samples_per_second: float

    @property
    def val_losses(self) -> npt.NDArray[np.float32]:
        """The proper score of the validation windows of all folds, one fold after the other."""
        return np.concatenate([fold.val_losses for fold in self.folds])


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A trial that did not.

    Attributes:
        kind: "diverged", "out of memory", "time limit", "error" or "killed".
        type: The exception's name, or the signal's.
        message: What it said.
        traceback: Where, if it was an exception.
    """

    kind: str
    type: str
    message: str
    traceback: str | None


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """The trial goes on from its checkpoint, with these epochs behind it."""

    curve: list[EpochResult]


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A file that could not be used; the trial goes on."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Unwritten:
    """A file that could not be written, and why; the trial goes on."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """The trial was told to stop; it goes on from its checkpoint when it is started again."""


Outcome: TypeAlias = Finished | Failed | Interrupted
"""How a trial, or this attempt at it, ended."""

Event: TypeAlias = EpochResult | Resumed | Trouble | Unwritten | Outcome
"""What a trial tells."""
