"""Tier a50: 30 more, of returns, the VIX, risk ratios and distances."""

import talib

from .bars import Tier
from .indicators import (
    klinger,
    qqe,
    ratio,
    realized_volatility,
    schaff_trend_cycle,
    sharpe,
    slope,
    sortino,
    to_nearer,
)

A50: Tier = {
    **{
        f"return_{n}d": (f"close / close {n} days ago - 1", lambda p, n=n: p.close.pct_change(n))
        for n in (1, 5, 21, 63, 252)
    },
    "qqe_fast": ("QQE's line: EMA 5 of RSI 14", lambda p: qqe(p["rsi_14"])[0]),
    "qqe_slow": (
        "QQE's trailing band, 4.236 times the doubly smoothed change away from the line",
        lambda p: qqe(p["rsi_14"])[1],
    ),
    "qqe_fast_slow_spread": ("qqe_fast - qqe_slow", lambda p: p["qqe_fast"] - p["qqe_slow"]),
    "stc_value": (
        "Schaff trend cycle (23, 50, 10): the smoothed stochastic, twice, of MACD, 0 to 100",
        lambda p: schaff_trend_cycle(p.close),
    ),
    "stc_from_50": ("stc_value - 50", lambda p: p["stc_value"] - 50),
    **{
        f"vrp_{n}d": (
            f"volatility risk premium: the VIX - realised volatility of {n} days, both in percent a year",
            lambda p, n=n: p.vix - realized_volatility(p.change, n),
        )
        for n in (10, 21)
    },
    "implied_vs_realized_ratio": (
        "the VIX / realised volatility of 21 days",
        lambda p: ratio(p.vix, realized_volatility(p.change, 21)),
    ),
    **{
        f"sharpe_{n}d": (
            f"Sharpe ratio of {n} days, a year, risk-free rate 0",
            lambda p, n=n: sharpe(p.change, n),
        )
        for n in (20, 60)
    },
    **{
        f"sortino_{n}d": (
            f"Sortino ratio of {n} days, a year: mean return / root mean square of the losses",
            lambda p, n=n: sortino(p.change, n),
        )
        for n in (20, 60)
    },
    "rsi_slope": ("change a day of RSI 14 over 5 days", lambda p: slope(p["rsi_14"])),
    "rsi_extreme_dist": (
        "distance of RSI 14 to the nearer of 30 and 70",
        lambda p: to_nearer(p["rsi_14"], 30, 70),
    ),
    "price_pct_from_sma_50": ("close / SMA 50 - 1", lambda p: p.close / p["sma_50"] - 1),
    "price_pct_from_sma_200": ("close / SMA 200 - 1", lambda p: p.close / p["sma_200"] - 1),
    "sma_50_200_proximity": ("SMA 50 / SMA 200 - 1", lambda p: p["sma_50"] / p["sma_200"] - 1),
    "atr_pct": ("ATR 14 / close", lambda p: p["atr_14"] / p.close),
    "atr_pct_slope": ("change a day of atr_pct over 5 days", lambda p: slope(p["atr_pct"])),
    "bb_width": (
        "(upper - lower) / middle of the Bollinger bands",
        lambda p: (p.bands[0] - p.bands[2]) / p.bands[1],
    ),
    "overnight_gap": ("open / yesterday's close - 1", lambda p: p.open / p.close.shift(1) - 1),
    "open_to_close_pct": ("close / open - 1", lambda p: p.close / p.open - 1),
    "volume_ratio_20d": (
        "volume / its mean of 20 days",
        lambda p: ratio(p.volume, p.volume.rolling(20).mean(), 1.0),
    ),
    "kvo_signal": (
        "EMA 13 of the Klinger oscillator (EMA 34 - EMA 55 of volume, signed by the typical price's change)",
        lambda p: talib.EMA(klinger(p.typical, p.volume), 13),
    ),
    "macd_histogram": ("MACD line - its signal, EMA 9", lambda p: talib.MACD(p.close, 12, 26, 9)[2]),
}
