"""Tier a200: 106 more, of averages, counted days, the calendar, candles, clouds, divergences and regimes."""

import numpy as np
import pandas as pd
import talib

from .bars import Bars, Tier
from .indicators import (
    bucket,
    crossed,
    hull,
    permutation_entropy,
    position,
    rank,
    ratio,
    realized_volatility,
    since,
    slope,
    streak,
    weighted_mean,
    when,
    z_score,
)
from .patterns import YEAR, body, days_since_extreme, divergence, middle, squeeze

_AVERAGES = {
    "tema": ("triple exponential moving average", talib.TEMA, (9, 20, 50, 100)),
    "wma": ("linearly weighted moving average", talib.WMA, (10, 20, 50, 200)),
    "kama": ("Kaufman's adaptive moving average", talib.KAMA, (10, 20, 50)),
    "hma": ("Hull moving average: WMA over sqrt(n) of 2 WMA(n / 2) - WMA(n)", hull, (9, 21, 50)),
}
_LINES: Tier = {
    "sma_9": ("SMA 9", lambda p: talib.SMA(p.close, 9)),
    "sma_50": ("SMA 50", lambda p: p["sma_50"]),
    "sma_200": ("SMA 200", lambda p: p["sma_200"]),
    "tema_20": ("TEMA 20", lambda p: p["tema_20"]),
    "kama_20": ("KAMA 20", lambda p: p["kama_20"]),
    "vwma_20": ("VWMA 20", lambda p: p["vwma_20"]),
}
_CROSSES = {
    "sma_9_50": ("sma_9", "sma_50"),
    "sma_50_200": ("sma_50", "sma_200"),
    "tema_sma_50": ("tema_20", "sma_50"),
    "kama_sma_50": ("kama_20", "sma_50"),
    "sma_9_200": ("sma_9", "sma_200"),
}
_PROXIMITIES = {
    "tema_20_sma_50": ("tema_20", "sma_50"),
    "kama_20_sma_50": ("kama_20", "sma_50"),
    "sma_9_200": ("sma_9", "sma_200"),
}


def _line(p: Bars, name: str) -> pd.Series:
    return _LINES[name][1](p)


