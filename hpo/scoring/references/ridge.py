"""The fitted linear reference: a ridge that is hard to beat, in closed form.

A window is read as it is, or relative to its last values; what is forecast is the target, or its change since
the last value or the last season; from the target's own past, or from all channels. Each of these is fitted
with a wide range of penalties from one Gram matrix, and judged at several origins inside the training part.
The forecast is their mean, weighted by how well each did there (Stock and Watson 2004): over 22 validation
parts of five series its error was 1 % below that of the one that hindsight would choose, and 4 % below that
of the one that did best before.

Legend: N windows, L context_length, C channels, S steps ahead, K target columns, P inputs, M outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hpo.data.base import ForecastData
from hpo.scoring.references.windows import (
    Array,
    Rows,
    has_past,
    in_order,
    lagged,
    past,
    rolling_origins,
    targets,
    weights_of,
    window,
)

PENALTIES = tuple(10.0**exponent for exponent in range(-2, 7))
"""Beside sums of squares over windows, of inputs in standard deviations."""

MAX_INPUTS = 1_000
"""Of a window with more numbers the latest rows are read."""

MAX_VALUES = 20_000_000
"""Inputs and outputs of all windows together (0.16 GB): of more windows the latest are taken."""

MAX_JUDGED = 24
"""Numbers of a forecast that judge candidates, spread evenly over its steps."""

SHARPNESS = 8
"""Weights are mean squared errors to minus this power: an error higher by a tenth halves the weight."""

_CHUNK = 2_000

Base = Literal["level", "last value", "season"]


@dataclass(frozen=True)
class Inputs:
    """How windows are read.

    Attributes:
        own: Each target by its own past alone, all with the same weights; else all by all channels.
        relative: Rows are read relative to the last one, and beside them the value a season ago.
        season: Rows in a season; None where nothing repeats.
    """

    own: bool
    relative: bool
    season: int | None

    @property
    def bases(self) -> tuple[Base, ...]:
        """What forecasts may be added to."""
        if not self.relative:
            return ("level",)
        return ("last value",) if self.season is None else ("last value", "season")

    def read(self, data: ForecastData, ends: Rows) -> Array:
        """Inputs (N, P); of each target on its own (N x K, P)."""
        channels = data.table.target_channels if self.own else range(data.features.shape[1])
        n_rows = min(data.context_length, max(1, MAX_INPUTS // (1 if self.own else len(channels))))
        rows = window(data, ends, channels, n_rows)
        if self.relative:
            rows = rows - rows[:, -1:]
            if self.season is not None:
                change = lagged(data, ends, [self.season]) - lagged(data, ends, [0])
                if self.own:
                    rows = np.concatenate([rows, change], axis=1)
                else:
                    return np.hstack([rows.reshape(len(ends), -1), change[:, 0]])
        return _by_target(rows) if self.own else rows.reshape(len(ends), -1)

    def outputs(self, values: Array) -> Array:
        """Values (N, S, K) as (N, M); of each target on its own (N x K, S)."""
        return _by_target(values) if self.own else values.reshape(len(values), -1)

    def values(self, outputs: Array, shape: tuple[int, int]) -> Array:
        """Back from outputs to (N, S, K)."""
        n_steps, n_targets = shape
        if self.own:
            return outputs.reshape(-1, n_targets, n_steps).transpose(0, 2, 1)
        return outputs.reshape(-1, n_steps, n_targets)


@dataclass(frozen=True)
class Candidate:
    """One way to fit it."""

    inputs: Inputs
    base: Base
    penalty: float

    def __str__(self) -> str:
        reads = "the target alone" if self.inputs.own else "all channels"
        base = "" if self.base == "level" else f", minus the {self.base}"
        return f"{reads}{base}, penalty {self.penalty:g}"


class Moments:
    """Sums over windows, from which a ridge of any penalty follows."""

    def __init__(self) -> None:
        self.n = 0
        self.x: Array = np.zeros(())
        self.y: Array = np.zeros(())
        self.xx: Array = np.zeros(())
        self.xy: Array = np.zeros(())

    def add(self, x: Array, y: Array) -> None:
        """Take in windows' inputs (N, P) and outputs (N, M)."""
        self.n += len(x)
        self.x, self.y = self.x + x.sum(axis=0), self.y + y.sum(axis=0)
        self.xx, self.xy = self.xx + x.T @ x, self.xy + x.T @ y

    def fit(self, penalty: float) -> tuple[Array, Array]:
        """Weights (P, M), shrunk by the penalty, and the intercept (M,), which is not."""
        from scipy.linalg import cho_factor, cho_solve

        x, y = self.x / self.n, self.y / self.n
        gram = self.xx - self.n * np.outer(x, x)
        gram[np.diag_indices_from(gram)] += penalty
        factor = cho_factor(gram, overwrite_a=True, check_finite=False)
        weights = cho_solve(factor, self.xy - self.n * np.outer(x, y), check_finite=False)
        return weights, y - x @ weights


