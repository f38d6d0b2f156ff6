"""Forecasts beside what came, as metrics look at them: each holds once what several of them need.

Legend: N windows, O outputs, K target columns.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_Z90 = 1.6448536269514722
"""A normal number is within so many standard deviations in 90 of 100 cases."""

_GAUSSIAN_NUMBERS = 2_000_000
"""Numbers of a batch of covariances that are held at once."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From scaled targets to the user's units.

    Attributes:
        mean: Of the training targets, taken out of scaled targets, shape (O,).
        std: Likewise.
        naive_error: Mean absolute error of the seasonal naive forecast on training rows, in the targets'
            units, shape (O,): what MASE divides by.
    """

    mean: Array
    std: Array
    naive_error: Array


@dataclass(frozen=True)
class BinaryForecast:
    """Probabilities of yes, (N,), and labels of 0 and 1, (N,)."""

    probabilities: Array
    labels: Array

    @property
    def classes(self) -> npt.NDArray[Any]:
        """The labels."""
        return np.array([0.0, 1.0])

    @property
    def averaging(self) -> dict[str, Any]:
        """How scikit-learn scores it: precision is 0 where nothing is predicted positive."""
        return {"zero_division": 0.0}

    @cached_property
    def p(self) -> Array:
        """The probabilities, kept from certainty, whose log-loss may be infinite."""
        return np.clip(self.probabilities.astype(np.float64), 1e-7, 1 - 1e-7)

    @cached_property
    def predicted(self) -> npt.NDArray[Any]:
        """The likelier label, (N,)."""
        return self.p >= 0.5

    @property
    def confidence(self) -> Array:
        """The probability of the predicted label, (N,)."""
        return np.where(self.predicted, self.p, 1 - self.p)

    @property
    def losses(self) -> Array:
        """The log-loss of each window in nats, (N,)."""
        return np.asarray(-np.log(np.where(self.labels == 1, self.p, 1 - self.p)))

    @property
    def squares(self) -> Array:
        """Squared errors of the probabilities, (N,)."""
        return np.asarray((self.p - self.labels) ** 2)


@dataclass(frozen=True)
class ClassForecast:
    """Probabilities of classes, (N, O), and class indices, (N,).

    Precision, recall and F1 are means over the classes; AUC is that of each class against the others, also
    their mean.
    """

    probabilities: Array
    labels: Array

    @property
    def classes(self) -> npt.NDArray[Any]:
        """The indices of the classes."""
        return np.arange(self.probabilities.shape[1])

    @property
    def averaging(self) -> dict[str, Any]:
        """How scikit-learn scores it."""
        return {"labels": self.classes, "average": "macro", "zero_division": 0.0}

    @cached_property
    def p(self) -> Array:
        """The probabilities, kept from certainty, whose log-loss may be infinite."""
        p = np.clip(self.probabilities.astype(np.float64), 1e-7, 1.0)
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    @cached_property
    def predicted(self) -> npt.NDArray[Any]:
        """The likeliest class, (N,)."""
        return np.asarray(self.p.argmax(axis=1))

    @property
    def confidence(self) -> Array:
        """The probability of the predicted class, (N,)."""
        return np.asarray(self.p.max(axis=1))

    @property
    def losses(self) -> Array:
        """The log-loss of each window in nats, (N,)."""
        return np.asarray(-np.log(self.p[np.arange(len(self.p)), self.labels.astype(np.int64)]))

    @property
    def squares(self) -> Array:
        """Squared errors of the probabilities, summed over classes, (N,)."""
        return np.asarray(((self.p - (self.labels[:, None] == self.classes)) ** 2).sum(axis=1))


Classes = BinaryForecast | ClassForecast
"""What the metrics of classes look at."""


@dataclass(frozen=True, kw_only=True)
class RegressionForecast:
    """Forecast numbers and what came.

    Attributes:
        outputs: Scaled forecasts (N, O); the factor of their covariance may stand behind them.
        targets: Scaled targets (N, O).
        last: The target columns at the windows' last rows, (N, K): what the direction starts from.
        scale: From scaled targets to units.
    """

    outputs: Array
    targets: Array
    last: Array
    scale: Scale

    @property
    def losses(self) -> Array:
        """The mean squared error of each window in scaled units, (N,)."""
        return np.asarray(((self.forecast - self.targets) ** 2).mean(axis=1))

    @property
    def forecast(self) -> Array:
        """The forecast alone, scaled, (N, O)."""
        return self.outputs[:, : self.targets.shape[1]]

    @cached_property
    def in_units(self) -> tuple[Array, Array]:
        """Forecast and actual values in the targets' units, each (N, O)."""
        return (
            self.forecast * self.scale.std + self.scale.mean,
            self.targets * self.scale.std + self.scale.mean,
        )

    @cached_property
    def error(self) -> Array:
        """Absolute errors in the targets' units, (N, O)."""
        forecast, actual = self.in_units
        return np.asarray(np.abs(forecast - actual))

    @cached_property
    def gaussian(self) -> dict[str, float]:
        """Scores of the covariance, computed together; empty where there is none."""
        if self.outputs.shape[1] == self.targets.shape[1]:
            return {}
        return gaussian_scores(self.outputs, self.targets)


def sigmoid(logits: Array) -> Array:
    """Probabilities from logits."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0))))


def softmax(logits: Array) -> Array:
    """Probabilities of classes from their logits, (N, O)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def gaussian_scores(outputs: Array, targets: Array) -> dict[str, float]:
    """Scores of a Gaussian forecast, mean and covariance factor behind it, against scaled targets (N, O).

    ``nll`` is the negative log-likelihood in nats a number; ``coverage_90`` the share of numbers inside their
    central 90 % interval; ``mean_correlation``, of a full covariance, the mean absolute correlation forecast
    between two numbers.
    """
    import torch

    from hpo.models.gaussian import correlations, gaussian_nll, standard_deviations

    n = targets.shape[1]
    full = outputs.shape[1] > 2 * n
    scores = {"nll": 0.0, "coverage_90": 0.0} | ({"mean_correlation": 0.0} if full else {})
    size = max(1, _GAUSSIAN_NUMBERS // (n * n if full else n))
    for rows in np.array_split(np.arange(len(targets)), -(-len(targets) // size)):
        chosen, actual = torch.from_numpy(outputs[rows]), torch.from_numpy(targets[rows])
        share = len(rows) / len(targets)
        scores["nll"] += gaussian_nll(chosen, actual).item() * share
        error = (actual - chosen[:, :n]).abs()
        inside = (error <= _Z90 * standard_deviations(chosen, n)).double().mean()
        scores["coverage_90"] += inside.item() * share
        if full:
            between = correlations(chosen, n).abs().sum().item() / len(rows) - n
            scores["mean_correlation"] += between / (n * (n - 1)) * share
    return scores


def in_units(outputs: Array, scale: Scale) -> Array:
    """Scaled forecasts (N, O) in the targets' units."""
    return np.asarray(outputs * scale.std + scale.mean)
