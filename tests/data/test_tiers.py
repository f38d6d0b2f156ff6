"""The tiers a50 to a200 on SPY: names, causality, no gaps, and values computed by hand."""

import math
from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo.data.base import DataRequest
from hpo.data.features import TIERS, compute, page
from hpo.data.sets import etf

ROWS = (400, 2345, 7000)
WARM_UP = 331

NAMES = {
    "a50": """
        return_1d return_5d return_21d return_63d return_252d qqe_fast qqe_slow qqe_fast_slow_spread
        stc_value stc_from_50 vrp_10d vrp_21d implied_vs_realized_ratio sharpe_20d sharpe_60d
        sortino_20d sortino_60d rsi_slope rsi_extreme_dist price_pct_from_sma_50
        price_pct_from_sma_200 sma_50_200_proximity atr_pct atr_pct_slope bb_width overnight_gap
        open_to_close_pct volume_ratio_20d kvo_signal macd_histogram
    """,
    "a100": """
        return_1d_acceleration return_5d_acceleration qqe_slope qqe_extreme_dist stc_slope
        stc_extreme_dist demarker_value demarker_from_half stoch_k_14 stoch_d_14 stoch_extreme_dist
        cci_14 mfi_14 williams_r_14 vrp_5d vrp_slope sharpe_252d sortino_252d sharpe_slope_20d
        sortino_slope_20d var_95 var_99 cvar_95 sma_9_50_proximity sma_50_slope sma_200_slope
        days_since_sma_50_cross days_since_sma_200_cross ema_12 ema_26 atr_pct_percentile_60d
        bb_width_percentile_60d parkinson_volatility garman_klass_volatility vol_of_vol adx_slope
        di_spread aroon_oscillator price_pct_from_supertrend supertrend_direction obv_slope
        volume_price_trend kvo_histogram accumulation_dist expectancy_20d win_rate_20d
        buying_pressure_ratio fib_range_position prior_high_20d_dist prior_low_20d_dist
    """,
    "a200": """
        tema_9 tema_20 tema_50 tema_100 wma_10 wma_20 wma_50 wma_200 kama_10 kama_20 kama_50 hma_9
        hma_21 hma_50 vwma_10 vwma_20 vwma_50 tema_20_slope price_pct_from_tema_50
        price_pct_from_kama_20 days_above_sma_9 days_below_sma_9 days_above_sma_50 days_below_sma_50
        days_above_sma_200 days_below_sma_200 days_above_tema_20 days_below_tema_20
        days_above_kama_20 days_below_kama_20 days_above_vwma_20 days_below_vwma_20
        days_since_sma_9_50_cross days_since_sma_50_200_cross days_since_tema_sma_50_cross
        days_since_kama_sma_50_cross days_since_sma_9_200_cross tema_20_sma_50_proximity
        kama_20_sma_50_proximity sma_9_200_proximity pct_from_upper_band pct_from_lower_band
        days_above_upper_band days_below_lower_band bb_squeeze_indicator bb_squeeze_duration
        rsi_distance_from_50 days_rsi_overbought days_rsi_oversold rsi_percentile_60d
        zscore_from_20d_mean zscore_from_50d_mean percentile_in_52wk_range
        distance_from_52wk_high_pct days_since_52wk_high days_since_52wk_low consecutive_up_days
        consecutive_down_days up_days_ratio_20d range_compression_5d macd_signal
        macd_histogram_slope days_since_macd_cross_signal macd_signal_proximity volume_trend_5d
        consecutive_volume_increase volume_price_confluence high_volume_direction_bias
        trading_day_of_week is_monday is_friday days_to_month_end month_of_year is_quarter_end_month
        candle_body_pct body_to_range_ratio upper_wick_pct lower_wick_pct doji_indicator
        range_vs_avg_range tenkan_sen kijun_sen senkou_span_a senkou_span_b price_vs_cloud
        cloud_thickness_pct donchian_upper_20 donchian_lower_20 donchian_position donchian_width_pct
        pct_to_donchian_breakout price_rsi_divergence price_obv_divergence divergence_streak
        divergence_magnitude permutation_entropy_order3 permutation_entropy_order4
        permutation_entropy_order5 entropy_trend_5d atr_regime_pct_60d atr_regime_rolling_q
        trend_strength_pct_60d trend_strength_rolling_q vol_regime_state regime_consistency
        regime_transition_prob
    """,
}


