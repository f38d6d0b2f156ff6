"""Building blocks of the feature tiers that TA-Lib has not: each row uses rows up to itself alone.

All take and return series of one value a row, NaN while warming up. Legend: T rows, n rows of a window.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import talib

DAYS_A_YEAR = 252
"""Trading days."""


def ratio(a: pd.Series, b: pd.Series, otherwise: float = 0.0) -> pd.Series:
    """A / b, and another value where b is 0."""
    return (a / b.where(b != 0)).mask(b == 0, otherwise)


def slope(values: pd.Series, n: int = 5) -> pd.Series:
    """Change a row over the last n rows."""
    return values.diff(n) / n


def pct_slope(values: pd.Series, n: int = 5) -> pd.Series:
    """Change a row over the last n rows, as a fraction of the value then."""
    return (values / values.shift(n) - 1) / n


def z_score(values: pd.Series, n: int) -> pd.Series:
    """Deviations from the mean of the last n rows."""
    window = values.rolling(n)
    return ratio(values - window.mean(), window.std())


def rank(values: pd.Series, n: int) -> pd.Series:
    """Share of the last n rows whose value is not above the current one, above 0 to 1."""
    return values.rolling(n).rank(pct=True, method="max")


def bucket(values: pd.Series, n: int, n_buckets: int) -> pd.Series:
    """Which quantile of the last n rows the current value is in, 0 to n_buckets - 1."""
    return (rank(values, n) * n_buckets).apply(np.ceil) - 1


def position(values: pd.Series, low: pd.Series, high: pd.Series) -> pd.Series:
    """Where a value stands between two others: 0 at the low one, 1 at the high one, 0.5 if they are equal."""
    return ratio(values - low, high - low, 0.5)


def stochastic(values: pd.Series, n: int) -> pd.Series:
    """Where a value stands between the lowest and the highest of n rows (Lane)."""
    window = values.rolling(n)
    return position(values, window.min(), window.max())


def to_nearer(values: pd.Series, low: float, high: float) -> pd.Series:
    """Distance to the nearer of two levels."""
    return (values - low).abs().clip(upper=(values - high).abs())


def crossed(a: pd.Series, b: pd.Series) -> pd.Series:
    """Whether a went from one side of b to the other on this row; NaN while either warms up."""
    above = a > b
    known = (a.notna() & b.notna()).astype(bool)
    return (
        (above != above.shift(1))
        .astype(float)
        .where(known)
        .where(known.shift(1, fill_value=False), 0.0)
        .where(known)
    )


def since(flag: pd.Series) -> pd.Series:
    """Rows since a flag was last 1; before that, rows since it was first known."""
    return _rows_since(flag, (flag == 1).to_numpy(), at_start=0)


def streak(flag: pd.Series) -> pd.Series:
    """How many rows in a row a flag has been 1 up to now."""
    return _rows_since(flag, (flag != 1).to_numpy(), at_start=1)


def _rows_since(flag: pd.Series, event: np.typing.NDArray[np.bool_], at_start: int) -> pd.Series:
    known = flag.notna().to_numpy()
    rows = np.arange(len(flag))
    begin = int(np.argmax(known)) - at_start
    last = np.maximum.accumulate(np.where(event & known, rows, begin))
    return pd.Series(np.where(known, rows - last, np.nan), index=flag.index)


def when(condition: pd.Series, *inputs: pd.Series) -> pd.Series:
    """A condition as 1 and 0; NaN while an input of it warms up."""
    flag = condition.astype(float)
    for values in inputs:
        flag = flag.where(values.notna())
    return flag


def weekly(close: pd.Series, indicator: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """An indicator of weekly closes, as known at each row.

    A week's value appears on the first row of the week after it: while a week runs, its close is not
    known, and the last whole week's value stands.
    """
    weeks = pd.PeriodIndex(pd.DatetimeIndex(close.index), freq="W-FRI")
    by_week = close.groupby(weeks).last()
    values = indicator(by_week).shift(1)
    return pd.Series(values.reindex(weeks).to_numpy(), index=close.index)


def realized_volatility(returns: pd.Series, n: int) -> pd.Series:
    """Standard deviation of the last n daily returns, in percent a year: the unit of the VIX."""
    return returns.rolling(n).std() * math.sqrt(DAYS_A_YEAR) * 100


def sharpe(returns: pd.Series, n: int) -> pd.Series:
    """Sharpe ratio of n days, a year, against a risk-free rate of 0 (Sharpe 1966)."""
    return ratio(returns.rolling(n).mean(), returns.rolling(n).std()) * math.sqrt(DAYS_A_YEAR)


def sortino(returns: pd.Series, n: int) -> pd.Series:
    """Sortino ratio of n days, a year: mean over the root mean square of the losses (Sortino 1994)."""
    losses = (returns.clip(upper=0.0) ** 2).rolling(n).mean() ** 0.5
    return ratio(returns.rolling(n).mean(), losses) * math.sqrt(DAYS_A_YEAR)


def expected_shortfall(returns: pd.Series, n: int, share: float) -> pd.Series:
    """Mean loss of the worst share of n days, as a positive number (CVaR)."""
    worst = math.ceil(share * n)
    return -returns.rolling(n).apply(lambda window: np.partition(window, worst)[:worst].mean(), raw=True)


def qqe(
    rsi: pd.Series, smoothing: int = 5, n: int = 14, factor: float = 4.236
) -> tuple[pd.Series, pd.Series]:
    """Quantitative qualitative estimation (Livshin): the smoothed RSI, and a band that trails behind it.

    The band is ``factor`` times the doubly smoothed absolute change away, and trails as :func:`_trailing`
    does.
    """
    fast = talib.EMA(rsi, smoothing)
    wilder = 2 * n - 1
    width = talib.EMA(talib.EMA(fast.diff().abs(), wilder), wilder) * factor
    return fast, _trailing(fast, fast - width, fast + width)


def _trailing(line: pd.Series, lower: pd.Series, upper: pd.Series) -> pd.Series:
    """A stop behind a line: the lower band while the line is above it, the upper one while it is below.

    Each band moves only towards the line, until the line has crossed it.
    """
    values, low, high = line.to_numpy(), lower.to_numpy().copy(), upper.to_numpy().copy()
    trail = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(low))
    rising = True
    for t in known:
        if t > known[0]:
            broken_low, broken_high = values[t] < low[t - 1], values[t] > high[t - 1]
            if values[t - 1] >= low[t - 1]:
                low[t] = max(low[t], low[t - 1])
            if values[t - 1] <= high[t - 1]:
                high[t] = min(high[t], high[t - 1])
            rising = not broken_low if rising else bool(broken_high)
        trail[t] = low[t] if rising else high[t]
    return pd.Series(trail, index=line.index)


def supertrend(
    high: pd.Series, low: pd.Series, close: pd.Series, n: int = 10, factor: float = 3.0
) -> pd.Series:
    """Supertrend (Seban): a band of ``factor`` ATRs around the middle of the day, trailing the close."""
    middle, width = (high + low) / 2, factor * talib.ATR(high, low, close, n)
    return _trailing(close, middle - width, middle + width)


def schaff_trend_cycle(close: pd.Series, fast: int = 23, slow: int = 50, n: int = 10) -> pd.Series:
    """Schaff trend cycle (Schaff 1999), 0 to 100: the stochastic of MACD, twice, each smoothed by half."""
    line: pd.Series = talib.EMA(close, fast) - talib.EMA(close, slow)
    for _ in range(2):
        line = (100 * stochastic(line, n)).ewm(alpha=0.5, adjust=False).mean()
    return line


def demarker(high: pd.Series, low: pd.Series, n: int = 14) -> pd.Series:
    """DeMarker: rises of the high as a share of rises of the high and falls of the low, 0 to 1."""
    up, down = high.diff().clip(lower=0).rolling(n).mean(), (-low.diff()).clip(lower=0).rolling(n).mean()
    return ratio(up, up + down, 0.5)


def klinger(typical: pd.Series, volume: pd.Series) -> pd.Series:
    """Klinger oscillator: EMA 34 - EMA 55 of the volume, signed by the typical price's change."""
    force = volume * np.sign(typical.diff())
    line: pd.Series = talib.EMA(force, 34) - talib.EMA(force, 55)
    return line


