"""Statistical models of one series, with the extra ``references``: Theta, ETS, MSTL and ARIMA.

Each is chosen and fitted on the last training rows, and then rolled over the validation windows: its
parameters stay, its state follows the series up to each window's end. They see the target alone, in standard
deviations but with its level, so that what is positive may have a multiplicative season.

Source: statsforecast (Garza et al. 2022).

Legend: N windows, S steps ahead, K target columns.
"""

import importlib.util
import time
import warnings
from typing import Any

import numpy as np

from hpo.data.base import ForecastData
from hpo.scoring.references.windows import Array, OutOfTimeError, has_past

SEASONS = 10
LEAST_SEASONS = 3
ROWS = (200, 500)
"""Rows of history: ten seasons, but not fewer and not more than these, and three seasons at least."""

_ROUND = 20


class FitError(Exception):
    """A model could not be fitted or rolled; the message is one line."""


def available() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("statsforecast") is not None


def names(data: ForecastData, season: int | None) -> tuple[str, ...]:
    """The models that these data can have, the quickest first."""
    if not has_past(data):
        return ()
    return ("AutoTheta", "AutoETS", *(("MSTL",) if season else ()), "AutoARIMA")


def forecast(name: str, data: ForecastData, season: int | None, deadline: float) -> tuple[Array, str]:
    """The forecast of the validation windows, (N, S x K), and how it was fitted, in words.

    Raises:
        OutOfTimeError: The deadline passed; one step of fitting may take longer.
        FitError: The model cannot be had on these data.
    """
    n_rows = max(LEAST_SEASONS * (season or 1), int(np.clip(SEASONS * (season or 1), *ROWS)))
    ends = data.splits.val
    offsets = np.array(data.table.target_offsets)
    found = np.empty((len(ends), len(offsets), data.target_values.shape[1]))
    groups = data.table.group_codes
    level = data.target_mean / data.target_std
    for k in range(found.shape[2]):
        values = data.table.target_values[:, k] / data.target_std[k]
        for group in np.unique(groups[ends]):
            past = values[_last_training_rows(data, groups, group, n_rows)]
            model = _fitted(name, past, season)
            for i in np.flatnonzero(groups[ends] == group):
                if i % _ROUND == 0 and time.monotonic() > deadline:
                    raise OutOfTimeError
                start = max(_segment_start(data, int(ends[i])), int(ends[i]) - n_rows + 1)
                ahead = _rolled(name, model, values[start : ends[i] + 1], int(offsets.max()))
                found[i, :, k] = ahead[offsets - 1] - level[k]
    return found.reshape(len(ends), -1), f"fitted on the last {n_rows:,} training rows"


def _fitted(name: str, past: Array, season: int | None) -> Any:
    from statsforecast import models  # the extra, and a slow import

    model = getattr(models, name)(season_length=season or 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(past)
    except Exception as error:  # whatever a model of others raises is a reference less, not a study less
        raise FitError(f"{name} cannot be fitted: {_line(error)}") from error


def _rolled(name: str, model: Any, history: Array, n_steps: int) -> Array:
    """The forecast from a history, by the parameters that were fitted."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ahead = np.asarray(model.forward(y=history, h=n_steps)["mean"], dtype=np.float64)
    except Exception as error:
        raise FitError(f"{name} cannot be rolled over {len(history):,} rows: {_line(error)}") from error
    if not np.isfinite(ahead).all():
        raise FitError(f"{name} forecasts numbers that are not finite")
    return ahead


def _last_training_rows(data: ForecastData, groups: Any, group: int, n_rows: int) -> slice:
    """The last rows of the last training range of a group.

    Raises:
        FitError: The group has none.
    """
    ranges = [rows for rows in data.splits.rows["train"] if groups[rows[0]] == group]
    if not ranges:
        raise FitError("a validation group has no training rows to fit it on")
    start, stop = ranges[-1]
    return slice(max(start, stop - n_rows), stop)


def _segment_start(data: ForecastData, row: int) -> int:
    return max(start for start, _ in data.table.segments if start <= row)


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
