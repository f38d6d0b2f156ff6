"""Gradient boosting on statistics of the window: what trees make of it.

Of up to 24 numbers a model each; of more one model, with the step ahead as an input. How many trees is chosen
on the end of the training part, then all of it is fitted.

Source: scikit-learn's histogram gradient boosting, after Ke et al., "LightGBM", NeurIPS 2017.

Legend: N windows, S steps ahead, K target columns, M outputs, P inputs, R rows that trees are fitted on.
"""

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from hpo.data.base import ForecastData
from hpo.data.features.ratios import price_ratios
from hpo.scoring.references.windows import (
    Array,
    OutOfTimeError,
    Rows,
    has_past,
    in_order,
    lagged,
    past,
    rolling_origins,
    statistics,
    targets,
)
from hpo.scoring.scorer import Scorer

MAX_MODELS = 24

MAX_ROWS = 100_000
"""Rows of all models together: of more windows every second is taken, or every third, ..."""

MAX_VALUES = 20_000_000
"""Inputs of all rows together (0.08 GB)."""

MAX_CHANNELS = 250
"""Of more channels the first alone are read."""

TREES_A_ROUND = 25
MOST_ROUNDS = 8
PATIENCE = 2
"""Rounds without a better error end the search for the number of trees."""

MOST_JUDGED = 4
"""Models that choose the number of trees for all of them."""

N_LAGS = 6
"""The targets' latest values that are read one by one."""

STEPS_A_WINDOW = 8
"""Of one model for all steps each window shows so many, in turn."""

_CHUNK = 2_000
_SETTINGS: dict[str, Any] = {
    "learning_rate": 0.05,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 30,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": 0,
    "warm_start": True,
}

Floats = npt.NDArray[np.float32]