@pytest.fixture(scope="module")
def prices(data_dir):
    return etf.prices("SPY")[0].join(etf.vix()[0].rename("VIX"), how="inner")


@pytest.fixture(scope="module")
def all_features(prices):
    return compute(prices, "a200")


@pytest.mark.parametrize(("tier", "total"), [("a50", 50), ("a100", 100), ("a200", 206)])
def test_a_tier_adds_its_names_to_the_one_before(tier, total):
    before = list(TIERS)[list(TIERS).index(tier) - 1]
    assert list(TIERS[tier]) == [*TIERS[before], *NAMES[tier].split()]
    assert len(TIERS[tier]) == total


@pytest.mark.parametrize("n_rows", [500, 1501, 4444])
@pytest.mark.parametrize("tier", TIERS)
def test_no_row_sees_a_later_one(prices, all_features, tier, n_rows):
    """Cut after any row, or change all that comes after: what stands before stays, to the bit."""
    expected = all_features[list(TIERS[tier])].iloc[:n_rows]
    pd.testing.assert_frame_equal(compute(prices.iloc[:n_rows], tier), expected, check_exact=True)
    changed = prices.copy()
    changed.iloc[n_rows:] *= np.random.default_rng(0).uniform(0.5, 2.0, changed.iloc[n_rows:].shape)
    other = compute(changed, tier)
    pd.testing.assert_frame_equal(other.iloc[:n_rows], expected, check_exact=True)


def test_spy_has_no_gap_after_the_warm_up(prices, all_features):
    rest = all_features.iloc[WARM_UP:]
    assert int(rest.isna().sum().sum()) == 0
    assert np.isfinite(rest.to_numpy()).all()
    assert len(rest) == 7301 - WARM_UP
    assert all_features.iloc[WARM_UP - 1].isna().any(), "the warm-up is no longer than it must be"
    assert (rest.nunique() > 1).all(), "no feature is constant"


@pytest.mark.parametrize("symbol", ["QQQ", "DIA"])
def test_the_other_funds_have_none_either(data_dir, symbol):
    frame = etf.prices(symbol)[0].join(etf.vix()[0].rename("VIX"), how="inner")
    assert np.isfinite(compute(frame, "a200").iloc[WARM_UP:].to_numpy()).all()


def test_the_page_is_made_from_the_table():
    docs = Path(__file__).parents[2] / "docs" / "features.md"
    assert docs.read_text() == page(), "run: python tests/data/test_tiers.py"
    for tier in TIERS.values():
        assert all(words and "\n" not in words for words, _ in tier.values())


def test_without_the_vix(prices):
    with pytest.raises(ValueError, match="needs the VIX"):
        compute(prices.drop(columns="VIX"), "a50")


@pytest.mark.parametrize("t", ROWS)
def test_returns_and_risk(prices, all_features, t):
    close = prices["Close"].to_numpy()
    daily = close[1:] / close[:-1] - 1
    row = all_features.iloc[t]

    def last(n):  # daily[i] is the return of row i + 1
        return daily[t - n : t]

    for n in (1, 5, 21, 63, 252):
        assert row[f"return_{n}d"] == pytest.approx(close[t] / close[t - n] - 1)
    year = math.sqrt(252)
    for n in (20, 60, 252):
        assert row[f"sharpe_{n}d"] == pytest.approx(year * last(n).mean() / last(n).std(ddof=1))
        losses = math.sqrt((np.minimum(last(n), 0) ** 2).mean())
        assert row[f"sortino_{n}d"] == pytest.approx(year * last(n).mean() / losses)
    for n in (5, 10, 21):
        realized = last(n).std(ddof=1) * year * 100
        assert row[f"vrp_{n}d"] == pytest.approx(prices["VIX"].iloc[t] - realized)
    assert row["implied_vs_realized_ratio"] == pytest.approx(prices["VIX"].iloc[t] / realized)
    worst = np.sort(last(252))
    assert row["var_95"] == pytest.approx(-np.quantile(worst, 0.05))
    assert row["var_99"] == pytest.approx(-np.quantile(worst, 0.01))
    assert row["cvar_95"] == pytest.approx(-worst[:13].mean())
    assert row["win_rate_20d"] == pytest.approx((last(20) > 0).mean())
    wins, falls = last(20)[last(20) > 0], last(20)[last(20) < 0]
    expectancy = len(wins) / 20 * wins.mean() - len(falls) / 20 * -falls.mean()
    assert row["expectancy_20d"] == pytest.approx(expectancy)


