"""Scores of a forecast: a function each, and an entry in the metrics of what is forecast.

scikit-learn has most of them. It takes over a second to import: functions import it when they are called, so
that a study that goes on starts at once.

Legend: N windows, O outputs, H horizon, K target columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from hpo.scoring.forecasts import Array, Classes, RegressionForecast

Forecast = TypeVar("Forecast")

ECE_BINS = 15
"""Bins of equal width for the expected calibration error (Guo et al. 2017)."""

COLLAPSED_RANGE = 0.1
"""Probabilities that span less than this are all nearly equal: the model tells nothing apart."""


@dataclass(frozen=True, kw_only=True)
class Metric(Generic[Forecast]):
    """One score.

    Attributes:
        name: As records have it.
        better: Which values are better; None where the number describes a forecast and scores nothing.
        perfect: The value of a perfect forecast; None where there is none, as for a likelihood.
        unit: What it is measured in, where that has a name.
        of: From the forecast to its value; None where it is not defined on these windows.
    """

    name: str
    better: Literal["lower", "higher"] | None
    perfect: float | None
    unit: str | None = None
    of: Callable[[Forecast], float | None]


def log_loss(forecast: Classes) -> float:
    """Log-loss in nats."""
    from sklearn import metrics as sk

    return float(sk.log_loss(forecast.labels, forecast.p, labels=forecast.classes))


def brier(forecast: Classes) -> float:
    """Brier score (1950), summed over the classes of a multi-class task."""
    return float(np.mean(forecast.squares))


def accuracy(forecast: Classes) -> float:
    """Share of windows whose label is predicted."""
    from sklearn import metrics as sk

    return float(sk.accuracy_score(forecast.labels, forecast.predicted))


def precision(forecast: Classes) -> float:
    """Share of the predicted that are."""
    from sklearn import metrics as sk

    return float(sk.precision_score(forecast.labels, forecast.predicted, **forecast.averaging))


def recall(forecast: Classes) -> float:
    """Share of those that are that are predicted."""
    from sklearn import metrics as sk

    return float(sk.recall_score(forecast.labels, forecast.predicted, **forecast.averaging))


def f1(forecast: Classes) -> float:
    """Harmonic mean of precision and recall."""
    from sklearn import metrics as sk

    return float(sk.f1_score(forecast.labels, forecast.predicted, **forecast.averaging))


def ece(forecast: Classes) -> float:
    """Expected calibration error."""
    return calibration_error(forecast.confidence, forecast.predicted == forecast.labels)


def prediction_range(forecast: Classes) -> float:
    """The span of the probabilities, of the class where it is widest."""
    return float(np.ptp(forecast.p, axis=0).max())


def auc(forecast: Classes) -> float | None:
    """Area under the ROC curve; None where a class is missing."""
    from sklearn import metrics as sk

    if len(np.unique(forecast.labels)) < len(forecast.classes):
        return None
    return float(sk.roc_auc_score(forecast.labels, forecast.p, multi_class="ovr", labels=forecast.classes))


def mse(forecast: RegressionForecast) -> float:
    """Mean squared error in scaled units."""
    return float(np.mean((forecast.forecast - forecast.targets) ** 2))


def rmse(forecast: RegressionForecast) -> float:
    """Root of the mean squared error in the targets' units."""
    return float(np.sqrt(np.mean(forecast.error**2)))


def mae(forecast: RegressionForecast) -> float:
    """Mean absolute error in the targets' units."""
    return float(np.mean(forecast.error))


def smape(forecast: RegressionForecast) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 (Makridakis 1993)."""
    there, actual = forecast.in_units
    error, size = forecast.error, np.abs(there) + np.abs(actual)
    relative = np.divide(2 * error, size, out=np.zeros_like(error), where=size > 0)
    return float(100 * relative.mean())


def r2(forecast: RegressionForecast) -> float | None:
    """R² over all windows and outputs, each output against its own mean; None for a single window."""
    from sklearn import metrics as sk

    there, actual = forecast.in_units
    if len(actual) < 2:
        return None
    return float(sk.r2_score(actual, there, multioutput="variance_weighted"))


def mase(forecast: RegressionForecast) -> float | None:
    """Mean absolute scaled error (Hyndman and Koehler 2006); None where a naive error is 0."""
    naive_error = forecast.scale.naive_error
    if not (naive_error > 0).all():
        return None
    return float(np.mean(forecast.error.mean(axis=0) / naive_error))


def direction_accuracy(forecast: RegressionForecast) -> float | None:
    """The share of steps forecast to the side of the last known value on which they came to lie.

    Steps (N, H x K) that came to lie where they started have no direction and are left out, as are windows
    whose last value is not known; a forecast of no change is wrong. None if nothing is left.
    """
    there, actual, last = forecast.forecast, forecast.targets, forecast.last
    start = np.tile(last, actual.shape[1] // last.shape[1])
    moved = np.sign(actual - start)
    counts = (moved != 0) & np.isfinite(start)
    if not counts.any():
        return None
    return float(np.mean(np.sign(there - start)[counts] == moved[counts]))


def nll(forecast: RegressionForecast) -> float | None:
    """Negative log-likelihood of a Gaussian forecast in scaled units, in nats a number."""
    return forecast.gaussian.get("nll")


def coverage_90(forecast: RegressionForecast) -> float | None:
    """Share of numbers inside their central 90 % interval, of a Gaussian forecast."""
    return forecast.gaussian.get("coverage_90")


def mean_correlation(forecast: RegressionForecast) -> float | None:
    """Mean absolute correlation forecast between two numbers, of a full covariance."""
    return forecast.gaussian.get("mean_correlation")


CLASS_METRICS: tuple[Metric[Classes], ...] = (
    Metric(name="log_loss", better="lower", perfect=0.0, unit="nats", of=log_loss),
    Metric(name="brier", better="lower", perfect=0.0, of=brier),
    Metric(name="accuracy", better="higher", perfect=1.0, of=accuracy),
    Metric(name="precision", better="higher", perfect=1.0, of=precision),
    Metric(name="recall", better="higher", perfect=1.0, of=recall),
    Metric(name="f1", better="higher", perfect=1.0, of=f1),
    Metric(name="ece", better="lower", perfect=0.0, of=ece),
    Metric(name="prediction_range", better=None, perfect=None, of=prediction_range),
    Metric(name="auc", better="higher", perfect=1.0, of=auc),
)
REGRESSION_METRICS: tuple[Metric[RegressionForecast], ...] = (
    Metric(name="mse", better="lower", perfect=0.0, unit="squared scaled units", of=mse),
    Metric(name="rmse", better="lower", perfect=0.0, of=rmse),
    Metric(name="mae", better="lower", perfect=0.0, of=mae),
    Metric(name="smape", better="lower", perfect=0.0, of=smape),
    Metric(name="r2", better="higher", perfect=1.0, of=r2),
    Metric(name="mase", better="lower", perfect=0.0, of=mase),
    Metric(name="direction_accuracy", better="higher", perfect=1.0, of=direction_accuracy),
    Metric(name="nll", better="lower", perfect=None, of=nll),
    Metric(name="coverage_90", better=None, perfect=None, of=coverage_90),
    Metric(name="mean_correlation", better=None, perfect=None, of=mean_correlation),
)
"""Metrics in the order in which records and pages have them; the first is the task's proper score."""


def calibration_error(confidence: Array, correct: Array) -> float:
    """Expected calibration error (Guo et al. 2017): mean distance of confidence and accuracy over bins."""
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))
