"""Patterns of bars that tier a200 is made of: each row uses rows up to itself alone."""

import numpy as np
import pandas as pd
import talib

from .bars import Bars
from .indicators import when

YEAR = 252
"""Trading days."""


def middle(p: Bars, n: int) -> pd.Series:
    """Middle of the highest high and lowest low of n days."""
    return (p.high.rolling(n).max() + p.low.rolling(n).min()) / 2


def days_since_extreme(p: Bars, extreme: pd.Series, index: pd.Series) -> pd.Series:
    """Rows since an extreme of a year; NaN until a whole year is known."""
    return p.series(np.arange(len(index)) - index.to_numpy()).where(extreme.rolling(YEAR).count() == YEAR)


def squeeze(p: Bars) -> pd.Series:
    """Bollinger bands inside the Keltner channel of 1.5 ATR 20 around SMA 20."""
    upper, middle, lower = p.bands
    width = 1.5 * talib.ATR(*p.bar, 20)
    return when((upper < middle + width) & (lower > middle - width), upper, width)


def divergence(p: Bars, other: pd.Series, n: int = 14) -> pd.Series:
    """The direction of a line over n rows where the close went the other way, else 0."""
    price, line = p.close.diff(n).apply(np.sign), other.diff(n).apply(np.sign)
    return line.where(price * line < 0, 0.0).where(line.notna() & price.notna())


def body(p: Bars) -> pd.Series:
    """Distance from open to close."""
    return (p.close - p.open).abs()
