"""Feature tiers: technical indicators, one line each.

Row t of every indicator uses rows up to t alone; tests prove it. Formulas are the standard ones of TA-Lib
unless the line says otherwise.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import talib

Array = npt.NDArray[np.float64]
Indicator = Callable[[pd.DataFrame], Array]
"""Open, High, Low, Close and Volume, indexed by date, to one value a row (NaN while warming up)."""


def _column(frame: pd.DataFrame, name: str) -> Array:
    return frame[name].to_numpy(dtype=np.float64)


def _close(frame: pd.DataFrame) -> Array:
    return _column(frame, "Close")


def _of_close(average: Callable[[Array, int], Array], n_rows: int) -> Indicator:
    return lambda frame: average(_close(frame), n_rows)


def _high_low_close(frame: pd.DataFrame) -> tuple[Array, Array, Array]:
    return _column(frame, "High"), _column(frame, "Low"), _close(frame)


def weekly(frame: pd.DataFrame, indicator: Callable[[Array], Array]) -> Array:
    """An indicator of weekly closes, as known at each row.

    A week's value appears on the first row of the week after it: while a week runs, its close is not
    known, and the last whole week's value stands.
    """
    closes = pd.Series(_close(frame), index=frame.index)
    weeks = pd.PeriodIndex(pd.DatetimeIndex(frame.index), freq="W-FRI")
    by_week = closes.groupby(weeks).last()
    values = pd.Series(indicator(np.asarray(by_week, dtype=np.float64)), index=by_week.index).shift(1)
    return values.reindex(weeks).to_numpy(dtype=np.float64)


def _stoch_rsi(closes: Array) -> Array:
    """Where RSI 14 stands between its lowest and highest of 14 rows, 0 to 1 (Chande and Kroll 1994)."""
    rsi = pd.Series(talib.RSI(closes, 14))
    low, high = rsi.rolling(14).min(), rsi.rolling(14).max()
    span = (high - low).where(high > low)
    position = ((rsi - low) / span).where(high > low, 0.5)
    return position.where(rsi.notna() & low.notna()).to_numpy(dtype=np.float64)


def _percent_b(closes: Array) -> Array:
    """Where the close stands between the Bollinger bands (20 rows, 2 deviations): 0 lower, 1 upper."""
    upper, _, lower = talib.BBANDS(closes, 20, 2.0, 2.0)
    return np.divide(closes - lower, upper - lower, out=np.full_like(closes, 0.5), where=upper != lower)


def _vwap(frame: pd.DataFrame) -> Array:
    """Typical price (high + low + close) / 3, weighted by volume over 20 rows."""
    high, low, close = _high_low_close(frame)
    volume = pd.Series(_column(frame, "Volume"))
    money = pd.Series((high + low + close) / 3) * volume
    return (money.rolling(20).sum() / volume.rolling(20).sum()).to_numpy(dtype=np.float64)


A20: dict[str, Indicator] = {
    **{f"dema_{n}": _of_close(talib.DEMA, n) for n in (9, 10, 20, 25, 90)},
    **{f"sma_{n}": _of_close(talib.SMA, n) for n in (12, 50, 100, 200)},
    "rsi_14": lambda f: talib.RSI(_close(f), 14),
    "rsi_14_weekly": lambda f: weekly(f, lambda closes: talib.RSI(closes, 14)),
    "stoch_rsi": lambda f: _stoch_rsi(_close(f)),
    "stoch_rsi_weekly": lambda f: weekly(f, _stoch_rsi),
    "macd": lambda f: talib.MACD(_close(f), 12, 26, 9)[0],
    "obv": lambda f: talib.OBV(_close(f), _column(f, "Volume")),
    "adosc": lambda f: talib.ADOSC(*_high_low_close(f), _column(f, "Volume"), 3, 10),
    "atr_14": lambda f: talib.ATR(*_high_low_close(f), 14),
    "adx_14": lambda f: talib.ADX(*_high_low_close(f), 14),
    "bollinger_percent_b": lambda f: _percent_b(_close(f)),
    "vwap_20": _vwap,
}

TIERS: dict[str, dict[str, Indicator]] = {"a20": A20}


def compute(frame: pd.DataFrame, tier: str) -> pd.DataFrame:
    """All indicators of a tier.

    Args:
        frame: Open, High, Low, Close and Volume, indexed by date in order.
        tier: Name of the tier.

    Raises:
        ValueError: The tier is not known.
    """
    if tier not in TIERS:
        raise ValueError(f"unknown feature tier {tier!r}; valid: {', '.join(TIERS)}")
    return pd.DataFrame(
        {name: indicator(frame) for name, indicator in TIERS[tier].items()}, index=frame.index
    )

NEEDS_VIX = ("a50", "a100", "a200")
