"""Daily bars, and the features computed from them, each once.

A feature is one expression over the bars and over features named before it.
"""

from collections.abc import Callable, Mapping
from functools import cached_property

import pandas as pd
import talib


class Bars:
    """Open, High, Low, Close, Volume and perhaps the VIX by day, and their features by name."""

    def __init__(self, frame: pd.DataFrame, features: "Mapping[str, Feature]"):
        self._features = features
        self._done: dict[str, pd.Series] = {}
        self._frame = frame
        self.open, self.high, self.low = frame["Open"], frame["High"], frame["Low"]
        self.close, self.volume = frame["Close"], frame["Volume"]

    def __getitem__(self, name: str) -> pd.Series:
        if name not in self._done:
            self._done[name] = self._features[name][1](self)
        return self._done[name]

    @property
    def vix(self) -> pd.Series:
        """Close of the VIX.

        Raises:
            ValueError: It is not there.
        """
        if "VIX" not in self._frame:
            raise ValueError("this feature tier needs the VIX, which these data have not")
        return self._frame["VIX"]

    @property
    def bar(self) -> tuple[pd.Series, pd.Series, pd.Series]:
        """High, low and close, as TA-Lib takes them."""
        return self.high, self.low, self.close

    @property
    def dates(self) -> pd.DatetimeIndex:
        """The days."""
        return pd.DatetimeIndex(self.close.index)

    @cached_property
    def typical(self) -> pd.Series:
        """(high + low + close) / 3."""
        return (self.high + self.low + self.close) / 3

    @cached_property
    def change(self) -> pd.Series:
        """The day's return: close / yesterday's close - 1."""
        return self.close.pct_change()

    @cached_property
    def range(self) -> pd.Series:
        """High - low."""
        return self.high - self.low

    @cached_property
    def bands(self) -> tuple[pd.Series, pd.Series, pd.Series]:
        """Upper, middle and lower Bollinger band: 2 deviations over 20 days."""
        upper, middle, lower = talib.BBANDS(self.close, 20, 2.0, 2.0)
        return upper, middle, lower

    def series(self, values: object) -> pd.Series:
        """Values as a series by day."""
        return pd.Series(values, index=self.close.index, dtype="float64")


Feature = tuple[str, Callable[..., pd.Series]]
"""What it is, in one line, and the expression over :class:`Bars`."""

Tier = dict[str, Feature]