def hull(values: pd.Series, n: int) -> pd.Series:
    """Hull moving average: WMA over sqrt(n) of 2 WMA(n / 2) - WMA(n)."""
    faster: pd.Series = 2 * talib.WMA(values, n // 2) - talib.WMA(values, n)
    smooth: pd.Series = talib.WMA(faster, round(math.sqrt(n)))
    return smooth


def weighted_mean(values: pd.Series, weights: pd.Series, n: int) -> pd.Series:
    """Mean of n rows, weighted."""
    return ratio((values * weights).rolling(n).sum(), weights.rolling(n).sum())


def permutation_entropy(values: pd.Series, order: int, n: int = 60) -> pd.Series:
    """Entropy of the order patterns of successive values in n rows, 0 to 1 (Bandt and Pompe 2002)."""
    patterns = np.lib.stride_tricks.sliding_window_view(values.to_numpy(), order).argsort(
        axis=1, kind="stable"
    )
    codes = patterns @ order ** np.arange(order)
    in_window = n - order + 1
    entropy = np.zeros(len(codes))
    for code in np.unique(codes):
        total = np.cumsum(codes == code)
        total[in_window:] -= total[:-in_window].copy()
        share = total / in_window
        entropy -= np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0)
    result = np.full(len(values), np.nan)
    result[n - 1 :] = entropy[in_window - 1 :] / math.log(math.factorial(order))
    return pd.Series(result, index=values.index)
