import numpy as np
import pandas as pd
import pytest

from hpo.data.features import A20, compute
from hpo.data.sets.sp500 import RAW, raw

PRICES = raw()[list(RAW)]
ALL = compute(PRICES, "a20")
HIGH, LOW, CLOSE, VOLUME = (PRICES[name].to_numpy() for name in ("High", "Low", "Close", "Volume"))
ROWS = (300, 1234, 4999)


def test_the_tier_has_its_twenty_names():
    assert len(A20) == 20
    assert list(ALL.columns) == [
        *(f"dema_{n}" for n in (9, 10, 20, 25, 90)),
        *(f"sma_{n}" for n in (12, 50, 100, 200)),
        *("rsi_14", "rsi_14_weekly", "stoch_rsi", "stoch_rsi_weekly", "macd", "obv", "adosc", "atr_14"),
        *("adx_14", "bollinger_percent_b", "vwap_20"),
    ]


@pytest.mark.parametrize("n_rows", [700, 1501, 1502, 1503, 1504, 1505])
def test_no_row_sees_a_later_one(n_rows):
    cut = compute(PRICES.iloc[:n_rows], "a20")
    pd.testing.assert_frame_equal(cut, ALL.iloc[:n_rows], check_exact=True)


def test_all_are_numbers_after_the_warm_up():
    assert ALL.iloc[200:].notna().all().all()
    assert np.isfinite(ALL.iloc[200:].to_numpy()).all()


@pytest.mark.parametrize("t", ROWS)
@pytest.mark.parametrize("n", [12, 50, 100, 200])
def test_sma(t, n):
    assert ALL[f"sma_{n}"].iloc[t] == pytest.approx(CLOSE[t - n + 1 : t + 1].mean())


def ema(values, n):
    """Seeded with the mean of the first n values, as TA-Lib does."""
    out = np.full(len(values), np.nan)
    out[n - 1] = values[:n].mean()
    for t in range(n, len(values)):
        out[t] = out[t - 1] + 2 / (n + 1) * (values[t] - out[t - 1])
    return out


@pytest.mark.parametrize("n", [9, 10, 20, 25, 90])
def test_dema(n):
    first = ema(CLOSE, n)
    second = np.full(len(CLOSE), np.nan)
    second[n - 1 :] = ema(first[n - 1 :], n)
    np.testing.assert_allclose((2 * first - second)[1000:], ALL[f"dema_{n}"].to_numpy()[1000:], rtol=1e-9)


def test_macd():
    # The seeds of the two averages differ by library; far from the start that is forgotten.
    np.testing.assert_allclose(
        (ema(CLOSE, 12) - ema(CLOSE, 26))[500:], ALL["macd"].to_numpy()[500:], atol=1e-6
    )


def wilder(values, n):
    out = np.full(len(values), np.nan)
    out[n - 1] = values[:n].mean()
    for t in range(n, len(values)):
        out[t] = (out[t - 1] * (n - 1) + values[t]) / n
    return out


def rsi(closes, n):
    change = np.diff(closes)
    gain, loss = wilder(np.maximum(change, 0), n), wilder(np.maximum(-change, 0), n)
    return np.concatenate([[np.nan], 100 * gain / (gain + loss)])


def test_rsi_and_stoch_rsi():
    expected = rsi(CLOSE, 14)
    np.testing.assert_allclose(expected[14:], ALL["rsi_14"].to_numpy()[14:], rtol=1e-9)
    for t in ROWS:
        window = expected[t - 13 : t + 1]
        stoch = (window[-1] - window.min()) / (window.max() - window.min())
        assert ALL["stoch_rsi"].iloc[t] == pytest.approx(stoch, abs=1e-9)


def test_weekly_rsi_is_that_of_the_last_whole_week():
    weeks = PRICES.index.to_period("W-FRI")
    closes = PRICES["Close"].groupby(weeks).last()
    by_week = pd.Series(rsi(closes.to_numpy(), 14), index=closes.index)
    for t in (400, 401, 402, 403, 404, 3000):
        assert ALL["rsi_14_weekly"].iloc[t] == pytest.approx(by_week[weeks[t] - 1])


def test_obv():
    expected = VOLUME[0] + np.concatenate([[0.0], np.cumsum(np.sign(np.diff(CLOSE)) * VOLUME[1:])])
    np.testing.assert_allclose(expected, ALL["obv"].to_numpy(), rtol=1e-9)


def test_atr():
    previous = CLOSE[:-1]
    true_range = np.maximum.reduce(
        [HIGH[1:] - LOW[1:], np.abs(HIGH[1:] - previous), np.abs(LOW[1:] - previous)]
    )
    np.testing.assert_allclose(wilder(true_range, 14)[13:], ALL["atr_14"].to_numpy()[14:], rtol=1e-9)


@pytest.mark.parametrize("t", ROWS)
def test_percent_b_and_vwap(t):
    window = slice(t - 19, t + 1)
    middle, deviation = CLOSE[window].mean(), CLOSE[window].std()
    expected = (CLOSE[t] - (middle - 2 * deviation)) / (4 * deviation)
    assert ALL["bollinger_percent_b"].iloc[t] == pytest.approx(expected, rel=1e-6)
    typical = (HIGH + LOW + CLOSE) / 3
    vwap = (typical[window] * VOLUME[window]).sum() / VOLUME[window].sum()
    assert ALL["vwap_20"].iloc[t] == pytest.approx(vwap, rel=1e-9)


def test_adosc_and_adx_stay_in_their_ranges():
    flow = np.cumsum(((CLOSE - LOW) - (HIGH - CLOSE)) / (HIGH - LOW) * VOLUME)

    def average(values, n):  # TA-Lib seeds this one with the first value
        out = [values[0]]
        for value in values[1:]:
            out.append(out[-1] + 2 / (n + 1) * (value - out[-1]))
        return np.array(out)

    expected = average(flow, 3) - average(flow, 10)
    np.testing.assert_allclose(expected[500:], ALL["adosc"].to_numpy()[500:], rtol=1e-6, atol=1.0)
    assert ALL["adx_14"].iloc[200:].between(0, 100).all()


def test_an_unknown_tier():
    with pytest.raises(ValueError, match="a20"):
        compute(PRICES, "a21")
