"""Tier a20: the twenty indicators that need prices and volume alone."""

import talib

from .bars import Tier
from .indicators import position, stochastic, weekly, weighted_mean

A20: Tier = {
    **{
        f"dema_{n}": (
            f"double exponential moving average of the close over {n} days: 2 EMA - EMA of the EMA",
            lambda p, n=n: talib.DEMA(p.close, n),
        )
        for n in (9, 10, 20, 25, 90)
    },
    **{
        f"sma_{n}": (
            f"simple moving average of the close over {n} days",
            lambda p, n=n: talib.SMA(p.close, n),
        )
        for n in (12, 50, 100, 200)
    },
    "rsi_14": (
        "relative strength index of the close, Wilder's smoothing over 14 days",
        lambda p: talib.RSI(p.close, 14),
    ),
    "rsi_14_weekly": (
        "the same over the closes of whole weeks (to Friday); a week counts from the first day of the next",
        lambda p: weekly(p.close, lambda close: talib.RSI(close, 14)),
    ),
    "stoch_rsi": (
        "where RSI 14 stands between its lowest and highest of 14 days, 0 to 1; 0.5 where it did not move",
        lambda p: stochastic(talib.RSI(p.close, 14), 14),
    ),
    "stoch_rsi_weekly": (
        "the same over the closes of whole weeks",
        lambda p: weekly(p.close, lambda close: stochastic(talib.RSI(close, 14), 14)),
    ),
    "macd": ("MACD line: EMA 12 - EMA 26 of the close", lambda p: talib.MACD(p.close, 12, 26, 9)[0]),
    "obv": (
        "on-balance volume: volume added on rises, subtracted on falls, from the first row",
        lambda p: talib.OBV(p.close, p.volume),
    ),
    "adosc": (
        "Chaikin oscillator: EMA 3 - EMA 10 of the accumulation/distribution line",
        lambda p: talib.ADOSC(*p.bar, p.volume, 3, 10),
    ),
    "atr_14": ("average true range, Wilder's smoothing over 14 days", lambda p: talib.ATR(*p.bar, 14)),
    "adx_14": ("average directional index over 14 days", lambda p: talib.ADX(*p.bar, 14)),
    "bollinger_percent_b": (
        "(close - lower band) / (upper - lower), Bollinger bands at 2 deviations over 20 days",
        lambda p: position(p.close, p.bands[2], p.bands[0]),
    ),
    "vwap_20": (
        "typical price (high + low + close) / 3 weighted by volume over 20 days",
        lambda p: weighted_mean(p.typical, p.volume, 20),
    ),
}
