"""Training losses: a function each, and an entry in the losses of what it forecasts.

The objective of a search is the task's proper score (``hpo/scoring/task.py``) or a metric, never the loss
that trains the network: a search over focal gammas must not reward a gamma.

torch takes over a second to import: functions import it when they are called, so that a command that only
names a loss answers at once.

Legend: B batch, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    from hpo.models.gaussian import Covariance

LossFunction: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""Outputs (B, O) and targets to the mean loss, a scalar. Outputs of classes are logits.

Targets are (B, O), those of a multi-class task (B, 1): the index of the class.
"""

_LEAST_MISSING = 1e-12
"""The focal loss takes no probability to be nearer to 1."""


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """A training loss and what shapes it.

    Attributes:
        name: One of the task's losses.
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


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One training loss.

    Attributes:
        make: Its function, from the settings that shape it.
        covariance: What a model forecasts for it beside the mean (``models/gaussian.py``).
    """

    make: Callable[[LossSettings], LossFunction]
    covariance: Covariance = "none"


def log_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Log-loss of the logit of yes, in nats."""
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(logits, targets)


def weighted_bce(logits: Tensor, targets: Tensor, positive_weight: float) -> Tensor:
    """Binary cross-entropy in which a positive counts as so many negatives."""
    from torch.nn import functional

    weight = logits.new_tensor(positive_weight)
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)


def focal_loss(logits: Tensor, targets: Tensor, gamma: float, alpha: float | None) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017): cross-entropy times (1 - p_t)^gamma, classes weighted by alpha."""
    import torch
    from torch.nn import functional

    cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # Of a sure logit 1 - p_t rounds to 0, where the slope of a power below 1 is infinite.
    missing = (-torch.expm1(-cross_entropy)).clamp_min(_LEAST_MISSING)
    loss = cross_entropy * missing**gamma
    if alpha is not None:
        loss = loss * (alpha * targets + (1.0 - alpha) * (1.0 - targets))
    return loss.mean()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the classes' softmax, in nats."""
    from torch.nn import functional

    return functional.cross_entropy(logits, targets[:, 0].long())


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error."""
    from torch.nn import functional

    return functional.mse_loss(outputs, targets)


def mse_of_mean(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of the forecast alone, without the covariance that may stand behind it."""
    return mse(outputs[:, : targets.shape[1]], targets)


def mae(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error."""
    from torch.nn import functional

    return functional.l1_loss(outputs, targets)


def huber(outputs: Tensor, targets: Tensor, delta: float) -> Tensor:
    """Huber's loss (1964): half the square up to delta, a line beyond."""
    from torch.nn import functional

    return functional.huber_loss(outputs, targets, delta=delta)


def gaussian_nll(outputs: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of the targets under the Gaussian forecast, in nats a number."""
    from hpo.models import gaussian

    return gaussian.gaussian_nll(outputs, targets)


BINARY_LOSSES: Mapping[str, Loss] = {
    "bce": Loss(make=lambda settings: partial(weighted_bce, positive_weight=settings.positive_weight)),
    "focal": Loss(
        make=lambda settings: partial(focal_loss, gamma=settings.focal_gamma, alpha=settings.focal_alpha)
    ),
}
CLASS_LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(make=lambda _: cross_entropy),
}
REGRESSION_LOSSES: Mapping[str, Loss] = {
    "mse": Loss(make=lambda _: mse),
    "mae": Loss(make=lambda _: mae),
    "huber": Loss(make=lambda settings: partial(huber, delta=settings.huber_delta)),
    "gaussian_nll": Loss(make=lambda _: gaussian_nll, covariance="diagonal"),
    "gaussian_nll_full": Loss(make=lambda _: gaussian_nll, covariance="full"),
}
"""Losses by name, for each kind of target; the first is the task's own score, and its default."""