A200: Tier = {
    **{
        f"{name}_{n}": (f"{words} of the close over {n} days", lambda p, f=function, n=n: f(p.close, n))
        for name, (words, function, lengths) in _AVERAGES.items()
        for n in lengths
    },
    **{
        f"vwma_{n}": (
            f"mean of the close over {n} days, weighted by volume",
            lambda p, n=n: weighted_mean(p.close, p.volume, n),
        )
        for n in (10, 20, 50)
    },
    "tema_20_slope": (
        "change a day of TEMA 20 over 5 days, as a fraction of the close",
        lambda p: slope(p["tema_20"]) / p.close,
    ),
    "price_pct_from_tema_50": ("close / TEMA 50 - 1", lambda p: p.close / p["tema_50"] - 1),
    "price_pct_from_kama_20": ("close / KAMA 20 - 1", lambda p: p.close / p["kama_20"] - 1),
    **{
        f"days_{side}_{name}": (
            f"days in a row with the close {side} {words}",
            lambda p, line=line, sign=sign: streak(when((p.close - line(p)) * sign > 0, line(p))),
        )
        for name, (words, line) in _LINES.items()
        for side, sign in (("above", 1), ("below", -1))
    },
    **{
        f"days_since_{name}_cross": (
            f"days since {_LINES[a][0]} crossed {_LINES[b][0]}",
            lambda p, a=a, b=b: since(crossed(_line(p, a), _line(p, b))),
        )
        for name, (a, b) in _CROSSES.items()
    },
    **{
        f"{name}_proximity": (
            f"{_LINES[a][0]} / {_LINES[b][0]} - 1",
            lambda p, a=a, b=b: _line(p, a) / _line(p, b) - 1,
        )
        for name, (a, b) in _PROXIMITIES.items()
    },
    "pct_from_upper_band": ("close / upper Bollinger band - 1", lambda p: p.close / p.bands[0] - 1),
    "pct_from_lower_band": ("close / lower Bollinger band - 1", lambda p: p.close / p.bands[2] - 1),
    "days_above_upper_band": (
        "days in a row with the close above the upper band",
        lambda p: streak(when(p.close > p.bands[0], p.bands[0])),
    ),
    "days_below_lower_band": (
        "days in a row with the close below the lower band",
        lambda p: streak(when(p.close < p.bands[2], p.bands[2])),
    ),
    "bb_squeeze_indicator": (
        "1 where the Bollinger bands lie inside the Keltner channel (SMA 20 and 1.5 ATR 20)",
        squeeze,
    ),
    "bb_squeeze_duration": (
        "days in a row of bb_squeeze_indicator",
        lambda p: streak(p["bb_squeeze_indicator"]),
    ),
    "rsi_distance_from_50": ("RSI 14 - 50", lambda p: p["rsi_14"] - 50),
    "days_rsi_overbought": (
        "days in a row with RSI 14 above 70",
        lambda p: streak(when(p["rsi_14"] > 70, p["rsi_14"])),
    ),
    "days_rsi_oversold": (
        "days in a row with RSI 14 below 30",
        lambda p: streak(when(p["rsi_14"] < 30, p["rsi_14"])),
    ),
    "rsi_percentile_60d": (
        "share of the last 60 days whose RSI 14 was not above today's",
        lambda p: rank(p["rsi_14"], 60),
    ),
    **{
        f"zscore_from_{n}d_mean": (
            f"deviations of the close from its mean of {n} days",
            lambda p, n=n: z_score(p.close, n),
        )
        for n in (20, 50)
    },
    "percentile_in_52wk_range": (
        "where the close stands between the lowest low and highest high of 252 days, 0 to 1",
        lambda p: position(p.close, p.low.rolling(YEAR).min(), p.high.rolling(YEAR).max()),
    ),
    "distance_from_52wk_high_pct": (
        "close / highest high of 252 days - 1",
        lambda p: p.close / p.high.rolling(YEAR).max() - 1,
    ),
    "days_since_52wk_high": (
        "days since the highest high of 252 days",
        lambda p: days_since_extreme(p, p.high, talib.MAXINDEX(p.high, YEAR)),
    ),
    "days_since_52wk_low": (
        "days since the lowest low of 252 days",
        lambda p: days_since_extreme(p, p.low, talib.MININDEX(p.low, YEAR)),
    ),
    "consecutive_up_days": ("days in a row that rose", lambda p: streak(when(p.change > 0, p.change))),
    "consecutive_down_days": ("days in a row that fell", lambda p: streak(when(p.change < 0, p.change))),
    "up_days_ratio_20d": (
        "days that rose / days that fell, of the last 20; each count with one added",
        lambda p: (
            (1 + when(p.change > 0, p.change).rolling(20).sum())
            / (1 + when(p.change < 0, p.change).rolling(20).sum())
        ),
    ),
    "range_compression_5d": (
        "mean of high - low of 5 days / that of 20 days",
        lambda p: ratio(p.range.rolling(5).mean(), p.range.rolling(20).mean(), 1.0),
    ),
    "macd_signal": ("EMA 9 of the MACD line", lambda p: talib.MACD(p.close, 12, 26, 9)[1]),
    "macd_histogram_slope": (
        "change a day of macd_histogram over 5 days",
        lambda p: slope(p["macd_histogram"]),
    ),
    "days_since_macd_cross_signal": (
        "days since the MACD line crossed its signal",
        lambda p: since(crossed(p["macd"], p["macd_signal"])),
    ),
    "macd_signal_proximity": (
        "(MACD line - signal) / close",
        lambda p: (p["macd"] - p["macd_signal"]) / p.close,
    ),
    "volume_trend_5d": (
        "mean volume of 5 days / that of the 5 days before - 1",
        lambda p: ratio(p.volume.rolling(5).mean(), p.volume.rolling(5).mean().shift(5), 1.0) - 1,
    ),
    "consecutive_volume_increase": (
        "days in a row whose volume rose",
        lambda p: streak(when(p.volume.diff() > 0, p.volume.diff())),
    ),
    "volume_price_confluence": (
        "sign of the day's return times (volume_ratio_20d - 1)",
        lambda p: np.sign(p.change) * (p["volume_ratio_20d"] - 1),
    ),
    "high_volume_direction_bias": (
        "mean sign of the returns of those of the last 20 days with volume above its mean of 20; 0 if none",
        lambda p: ratio(
            (np.sign(p.change) * (p["volume_ratio_20d"] > 1))
            .where(p["volume_ratio_20d"].notna())
            .rolling(20)
            .sum(),
            when(p["volume_ratio_20d"] > 1, p["volume_ratio_20d"]).rolling(20).sum(),
        ),
    ),
    "trading_day_of_week": ("0 Monday to 4 Friday", lambda p: p.series(p.dates.day_of_week)),
    "is_monday": ("1 on Mondays", lambda p: p.series(p.dates.day_of_week == 0)),
    "is_friday": ("1 on Fridays", lambda p: p.series(p.dates.day_of_week == 4)),
    "days_to_month_end": (
        "calendar days to the month's last",
        lambda p: p.series(p.dates.days_in_month - p.dates.day),
    ),
    "month_of_year": ("1 January to 12 December", lambda p: p.series(p.dates.month)),
    "is_quarter_end_month": (
        "1 in March, June, September and December",
        lambda p: p.series(p.dates.month % 3 == 0),
    ),
    "candle_body_pct": ("|close - open| / close", lambda p: body(p) / p.close),
    "body_to_range_ratio": ("|close - open| / (high - low)", lambda p: ratio(body(p), p.range)),
    "upper_wick_pct": (
        "(high - the higher of open and close) / close",
        lambda p: (p.high - np.maximum(p.open, p.close)) / p.close,
    ),
    "lower_wick_pct": (
        "(the lower of open and close - low) / close",
        lambda p: (np.minimum(p.open, p.close) - p.low) / p.close,
    ),
    "doji_indicator": (
        "1 where the body is at most a tenth of the day's range",
        lambda p: when(p["body_to_range_ratio"] <= 0.1, p["body_to_range_ratio"]),
    ),
    "range_vs_avg_range": (
        "(high - low) / its mean of 20 days",
        lambda p: ratio(p.range, p.range.rolling(20).mean(), 1.0),
    ),
    "tenkan_sen": ("middle of the range of 9 days (Ichimoku)", lambda p: middle(p, 9)),
    "kijun_sen": ("middle of the range of 26 days", lambda p: middle(p, 26)),
    "senkou_span_a": (
        "mean of tenkan_sen and kijun_sen, of 26 days ago: the cloud as it stands today",
        lambda p: ((p["tenkan_sen"] + p["kijun_sen"]) / 2).shift(26),
    ),
    "senkou_span_b": ("middle of the range of 52 days, of 26 days ago", lambda p: middle(p, 52).shift(26)),
    "price_vs_cloud": (
        "1 where the close is above both spans, -1 below both, 0 between",
        lambda p: (np.sign(p.close - p["senkou_span_a"]) + np.sign(p.close - p["senkou_span_b"])) / 2,
    ),
    "cloud_thickness_pct": (
        "|senkou_span_a - senkou_span_b| / close",
        lambda p: (p["senkou_span_a"] - p["senkou_span_b"]).abs() / p.close,
    ),
    "donchian_upper_20": ("highest high of 20 days", lambda p: p.high.rolling(20).max()),
    "donchian_lower_20": ("lowest low of 20 days", lambda p: p.low.rolling(20).min()),
    "donchian_position": (
        "where the close stands between them, 0 to 1",
        lambda p: position(p.close, p["donchian_lower_20"], p["donchian_upper_20"]),
    ),
    "donchian_width_pct": (
        "their distance / close",
        lambda p: (p["donchian_upper_20"] - p["donchian_lower_20"]) / p.close,
    ),
    "pct_to_donchian_breakout": (
        "donchian_upper_20 / close - 1",
        lambda p: p["donchian_upper_20"] / p.close - 1,
    ),
    "price_rsi_divergence": (
        "1 where RSI 14 rose over 14 days while the close fell, -1 the other way round, else 0",
        lambda p: divergence(p, p["rsi_14"]),
    ),
    "price_obv_divergence": ("the same with OBV", lambda p: divergence(p, p["obv"])),
    "divergence_streak": (
        "days in a row with a price_rsi_divergence",
        lambda p: streak(when(p["price_rsi_divergence"] != 0, p["price_rsi_divergence"])),
    ),
    "divergence_magnitude": (
        "deviations of RSI 14 from its mean of 20 days - those of the close",
        lambda p: z_score(p["rsi_14"], 20) - z_score(p.close, 20),
    ),
    **{
        f"permutation_entropy_order{order}": (
            f"entropy of the order patterns of {order} closes in 60 days, 0 to 1 (Bandt and Pompe)",
            lambda p, order=order: permutation_entropy(p.close, order),
        )
        for order in (3, 4, 5)
    },
    "entropy_trend_5d": (
        "change a day of permutation_entropy_order3 over 5 days",
        lambda p: slope(p["permutation_entropy_order3"]),
    ),
    "atr_regime_pct_60d": (
        "where atr_pct stands between its lowest and highest of 60 days, 0 to 1",
        lambda p: position(p["atr_pct"], p["atr_pct"].rolling(60).min(), p["atr_pct"].rolling(60).max()),
    ),
    "atr_regime_rolling_q": (
        "which quarter of its last 252 days atr_pct is in, 0 to 3",
        lambda p: bucket(p["atr_pct"], YEAR, 4),
    ),
    "trend_strength_pct_60d": (
        "share of the last 60 days whose ADX 14 was not above today's",
        lambda p: rank(p["adx_14"], 60),
    ),
    "trend_strength_rolling_q": (
        "which quarter of its last 252 days ADX 14 is in, 0 to 3",
        lambda p: bucket(p["adx_14"], YEAR, 4),
    ),
    "vol_regime_state": (
        "which third of its last 252 days the realised volatility of 20 days is in: 0 calm, 1 usual, 2 wild",
        lambda p: bucket(realized_volatility(p.change, 20), YEAR, 3),
    ),
    "regime_consistency": (
        "share of the last 20 days in today's vol_regime_state",
        lambda p: (
            p["vol_regime_state"].rolling(20).apply(lambda window: (window == window[-1]).mean(), raw=True)
        ),
    ),
    "regime_transition_prob": (
        "share of the last 60 days on which vol_regime_state changed",
        lambda p: when(p["vol_regime_state"].diff() != 0, p["vol_regime_state"].diff()).rolling(60).mean(),
    ),
}
