"""Training losses, and the proper score each task is judged by.

The objective of a search is the task's proper score (log-loss, MSE) or a metric, never the loss that trains
the network: a search over focal gammas must not reward a gamma.

Legend: B batch, O outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from hpo.errors import ConfigError
from hpo.models.gaussian import Covariance, gaussian_nll

LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Outputs (B, O) and targets to the mean loss. Outputs of classes are logits.

Targets are (B, O), those of a multi-class task (B, 1): the index of the class.
"""


def focal_loss(logits: Tensor, targets: Tensor, gamma: float, alpha: float | None) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017): cross-entropy times (1 - p_t)^gamma, classes weighted by alpha."""
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    loss = cross_entropy * (1.0 - torch.exp(-cross_entropy)) ** gamma
    if alpha is not None:
        loss = loss * (alpha * targets + (1.0 - alpha) * (1.0 - targets))
    return loss.mean()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the classes' softmax, in nats."""
    return functional.cross_entropy(logits, targets[:, 0].long())


def weighted_bce(logits: Tensor, targets: Tensor, positive_weight: float) -> Tensor:
    """Binary cross-entropy in which a positive counts as so many negatives."""
    weight = logits.new_tensor(positive_weight)
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)


def _of_mean(loss: LossFunction) -> LossFunction:
    """A loss of the forecast alone, without the covariance that may stand behind it."""
    return lambda outputs, targets: loss(outputs[:, : targets.shape[1]], targets)


_SCORES: dict[str, LossFunction] = {
    "binary": functional.binary_cross_entropy_with_logits,
    "multiclass": cross_entropy,
    "regression": _of_mean(functional.mse_loss),
}
COVARIANCES: dict[str, Covariance] = {"gaussian_nll": "diagonal", "gaussian_nll_full": "full"}
"""What a loss needs beside the forecast."""

MAX_FULL = 64
"""Forecast numbers of a full covariance at most: its factor grows with their square."""

LOSSES = {
    "binary": ("bce", "focal"),
    "multiclass": ("cross_entropy",),
    "regression": ("mse", "mae", "huber", "gaussian_nll", "gaussian_nll_full"),
}
"""Training losses by task; the first is the task's own score."""


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """A training loss and what shapes it.

    Attributes:
        name: One of :data:`LOSSES`.
        focal_gamma: Focusing parameter of the focal loss.
        focal_alpha: Weight of its positive class; None weighs both alike.
        huber_delta: Where Huber's loss turns from squares to absolute values, in scaled units.
        positive_weight: What a positive counts in "bce", a negative being 1.
    """

    name: str
    focal_gamma: float = 2.0
    focal_alpha: float | None = None
    huber_delta: float = 1.0
    positive_weight: float = 1.0


def score_function(task: str) -> LossFunction:
    """The task's proper score: log-loss in nats for classes, MSE in scaled units for a regression."""
    return _SCORES[task]


def constant_output(task: str, targets: npt.NDArray[np.float32], n_outputs: int) -> npt.NDArray[np.float32]:
    """The constant output, (O,), with the best score on some targets: their mean, or the classes' logits."""
    if task == "multiclass":
        counts = np.bincount(targets[:, 0].astype(np.int64), minlength=n_outputs)
        return np.asarray(np.log(np.maximum(counts, 0.5) / len(targets)), dtype=np.float32)
    mean: npt.NDArray[np.float64] = targets.mean(axis=0, dtype=np.float64)
    if task == "binary":
        half = 0.5 / len(targets)  # one class alone would give an infinite logit
        mean = np.clip(mean, half, 1.0 - half)
        mean = np.log(mean / (1.0 - mean))
    return np.asarray(mean, dtype=np.float32)


def default_loss(task: str) -> str:
    """The training loss a task has unless the user chooses: its own score."""
    return LOSSES[task][0]


def covariance_of(settings: LossSettings, n_outputs: int) -> Covariance:
    """What a model forecasts beside the mean, for its loss.

    Raises:
        ConfigError: A full covariance would be too large.
    """
    covariance = COVARIANCES.get(settings.name, "none")
    if covariance == "full" and n_outputs > MAX_FULL:
        raise ConfigError(
            f"loss {settings.name} takes at most {MAX_FULL} forecast numbers (horizon x targets), "
            f"got {n_outputs}; gaussian_nll takes any"
        )
    return covariance


def loss_function(settings: LossSettings, task: str) -> LossFunction:
    """The training loss.

    Raises:
        ConfigError: The loss does not fit the task.
    """
    if settings.name not in LOSSES[task]:
        valid = ", ".join(LOSSES[task])
        raise ConfigError(f"loss {settings.name} does not fit a {task} task; valid: {valid}")
    if settings.positive_weight != 1.0 and settings.name != "bce":
        raise ConfigError(f"positive_weight is for the loss bce; the loss is {settings.name}")
    functions: dict[str, LossFunction] = {
        "bce": partial(weighted_bce, positive_weight=settings.positive_weight),
        "focal": partial(focal_loss, gamma=settings.focal_gamma, alpha=settings.focal_alpha),
        "cross_entropy": cross_entropy,
        "mse": functional.mse_loss,
        "mae": functional.l1_loss,
        "huber": partial(functional.huber_loss, delta=settings.huber_delta),
        "gaussian_nll": gaussian_nll,
        "gaussian_nll_full": gaussian_nll,
    }
    return functions[settings.name]
