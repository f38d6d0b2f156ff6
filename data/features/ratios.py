"""What prices tell whatever their level: ranges, returns and volatilities as ratios, in logarithms.

Of any table with high, low and close. A row uses rows up to itself alone, of its own group.

Legend: T rows, F features.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..base import Table
from ..splits import group_rows

LEAST = 1e-4
"""Ranges and volatilities below a ten-thousandth of the price count as so much."""

Bars = tuple[pd.Series, pd.Series, pd.Series, pd.Series]
"""High, low, close and the close of the row before."""


def _range(bars: Bars) -> pd.Series:
    """True range: from the higher of high and last close to the lower of low and last close."""
    high, low, _, before = bars
    return high.clip(lower=before) - low.clip(upper=before)


def _span(bars: Bars, n: int) -> pd.Series:
    high, low, *_ = bars
    return high.rolling(n, min_periods=1).max() - low.rolling(n, min_periods=1).min()


def _log(ratio: pd.Series) -> pd.Series:
    return pd.Series(np.log(ratio.clip(lower=LEAST)))


def _change(bars: Bars, n: int) -> pd.Series:
    return pd.Series(np.log(bars[2])).diff(n).fillna(0.0)


RATIOS: dict[str, Callable[[Bars], pd.Series]] = {
    "average true range / close": lambda b: _log(_range(b).ewm(alpha=1 / 14).mean() / b[2]),
    "range of 5 rows / close": lambda b: _log(_span(b, 5) / b[2]),
    "true range / close": lambda b: _log(_range(b) / b[2]),
    "return of 1 row": lambda b: _change(b, 1),
    "return of 5 rows": lambda b: _change(b, 5),
    "return of 20 rows": lambda b: _change(b, 20),
    "volatility of 5 rows": lambda b: _log(_change(b, 1).rolling(5, min_periods=1).std().fillna(0.0)),
    "volatility of 20 rows": lambda b: _log(_change(b, 1).rolling(20, min_periods=1).std().fillna(0.0)),
    "volatility of 60 rows": lambda b: _log(_change(b, 1).rolling(60, min_periods=1).std().fillna(0.0)),
    "place in the range": lambda b: ((b[2] - b[1]) / (b[0] - b[1])).where(b[0] > b[1], 0.5),
    "below the highest of 60 rows": lambda b: _log(b[2] / b[2].rolling(60, min_periods=1).max()),
}
"""The first two, the average true range and the range of five rows, tell most of how far prices go next."""


def price_ratios(table: Table) -> npt.NDArray[np.float64] | None:
    """The ratios of each row, (T, F); None where there are no prices."""
    names = [name.lower() for name in table.channel_names]
    if not {"high", "low", "close"} <= set(names):
        return None
    high, low, close = (table.features[:, names.index(name)] for name in ("high", "low", "close"))
    if (low <= 0).any() or (high < low).any() or (close <= 0).any():
        return None
    parts = []
    for start, stop in group_rows(table):
        bars = [pd.Series(values[start:stop]) for values in (high, low, close)]
        before = bars[2].shift(1).fillna(bars[2])
        ratios = [ratio((bars[0], bars[1], bars[2], before)) for ratio in RATIOS.values()]
        parts.append(np.column_stack(ratios))
    return np.concatenate(parts)