@pytest.mark.parametrize("t", ROWS)
def test_ranges_and_candles(prices, all_features, t):
    o, h, low, c = (prices[name].to_numpy() for name in ("Open", "High", "Low", "Close"))
    row = all_features.iloc[t]
    middle = {n: (h[t - n + 1 : t + 1].max() + low[t - n + 1 : t + 1].min()) / 2 for n in (9, 26)}
    assert (row["tenkan_sen"], row["kijun_sen"]) == pytest.approx((middle[9], middle[26]))
    s = t - 26  # the cloud of today was drawn 26 days ago
    then = {n: (h[s - n + 1 : s + 1].max() + low[s - n + 1 : s + 1].min()) / 2 for n in (9, 26, 52)}
    assert row["senkou_span_a"] == pytest.approx((then[9] + then[26]) / 2)
    assert row["senkou_span_b"] == pytest.approx(then[52])
    top, bottom = h[t - 19 : t + 1].max(), low[t - 19 : t + 1].min()
    assert row["donchian_position"] == pytest.approx((c[t] - bottom) / (top - bottom))
    assert row["prior_high_20d_dist"] == pytest.approx(c[t] / h[t - 20 : t].max() - 1)
    year = slice(t - 251, t + 1)
    assert row["percentile_in_52wk_range"] == pytest.approx(
        (c[t] - low[year].min()) / (h[year].max() - low[year].min())
    )
    assert row["days_since_52wk_high"] == 251 - int(np.flatnonzero(h[year] == h[year].max())[-1])
    assert row["days_since_52wk_low"] == 251 - int(np.flatnonzero(low[year] == low[year].min())[-1])
    assert row["upper_wick_pct"] == pytest.approx((h[t] - max(o[t], c[t])) / c[t], abs=1e-15)
    assert row["doji_indicator"] == float(abs(c[t] - o[t]) <= 0.1 * (h[t] - low[t]))
    w = slice(t - 19, t + 1)
    assert row["parkinson_volatility"] == pytest.approx(
        math.sqrt(252 * (np.log(h[w] / low[w]) ** 2).mean() / (4 * math.log(2)))
    )
    garman = 0.5 * np.log(h[w] / low[w]) ** 2 - (2 * math.log(2) - 1) * np.log(c[w] / o[w]) ** 2
    assert row["garman_klass_volatility"] == pytest.approx(math.sqrt(252 * garman.mean()))


def test_counted_days(prices, all_features):
    close = prices["Close"].to_numpy()
    sma = all_features["sma_50"].to_numpy()
    run, side, since = 0, None, 0
    for t in range(len(close)):
        if np.isnan(sma[t]):
            continue
        above = close[t] > sma[t]
        run = run + 1 if above else 0
        since = 0 if side is None or above != side else since + 1
        side = above
        assert all_features["days_above_sma_50"].iloc[t] == run
        assert all_features["days_since_sma_50_cross"].iloc[t] == since


def test_demarker_and_kvo(prices, all_features):
    high, low = prices["High"].to_numpy(), prices["Low"].to_numpy()
    for t in ROWS:
        up = sum(max(high[i] - high[i - 1], 0) for i in range(t - 13, t + 1))
        down = sum(max(low[i - 1] - low[i], 0) for i in range(t - 13, t + 1))
        assert all_features["demarker_value"].iloc[t] == pytest.approx(up / (up + down))
    typical = ((prices["High"] + prices["Low"] + prices["Close"]) / 3).to_numpy()
    force = np.sign(np.diff(typical)) * prices["Volume"].to_numpy()[1:]

    def ema(values, n):
        out = [values[0]]
        for value in values[1:]:
            out.append(out[-1] + 2 / (n + 1) * (value - out[-1]))
        return np.array(out)

    line = ema(force, 34) - ema(force, 55)
    signal = ema(line, 13)
    scale = np.abs(line).max()
    np.testing.assert_allclose(all_features["kvo_signal"].to_numpy()[1001:], signal[1000:], atol=1e-6 * scale)
    np.testing.assert_allclose(
        all_features["kvo_histogram"].to_numpy()[1001:], (line - signal)[1000:], atol=1e-6 * scale
    )


