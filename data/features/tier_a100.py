"""Tier a100: 50 more, of oscillators, risk, trends and volume."""

import math

import numpy as np
import talib

from .bars import Tier
from .indicators import (
    DAYS_A_YEAR,
    crossed,
    demarker,
    expected_shortfall,
    klinger,
    pct_slope,
    position,
    rank,
    ratio,
    realized_volatility,
    sharpe,
    since,
    slope,
    sortino,
    supertrend,
    to_nearer,
    when,
)

A100: Tier = {
    "return_1d_acceleration": ("return_1d - yesterday's", lambda p: p["return_1d"].diff()),
    "return_5d_acceleration": ("return_5d - that of 5 days ago", lambda p: p["return_5d"].diff(5)),
    "qqe_slope": ("change a day of qqe_fast over 5 days", lambda p: slope(p["qqe_fast"])),
    "qqe_extreme_dist": (
        "distance of qqe_fast to the nearer of 30 and 70",
        lambda p: to_nearer(p["qqe_fast"], 30, 70),
    ),
    "stc_slope": ("change a day of stc_value over 5 days", lambda p: slope(p["stc_value"])),
    "stc_extreme_dist": (
        "distance of stc_value to the nearer of 25 and 75",
        lambda p: to_nearer(p["stc_value"], 25, 75),
    ),
    "demarker_value": (
        "DeMarker over 14 days: rises of the high as a share of those and falls of the low, 0 to 1",
        lambda p: demarker(p.high, p.low),
    ),
    "demarker_from_half": ("demarker_value - 0.5", lambda p: p["demarker_value"] - 0.5),
    "stoch_k_14": (
        "slow stochastic %K, 0 to 100: the close in the range of 14 days, mean of 3",
        lambda p: talib.STOCH(*p.bar, 14, 3, 0, 3, 0)[0],
    ),
    "stoch_d_14": ("mean of 3 days of stoch_k_14", lambda p: talib.STOCH(*p.bar, 14, 3, 0, 3, 0)[1]),
    "stoch_extreme_dist": (
        "distance of stoch_k_14 to the nearer of 20 and 80",
        lambda p: to_nearer(p["stoch_k_14"], 20, 80),
    ),
    "cci_14": ("commodity channel index over 14 days", lambda p: talib.CCI(*p.bar, 14)),
    "mfi_14": ("money flow index over 14 days", lambda p: talib.MFI(*p.bar, p.volume, 14)),
    "williams_r_14": ("Williams %R over 14 days, -100 to 0", lambda p: talib.WILLR(*p.bar, 14)),
    "vrp_5d": (
        "the VIX - realised volatility of 5 days",
        lambda p: p.vix - realized_volatility(p.change, 5),
    ),
    "vrp_slope": ("change a day of vrp_21d over 5 days", lambda p: slope(p["vrp_21d"])),
    "sharpe_252d": ("Sharpe ratio of 252 days", lambda p: sharpe(p.change, 252)),
    "sortino_252d": ("Sortino ratio of 252 days", lambda p: sortino(p.change, 252)),
    "sharpe_slope_20d": ("change a day of sharpe_20d over 5 days", lambda p: slope(p["sharpe_20d"])),
    "sortino_slope_20d": ("change a day of sortino_20d over 5 days", lambda p: slope(p["sortino_20d"])),
    **{
        f"var_{level}": (
            f"value at risk: the loss that {level} % of the last 252 days stayed within",
            lambda p, level=level: -p.change.rolling(252).quantile(1 - level / 100),
        )
        for level in (95, 99)
    },
    "cvar_95": (
        "mean loss of the worst 5 % of the last 252 days",
        lambda p: expected_shortfall(p.change, 252, 0.05),
    ),
    "sma_9_50_proximity": (
        "SMA 9 / SMA 50 - 1",
        lambda p: talib.SMA(p.close, 9) / p["sma_50"] - 1,
    ),
    "sma_50_slope": ("change a day of SMA 50 over 5 days, as a fraction", lambda p: pct_slope(p["sma_50"])),
    "sma_200_slope": (
        "change a day of SMA 200 over 5 days, as a fraction",
        lambda p: pct_slope(p["sma_200"]),
    ),
    **{
        f"days_since_sma_{n}_cross": (
            f"days since the close crossed SMA {n}",
            lambda p, n=n: since(crossed(p.close, p[f"sma_{n}"])),
        )
        for n in (50, 200)
    },
    **{
        f"ema_{n}": (
            f"exponential moving average of the close over {n} days",
            lambda p, n=n: talib.EMA(p.close, n),
        )
        for n in (12, 26)
    },
    "atr_pct_percentile_60d": (
        "share of the last 60 days whose atr_pct was not above today's",
        lambda p: rank(p["atr_pct"], 60),
    ),
    "bb_width_percentile_60d": (
        "share of the last 60 days whose bb_width was not above today's",
        lambda p: rank(p["bb_width"], 60),
    ),
    "parkinson_volatility": (
        "Parkinson's volatility of 20 days, a year, from high and low",
        lambda p: np.sqrt(
            (np.log(p.high / p.low) ** 2).rolling(20).mean().clip(lower=0) * DAYS_A_YEAR / (4 * math.log(2))
        ),
    ),
    "garman_klass_volatility": (
        "Garman and Klass's volatility of 20 days, a year, from open, high, low and close",
        lambda p: np.sqrt(
            (0.5 * np.log(p.high / p.low) ** 2 - (2 * math.log(2) - 1) * np.log(p.close / p.open) ** 2)
            .rolling(20)
            .mean()
            .clip(lower=0)
            * DAYS_A_YEAR
        ),
    ),
    "vol_of_vol": (
        "standard deviation over 20 days of the realised volatility of 20 days",
        lambda p: realized_volatility(p.change, 20).rolling(20).std(),
    ),
    "adx_slope": ("change a day of ADX 14 over 5 days", lambda p: slope(p["adx_14"])),
    "di_spread": (
        "+DI - -DI over 14 days",
        lambda p: talib.PLUS_DI(*p.bar, 14) - talib.MINUS_DI(*p.bar, 14),
    ),
    "aroon_oscillator": ("Aroon up - down over 14 days", lambda p: talib.AROONOSC(p.high, p.low, 14)),
    "price_pct_from_supertrend": (
        "close / Supertrend (10, 3) - 1",
        lambda p: p.close / supertrend(*p.bar) - 1,
    ),
    "supertrend_direction": (
        "1 where the close is above Supertrend (10, 3), -1 below",
        lambda p: np.sign(p["price_pct_from_supertrend"]),
    ),
    "obv_slope": (
        "change a day of OBV over 5 days, in mean volumes of 20 days",
        lambda p: ratio(slope(p["obv"]), p.volume.rolling(20).mean()),
    ),
    "volume_price_trend": (
        "sum from the first row of volume times the day's return",
        lambda p: (p.volume * p.change).fillna(0.0).cumsum(),
    ),
    "kvo_histogram": (
        "Klinger oscillator - its signal",
        lambda p: klinger(p.typical, p.volume) - p["kvo_signal"],
    ),
    "accumulation_dist": ("accumulation/distribution line", lambda p: talib.AD(*p.bar, p.volume)),
    "expectancy_20d": (
        "share of wins times mean win less share of losses times mean loss, over 20 days: the mean return",
        lambda p: p.change.rolling(20).mean(),
    ),
    "win_rate_20d": (
        "share of the last 20 days that rose",
        lambda p: when(p.change > 0, p.change).rolling(20).mean(),
    ),
    "buying_pressure_ratio": (
        "sum over 14 days of close - true low, as a share of the sum of true ranges",
        lambda p: ratio(
            (p.close - np.minimum(p.low, p.close.shift(1))).rolling(14).sum(),
            talib.TRANGE(*p.bar).rolling(14).sum(),
            0.5,
        ),
    ),
    "fib_range_position": (
        "where the close stands between the lowest low and highest high of 50 days, 0 to 1",
        lambda p: position(p.close, p.low.rolling(50).min(), p.high.rolling(50).max()),
    ),
    "prior_high_20d_dist": (
        "close / highest high of the 20 days before - 1",
        lambda p: p.close / p.high.rolling(20).max().shift(1) - 1,
    ),
    "prior_low_20d_dist": (
        "close / lowest low of the 20 days before - 1",
        lambda p: p.close / p.low.rolling(20).min().shift(1) - 1,
    ),
}
