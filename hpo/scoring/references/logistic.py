"""The fitted linear reference of classes: a logistic regression that is hard to beat.

It reads the last row, the latest rows, or statistics of the window; of prices also ratios that have no level
(how far prices go next is told by how far they went, whatever the price). Each is fitted with a wide range of
penalties and judged at several origins inside the training part; the forecast is the mean of their logits,
weighted by how well they did.

Legend: N windows, P inputs, O logits.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from hpo.data.base import ForecastData
from hpo.data.features.ratios import price_ratios
from hpo.scoring.references.windows import (
    STATISTICS,
    Array,
    Rows,
    in_order,
    rolling_origins,
    statistics,
    weights_of,
    window,
)
from hpo.scoring.scorer import Scorer

PENALTIES = tuple(10.0**exponent for exponent in range(0, 6))
"""Of the squares of weights, beside the sum of log-losses over windows."""

MAX_INPUTS = 500
"""Of a window with more numbers the latest rows are read."""

MAX_VALUES = 5_000_000
"""Inputs of all windows together: of more windows the latest are taken."""

RATIO_ROWS = 3

SHARPNESS = 32
"""Weights are log-losses to minus this power: an error higher by a fiftieth halves the weight."""

Read = Callable[[Rows], Array]


def forecast(data: ForecastData, scorer: Scorer) -> tuple[Array, str] | None:
    """The logits of the validation windows, (N, O), and how they were fitted, in words.

    None where the training part lacks a class.
    """
    n_inputs = min(MAX_INPUTS, data.context_length * data.features.shape[1])
    train = in_order(data, data.splits.train, max(50, MAX_VALUES // n_inputs))
    classes = np.unique(data.targets_at(train))
    if len(classes) < max(2, len(data.table.class_names)):
        return None
    origins = [
        (train[:n_known], after)
        for n_known, after in rolling_origins(data, train)
        if len(np.unique(data.targets_at(train[:n_known]))) == len(classes)
    ]
    found = []
    for name, read in _ways(data).items():
        errors = np.zeros(len(PENALTIES))
        for known, after in origins:
            labels = data.targets_at(after).astype(np.float64)
            for j, model in enumerate(_models(read, data, known)):
                errors[j] += scorer.losses(model(after), labels).mean() / len(origins)
        j = int(np.argmin(errors)) if origins else len(PENALTIES) - 1
        found.append((f"{name}, penalty {PENALTIES[j]:g}", float(errors[j]), read, j))
    total, words = np.zeros(()), []
    for (name, _, read, j), weight in zip(
        found, weights_of([error for _, error, *_ in found], SHARPNESS), strict=True
    ):
        if weight > 0:
            total = total + weight * _models(read, data, train, (PENALTIES[j],))[0](data.splits.val)
            words.append(f"{weight:.0%} {name}")
    return total, "; ".join(words)


def _ways(data: ForecastData) -> dict[str, Read]:
    """Ways to read windows, each to inputs (N, P)."""
    n_channels = data.features.shape[1]
    n_rows = min(data.context_length, MAX_INPUTS // n_channels)
    ways: dict[str, Read] = {"the last row": lambda ends: data.features[ends].astype(np.float64)}
    if n_rows > 1:
        name = "the window" if n_rows == data.context_length else f"the latest {n_rows} rows"
        ways[name] = lambda ends: window(data, ends, range(n_channels), n_rows).reshape(len(ends), -1)
    if data.context_length > 1 and n_channels * len(STATISTICS) <= MAX_INPUTS:
        ways["statistics of the window"] = lambda ends: statistics(data, ends, range(n_channels))
    ratios = price_ratios(data.table)
    if ratios is not None:
        rows = np.arange(min(RATIO_ROWS, data.context_length))
        ways["two price ratios"] = lambda ends: ratios[ends, :2]
        ways["price ratios"] = lambda ends: ratios[ends[:, None] - rows].reshape(len(ends), -1)
        ways["price ratios and the last row"] = lambda ends: np.hstack([ratios[ends], data.features[ends]])
    return ways


def _models(
    read: Read, data: ForecastData, ends: Rows, penalties: tuple[float, ...] = PENALTIES
) -> list[Callable[[Rows], Array]]:
    """For each penalty the fitted model, from windows to logits (N, O)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression  # see hpo.scoring.metrics

    inputs, labels = read(ends), data.targets_at(ends)[:, 0]
    mean, std = inputs.mean(axis=0), inputs.std(axis=0)
    std = np.where(std > 0, std, 1.0)

    def model_of(penalty: float) -> Callable[[Rows], Array]:
        model: Any = LogisticRegression(C=1.0 / penalty, max_iter=300, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # near enough: others are judged beside it
            model.fit((inputs - mean) / std, labels)

        def logits(some: Rows) -> Array:
            values = np.asarray(model.decision_function((read(some) - mean) / std), dtype=np.float64)
            return values.reshape(len(some), -1)

        return logits

    return [model_of(penalty) for penalty in penalties]
