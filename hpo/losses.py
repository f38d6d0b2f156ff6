"""Training losses, and the proper score each task is judged by.

The objective of a search is always the task's proper score (log-loss, MSE), whatever loss trains the
network: a search over focal gammas must not reward a gamma.

Legend: B batch, O outputs.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from hpo.errors import ConfigError

LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Outputs (B, O) and targets (B, O) to the mean loss. Binary outputs are logits."""


def focal_loss(logits: Tensor, targets: Tensor, gamma: float, alpha: float | None) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017): cross-entropy times (1 - p_t)^gamma, classes weighted by alpha."""
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    loss = cross_entropy * (1.0 - torch.exp(-cross_entropy)) ** gamma
    if alpha is not None:
        loss = loss * (alpha * targets + (1.0 - alpha) * (1.0 - targets))
    return loss.mean()


_LOSSES: dict[str, tuple[str, LossFunction]] = {
    "bce": ("binary", functional.binary_cross_entropy_with_logits),
    "mse": ("regression", functional.mse_loss),
    "mae": ("regression", functional.l1_loss),
}
_SCORES = {"binary": "bce", "regression": "mse"}


def score_function(task: str) -> LossFunction:
    """The task's proper score: log-loss in nats for binary, MSE in scaled units for regression."""
    return _LOSSES[_SCORES[task]][1]


def constant_output(task: str, targets: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The constant output with the best score on some targets (N, O): their mean, as a logit for binary."""
    mean: npt.NDArray[np.float64] = targets.mean(axis=0, dtype=np.float64)
    if task == "binary":
        half = 0.5 / len(targets)  # one class alone would give an infinite logit
        mean = np.clip(mean, half, 1.0 - half)
        mean = np.log(mean / (1.0 - mean))
    return np.asarray(mean, dtype=np.float32)


def default_loss(task: str) -> str:
    """The training loss a task has unless the user chooses: its own score."""
    return _SCORES[task]


def loss_function(name: str, task: str, gamma: float, alpha: float | None) -> LossFunction:
    """The training loss of that name.

    Raises:
        ConfigError: The loss does not fit the task.
    """
    loss_task, function = (
        ("binary", partial(focal_loss, gamma=gamma, alpha=alpha)) if name == "focal" else _LOSSES[name]
    )
    if loss_task != task:
        fitting = "bce, focal" if task == "binary" else "mse, mae"
        raise ConfigError(f"loss {name} does not fit a {task} task; valid: {fitting}")
    return function