def test_supertrend(prices, all_features):
    """The textbook's two bands, each kept until price breaks it."""
    high, low, close = (prices[name].to_numpy() for name in ("High", "Low", "Close"))
    ranges = np.maximum.reduce(
        [high[1:] - low[1:], np.abs(high[1:] - close[:-1]), np.abs(low[1:] - close[:-1])]
    )
    atr = ranges[:10].mean()
    upper = lower = direction = None
    for t in range(10, len(close)):
        if t > 10:
            atr = (9 * atr + ranges[t - 1]) / 10
        middle = (high[t] + low[t]) / 2
        top, bottom = middle + 3 * atr, middle - 3 * atr
        if upper is None:
            upper, lower, direction = top, bottom, 1
        else:
            before_upper, before_lower = upper, lower
            upper = top if top < upper or close[t - 1] > upper else upper
            lower = bottom if bottom > lower or close[t - 1] < lower else lower
            if direction == 1 and close[t] < before_lower:
                direction = -1
            elif direction == -1 and close[t] > before_upper:
                direction = 1
        if t > 1000:
            line = lower if direction == 1 else upper
            assert all_features["supertrend_direction"].iloc[t] == direction
            assert all_features["price_pct_from_supertrend"].iloc[t] == pytest.approx(close[t] / line - 1)


@pytest.mark.parametrize("order", [3, 4, 5])
def test_permutation_entropy(prices, all_features, order):
    close = prices["Close"].to_numpy()
    names = {pattern: i for i, pattern in enumerate(permutations(range(order)))}
    for t in ROWS:
        window = close[t - 59 : t + 1]
        counts = Counter(
            names[tuple(int(j) for j in np.argsort(window[i : i + order], kind="stable"))]
            for i in range(60 - order + 1)
        )
        shares = np.array(list(counts.values())) / sum(counts.values())
        expected = -(shares * np.log(shares)).sum() / math.log(math.factorial(order))
        assert all_features[f"permutation_entropy_order{order}"].iloc[t] == pytest.approx(expected)


@pytest.mark.parametrize("t", ROWS)
def test_averages_and_ranks(prices, all_features, t):
    close, volume = prices["Close"].to_numpy(), prices["Volume"].to_numpy()
    row = all_features.iloc[t]

    def wma(values, n):
        return (values[-n:] * np.arange(1, n + 1)).sum() / (n * (n + 1) / 2)

    assert row["wma_20"] == pytest.approx(wma(close[: t + 1], 20))
    faster = np.array([2 * wma(close[: i + 1], 10) - wma(close[: i + 1], 21) for i in range(t - 9, t + 1)])
    assert row["hma_21"] == pytest.approx(wma(faster, 5))
    w = slice(t - 9, t + 1)
    assert row["vwma_10"] == pytest.approx((close[w] * volume[w]).sum() / volume[w].sum())
    atr = all_features["atr_pct"].to_numpy()
    assert row["atr_pct_percentile_60d"] == pytest.approx((atr[t - 59 : t + 1] <= atr[t]).mean())
    assert row["atr_regime_rolling_q"] == math.ceil(4 * (atr[t - 251 : t + 1] <= atr[t]).mean() - 1e-12) - 1
    states = all_features["vol_regime_state"].to_numpy()
    assert row["regime_consistency"] == pytest.approx((states[t - 19 : t + 1] == states[t]).mean())
    assert row["regime_transition_prob"] == pytest.approx((np.diff(states[t - 60 : t + 1]) != 0).mean())


def test_oscillators_stay_in_their_ranges(all_features):
    rest = all_features.iloc[WARM_UP:]
    for low, high, *names in (
        (0, 100, "stc_value", "qqe_fast", "stoch_k_14", "stoch_d_14", "mfi_14"),
        (-100, 100, "aroon_oscillator", "di_spread"),
        (-100, 0, "williams_r_14"),
        (0, 1, "demarker_value", "buying_pressure_ratio", "fib_range_position", "donchian_position"),
        (-1, 1, "price_vs_cloud", "price_rsi_divergence", "price_obv_divergence"),
    ):
        for name in names:
            assert rest[name].between(low - 1e-9, high + 1e-9).all(), name


def test_the_vix_ends_the_larger_tiers(data_dir):
    request = DataRequest(context_length=80, horizon=5, threshold=0.02)

    small, large = (etf.load("SPY", replace(request, features=tier)) for tier in ("a20", "a200"))
    assert str(small.timestamps[-1])[:10] == "2026-08-21"
    assert str(large.timestamps[-1])[:10] == "2022-01-25"
    assert large.features.shape == (7301 - WARM_UP, 6 + 206)
    assert "vix" not in small.channel_names


if __name__ == "__main__":
    (Path(__file__).parents[2] / "docs" / "features.md").write_text(page())