def forecast(data: ForecastData, season: int | None) -> tuple[Array, str]:
    """The forecast of the validation windows, (N, S x K), and how it was fitted, in words."""
    steps, ends = data.table.target_offsets, data.splits.val
    train = _latest(data)
    total = np.zeros((len(ends), len(steps), data.target_values.shape[1]))
    words = []
    for candidate, weight in _weighted(data, train, season):
        total += weight * _fitted(data, candidate, train, ends, steps)
        words.append(f"{weight:.0%} {candidate}")
    return total.reshape(len(ends), -1), "; ".join(words)


def _latest(data: ForecastData) -> Rows:
    """The latest training windows that fit the limit."""
    n_inputs = min(MAX_INPUTS, data.context_length * data.features.shape[1])
    n_outputs = len(data.table.target_offsets) * data.target_values.shape[1]
    return in_order(data, data.splits.train, max(50, MAX_VALUES // (n_inputs + 2 * n_outputs)))


def _judged(data: ForecastData) -> list[int]:
    """Steps ahead that choose among candidates."""
    steps = data.table.target_offsets
    n = min(len(steps), max(4, MAX_JUDGED // data.target_values.shape[1]))
    return [steps[i] for i in np.unique(np.linspace(0, len(steps) - 1, n).round().astype(int))]


def _weighted(data: ForecastData, train: Rows, season: int | None) -> list[tuple[Candidate, float]]:
    """Each way to fit it, with the penalty that did best at the origins, and its weight; best first."""
    origins, steps = rolling_origins(data, train), _judged(data)
    ways = [Inputs(False, False, None)]
    if has_past(data):
        owns = (True,) if data.features.shape[1] == 1 else (True, False)
        ways = [Inputs(own, relative, season) for own in owns for relative in (True, False)]
    found = []
    for inputs in ways:
        errors = _errors(data, inputs, train, origins, steps)
        for i, base in enumerate(inputs.bases):
            j = int(np.argmin(errors[i]))
            found.append((Candidate(inputs, base, PENALTIES[j]), float(errors[i, j])))
    found.sort(key=lambda pair: pair[1])
    weights = weights_of([error for _, error in found], SHARPNESS)
    return [(candidate, weight) for (candidate, _), weight in zip(found, weights, strict=True) if weight > 0]


def _errors(
    data: ForecastData,
    inputs: Inputs,
    train: Rows,
    origins: Sequence[tuple[int, Rows]],
    steps: Sequence[int],
) -> Array:
    """Mean squared errors over all origins, (bases, penalties); without one the largest do best."""
    moments, done = Moments(), 0
    errors = np.zeros((len(inputs.bases), len(PENALTIES)))
    if not origins:
        return np.asarray(errors + PENALTIES[::-1])
    for n_known, after in origins:
        for ends in _chunks(train[done:n_known]):
            moments.add(inputs.read(data, ends), _aims(data, inputs, ends, steps))
        done = n_known
        x, y = inputs.read(data, after), _aims(data, inputs, after, steps)
        for j, penalty in enumerate(PENALTIES):
            weights, intercept = moments.fit(penalty)
            missed = (x @ weights + intercept - y) ** 2
            errors[:, j] += missed.reshape(len(missed), len(inputs.bases), -1).mean(axis=(0, 2))
    return errors / len(origins)


def _fitted(data: ForecastData, candidate: Candidate, fit: Rows, ends: Rows, steps: Sequence[int]) -> Array:
    """The forecast of a candidate fitted on some windows, for others, (N, S, K)."""
    inputs, moments = candidate.inputs, Moments()
    shape = (len(steps), data.target_values.shape[1])
    for some in _chunks(fit):
        aims = targets(data, some, steps) - _bases(data, candidate.base, inputs.season, some, steps)
        moments.add(inputs.read(data, some), inputs.outputs(aims))
    weights, intercept = moments.fit(candidate.penalty)
    parts = []
    for some in _chunks(ends):
        change = inputs.values(inputs.read(data, some) @ weights + intercept, shape)
        parts.append(change + _bases(data, candidate.base, inputs.season, some, steps))
    return np.concatenate(parts)


def _aims(data: ForecastData, inputs: Inputs, ends: Rows, steps: Sequence[int]) -> Array:
    """What is left of the targets beside each base, one after the other, (N, bases x M)."""
    values = targets(data, ends, steps)
    aims = [values - _bases(data, base, inputs.season, ends, steps) for base in inputs.bases]
    return np.hstack([inputs.outputs(aim) for aim in aims])


def _bases(data: ForecastData, base: Base, season: int | None, ends: Rows, steps: Sequence[int]) -> Array:
    """What a forecast is added to, (N, S, K)."""
    if base == "level":
        return np.zeros((len(ends), len(steps), data.target_values.shape[1]))
    if base == "season" and season is not None:
        return past(data, ends, season, steps)
    return past(data, ends, 1, steps)


def _by_target(values: Array) -> Array:
    """From (N, S, K) to (N x K, S)."""
    return values.transpose(0, 2, 1).reshape(-1, values.shape[1])


def _chunks(ends: Rows) -> list[Rows]:
    return [ends[start : start + _CHUNK] for start in range(0, len(ends), _CHUNK)]
