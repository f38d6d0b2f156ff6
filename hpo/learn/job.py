"""All that a process needs to train one trial."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hpo.learn.bundle import Bundle
from hpo.learn.settings import TrainSettings
from hpo.models.base import ForecastShape, ModelConfig
from hpo.scoring.losses import LossSettings
from hpo.scoring.objective import Objective
from hpo.scoring.scorer import Scorer
from hpo.scoring.task import Task


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
        task: What is forecast.
        target_offsets: A window that ends at row t has the targets of rows t + offset.
        folds: What it trains on, one after the other, each time anew; the objective is their mean.
        objective: What the best epoch and early stopping go by.
        loss: The training loss.
        settings: How to train.
        seed: Of the initial weights and of dropout.
        device: "cpu" or "cuda".
        threads: CPU threads.
        weights: Where to keep the best weights, those of the last fold, if the trial is among the best so
            far; None for nowhere.
        bundle: What they need to forecast from raw rows, kept beside them; None for the weights alone.
        beats: The value it must better to be among the best so far; None if any will do.
        checkpoint: Where to go on from, and where to keep what a later attempt goes on from; None for
            nowhere.
        quarantine: Where a checkpoint goes that cannot be used.
        checkpoint_seconds: The least time between two checkpoints.
        max_seconds: The trial ends after so much training, that of earlier attempts included.
    """

    family: str
    model: ModelConfig
    shape: ForecastShape
    task: Task
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
    bundle: Bundle | None = None
