"""The season of a series: the lag at which it repeats itself best.

Legend: T rows.
"""

import numpy as np
import numpy.typing as npt

from .scaling import ROUNDING

USUAL = {
    "minute": (60, 1440),
    "15 minutes": (96, 672),
    "30 minutes": (48, 336),
    "hour": (24, 168),
    "day": (7, 365),
    "business day": (5,),
    "week": (52,),
    "month": (12,),
    "quarter": (4,),
}
"""Rows in a season, by frequency."""

MAX_LAG = 512
LEAST_CORRELATION = 0.2
NEAR_BEST = 0.1
MIN_SEASONS = 3

LEAST_POWER = 1e-12
"""What is left beside a straight trend is rounding, if its share of the power is smaller."""


def seasonal_period(values: npt.NDArray[np.float64], frequency: str) -> int | None:
    """Find the season in training values.

    The usual seasons of the frequency are tried; where the frequency has none, every lag up to 512 that
    stands out as a peak. A season must come three times and correlate by 0.2 at least, once a straight trend
    is taken away. The values' unit and offset do not matter.

    Args:
        values: Shape (T,), training rows alone.
        frequency: Such as "hour".

    Returns:
        Rows in a season, or None where nothing repeats.
    """
    n_rows = len(values)
    longest = n_rows // MIN_SEASONS
    candidates = [lag for lag in USUAL.get(frequency, range(2, MAX_LAG + 1)) if lag <= longest]
    if not candidates:
        return None
    detrended = _detrended(values)
    if detrended is None:
        return None
    power = float(detrended @ detrended)
    limit = max(candidates) + 2
    spectrum = np.fft.rfft(detrended, 2 * n_rows)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: limit + 1] / power
    # A sum over fewer pairs is smaller by that alone.
    correlation *= n_rows / (n_rows - np.arange(len(correlation)))
    if frequency not in USUAL:
        candidates = [
            lag
            for lag in candidates
            if correlation[lag] > correlation[lag - 1] and correlation[lag] >= correlation[lag + 1]
        ]
    strong = [lag for lag in candidates if correlation[lag] >= LEAST_CORRELATION]
    if not strong:
        return None
    # A multiple of the season repeats as well as the season: of the lags near the best, the shortest; noise
    # makes small peaks beside it, so of its neighbours the highest.
    best = max(correlation[lag] for lag in strong)
    shortest = min(lag for lag in strong if correlation[lag] >= best - NEAR_BEST)
    return max((lag for lag in strong if shortest <= lag < 1.5 * shortest), key=lambda lag: correlation[lag])


def _detrended(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Values beside their straight trend, in standard deviations; None if that is rounding alone."""
    std = float(values.std())
    if std <= ROUNDING * abs(float(values.mean())):
        return None
    standard = (values - values.mean()) / std
    rows = np.linspace(-1.0, 1.0, len(values))
    detrended = standard - (rows @ standard) / (rows @ rows) * rows
    return detrended if float(detrended @ detrended) > LEAST_POWER * len(values) else None