def forecast(data: ForecastData, scorer: Scorer, deadline: float) -> tuple[Array, str] | None:
    """The forecast of the validation windows, (N, M), and how it was fitted, in words.

    Args:
        data: The data.
        scorer: Of the task.
        deadline: When it must have ended, by ``time.monotonic``.

    Returns:
        None where the training part lacks a class.

    Raises:
        OutOfTimeError: It would not end by then.
    """
    train = in_order(data, data.splits.train)
    problem = _Labels(data, scorer) if scorer.task.classifies else _Numbers(data, scorer.season)
    n_inputs = problem.rows(train[:1])[0].shape[1]
    n_windows = max(1, min(MAX_ROWS, MAX_VALUES // n_inputs) // problem.rows_a_window)
    train = train[:: -(-len(train) // n_windows)]
    if not problem.can_learn(train):
        return None
    n_rounds = 1
    origins = rolling_origins(data, train)
    if origins and problem.can_learn(known := train[: origins[-1][0]]):
        n_rounds = _best_rounds(problem, known, origins[-1][1], deadline)
    x, y = problem.rows(train)
    models = problem.models()
    for i in range(1, n_rounds + 1):
        _grow(models, x, y, i, deadline)
    parts = [problem.forecast(models, some) for some in _chunks(data.splits.val)]
    return np.concatenate(parts), f"{n_rounds * TREES_A_ROUND} trees on {len(x):,} rows"


def _best_rounds(problem: "_Problem", known: Rows, after: Rows, deadline: float) -> int:
    """How many rounds of trees do best on the windows after those that are known."""
    x, y = problem.rows(known)
    later_x, later_y = problem.rows(after)
    columns = np.unique(np.linspace(0, y.shape[1] - 1, MOST_JUDGED).round().astype(int))
    y, later_y, models = y[:, columns], later_y[:, columns], problem.models()[: len(columns)]
    best, least = 1, float("inf")
    for n_rounds in range(1, MOST_ROUNDS + 1):
        _grow(models, x, y, n_rounds, deadline)
        error = problem.error(_outputs(models, later_x), later_y)
        if error < least:
            best, least = n_rounds, error
        elif n_rounds - best >= PATIENCE:
            break
    return best


def _grow(models: list[Any], x: Floats, y: Array, n_rounds: int, deadline: float) -> None:
    """Let each model have so many rounds of trees.

    Raises:
        OutOfTimeError: The deadline passed.
    """
    for j, model in enumerate(models):
        if time.monotonic() > deadline:
            raise OutOfTimeError
        model.set_params(max_iter=n_rounds * TREES_A_ROUND).fit(x, y[:, j])


def _outputs(models: list[Any], x: Floats) -> Array:
    """What the models make of rows: logits of classes, or numbers, (R, outputs)."""
    columns = [getattr(model, "decision_function", model.predict)(x).reshape(len(x), -1) for model in models]
    return np.hstack(columns)


class _Labels:
    """One model of the classes."""

    rows_a_window = 1

    def __init__(self, data: ForecastData, scorer: Scorer) -> None:
        self._data = data
        self._scorer = scorer
        self._ratios = price_ratios(data.table)

    def can_learn(self, ends: Rows) -> bool:
        """Whether there is a window of each class."""
        return len(np.unique(self._data.targets_at(ends))) >= max(2, len(self._data.table.class_names))

    def models(self) -> list[Any]:
        """One for each column of what is learnt."""
        from sklearn.ensemble import HistGradientBoostingClassifier  # see hpo.scoring.metrics

        return [HistGradientBoostingClassifier(**_SETTINGS)]

    def rows(self, ends: Rows) -> tuple[Floats, Array]:
        """Inputs (R, P) and what is learnt, (R, models)."""
        return self._inputs(ends), self._data.targets_at(ends).astype(np.float64)

    def error(self, outputs: Array, aims: Array) -> float:
        """What the number of trees is chosen by."""
        return float(self._scorer.losses(outputs, aims).mean())

    def forecast(self, models: list[Any], ends: Rows) -> Array:
        """Logits, (N, M)."""
        return _outputs(models, self._inputs(ends))

    def _inputs(self, ends: Rows) -> Floats:
        parts = [_statistics(self._data, ends), *([] if self._ratios is None else [self._ratios[ends]])]
        return np.hstack(parts).astype(np.float32)


class _Numbers:
    """Changes since the best naive forecast: a model for each number of a forecast, or one for all."""

    def __init__(self, data: ForecastData, season: int | None) -> None:
        self._data = data
        self._season = season
        self._steps = np.array(data.table.target_offsets)
        self._n_targets = data.target_values.shape[1]
        self._together = len(self._steps) * self._n_targets > MAX_MODELS
        self._apart = -(-len(self._steps) // STEPS_A_WINDOW)
        self._n_shown = -(-len(self._steps) // self._apart)
        n_shown = self._n_shown if self._together else len(self._steps)
        self.rows_a_window = n_shown * self._n_targets
        self._base = self._best_base()

    def can_learn(self, ends: Rows) -> bool:
        """Whether there is a window."""
        return len(ends) > 0

    def models(self) -> list[Any]:
        """One for each column of what is learnt."""
        from sklearn.ensemble import HistGradientBoostingRegressor  # see hpo.scoring.metrics

        n_models = 1 if self._together else len(self._steps) * self._n_targets
        return [HistGradientBoostingRegressor(**_SETTINGS) for _ in range(n_models)]

    def rows(self, ends: Rows) -> tuple[Floats, Array]:
        """Inputs (R, P) and what is learnt, (R, models)."""
        aims = targets(self._data, ends, self._steps) - self._bases(ends)
        if not self._together:
            return self._inputs(ends), aims.reshape(len(ends), -1)
        # Each window shows every so-many-th step; the next window the steps after those.
        first = np.arange(len(ends))[:, None] % self._apart
        shown = (first + self._apart * np.arange(self._n_shown)) % len(self._steps)
        x = self._inputs_of_steps(ends, shown)
        return x, np.take_along_axis(aims, shown[:, :, None], axis=1).reshape(-1, 1)

    def error(self, outputs: Array, aims: Array) -> float:
        """What the number of trees is chosen by."""
        return float(np.mean((outputs - aims) ** 2))

    def forecast(self, models: list[Any], ends: Rows) -> Array:
        """Scaled forecasts, (N, M)."""
        if self._together:
            every = np.tile(np.arange(len(self._steps)), (len(ends), 1))
            changes = _outputs(models, self._inputs_of_steps(ends, every))
        else:
            changes = _outputs(models, self._inputs(ends))
        return changes.reshape(len(ends), -1) + self._bases(ends).reshape(len(ends), -1)

    def _inputs(self, ends: Rows) -> Floats:
        """Of a window, with all steps a season ago, (N, P)."""
        return np.hstack([self._of_window(ends), self._seasonal(ends).reshape(len(ends), -1)])

    def _inputs_of_steps(self, ends: Rows, shown: Rows) -> Floats:
        """Of windows and steps, (N, shown) by their position, and targets: (N x shown x K, P)."""
        of_step = np.take_along_axis(self._seasonal(ends), shown[:, :, None], axis=1)
        step = np.broadcast_to(self._steps[shown][:, :, None], of_step.shape)
        target = np.broadcast_to(np.arange(self._n_targets), of_step.shape)
        columns = np.stack([of_step, step, target], axis=-1).reshape(-1, 3).astype(np.float32)
        return np.hstack([np.repeat(self._of_window(ends), of_step[0].size, axis=0), columns])

    def _of_window(self, ends: Rows) -> Floats:
        data, parts = self._data, [_statistics(self._data, ends)]
        if has_past(data):
            lags = [*range(1, min(N_LAGS, data.context_length)), *([self._season] if self._season else [])]
            parts.append((lagged(data, ends, lags) - lagged(data, ends, [0])).reshape(len(ends), -1))
        return np.hstack(parts).astype(np.float32)

    def _seasonal(self, ends: Rows) -> Floats:
        """What each step was a season ago, relative to the last value, (N, S, K); zeros without a season."""
        if self._season is None or not has_past(self._data):
            return np.zeros((len(ends), len(self._steps), self._n_targets), dtype=np.float32)
        ago: Array = past(self._data, ends, self._season, self._steps) - lagged(self._data, ends, [0])
        return ago.astype(np.float32)

    def _best_base(self) -> int | None:
        """The season (1: last value) whose naive forecast did best on the training part; None: a constant."""
        train, seasons = self._data.splits.train, [1, *([self._season] if self._season else [])]
        values = targets(self._data, train, self._steps)
        least, best = float(np.mean((values - values.mean(axis=0)) ** 2)), None
        for season in seasons if has_past(self._data) else []:
            error = float(np.mean((values - past(self._data, train, season, self._steps)) ** 2))
            if error < least:
                least, best = error, season
        return best

    def _bases(self, ends: Rows) -> Array:
        """What forecasts are added to, (N, S, K)."""
        if self._base is None:
            return np.zeros((len(ends), len(self._steps), self._n_targets))
        return past(self._data, ends, self._base, self._steps)


_Problem = _Labels | _Numbers


def _statistics(data: ForecastData, ends: Rows) -> Array:
    return statistics(data, ends, range(min(MAX_CHANNELS, data.features.shape[1])))


def _chunks(ends: Rows) -> list[Rows]:
    return [ends[start : start + _CHUNK] for start in range(0, len(ends), _CHUNK)]
