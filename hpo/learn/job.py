"""What is said between a study and the process that trains one of its trials."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hpo.learn.loop import EpochResult, TrainSettings
from hpo.models.base import ForecastShape, ModelConfig
from hpo.scoring.losses import LossSettings
from hpo.scoring.metrics import Scorer
from hpo.scoring.objective import Objective


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One training part and the validation part it is scored on.

    Attributes:
        features: Series scaled by these training rows, (T, C).
        targets: Target columns, (T, K).
        scorer: Turns outputs into metrics.
        offset: The constant forecast that the network starts from, (O,).
        train_ends: Last row of each training window.
        val_ends: Last row of each validation window.
    """

    features: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    scorer: Scorer
    offset: npt.NDArray[np.float32]
    train_ends: npt.NDArray[np.int64]
    val_ends: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a child needs to train one trial.

    Attributes:
        family: Name of the model family.
        model: The family's config, sized.
        shape: The task's input and output.
        task: "binary", "multiclass" or "regression".
        target_offsets: A window that ends at row t has the targets of rows t + offset.
        folds: What it trains on, one after the other, each time anew; the objective is their mean.
        objective: What the best epoch and early stopping go by.
        loss: The training loss.
        settings: How to train.
        seed: Of the initial weights and of dropout.
        device: "cpu" or "cuda".
        threads: CPU threads.
        weights: Where to keep the best weights, those of the last fold, if the trial is the best so far; None
            for nowhere.
        beats: The value it must better to be the best so far; None if there is none yet.
        checkpoint: Where to go on from, and where to keep what a later attempt goes on from; None for
            nowhere.
        quarantine: Where a checkpoint goes that cannot be used.
        checkpoint_seconds: The least time between two checkpoints.
        max_seconds: The trial ends after so much training, that of earlier attempts included.
    """

    family: str
    model: ModelConfig
    shape: ForecastShape
    task: str
    target_offsets: tuple[int, ...]
    folds: tuple[Fold, ...]
    objective: Objective
    loss: LossSettings
    settings: TrainSettings
    seed: int
    device: str
    threads: int
    weights: Path | None
    beats: float | None
    checkpoint: Path | None
    quarantine: Path
    checkpoint_seconds: float
    max_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class FoldResult:
    """How the training on one fold ended; the metrics are those of its best epoch's weights."""

    curve: list[EpochResult]
    best_epoch: int
    best_value: float
    steps: int
    train_metrics: dict[str, float]
    val_metrics: dict[str, float]
    confusion: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A trial that trained to its end, whether by epochs, by patience or by the parent's word."""

    folds: list[FoldResult]
    stopped_because: str
    param_count: int
    peak_memory_bytes: int
    flops_per_step: int
    samples_per_second: float


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
