from dataclasses import replace

import numpy as np
import pytest

from hpo.data.base import DataRequest
from hpo.data.features.ratios import RATIOS, price_ratios
from hpo.data.sets import sp500

NAMES = list(RATIOS)


@pytest.fixture(scope="module")
def table():
    return sp500.load(DataRequest(context_length=80, horizon=1))


def column(table, name):
    return table.features[:, table.channel_names.index(name)]


def test_against_loops(table):
    ratios = price_ratios(table)
    assert ratios.shape == (len(table.features), len(NAMES))
    assert np.isfinite(ratios).all()
    high, low, close = (column(table, name) for name in ("high", "low", "close"))
    got = dict(zip(NAMES, ratios[1000], strict=True))
    r = 1000
    true_range = max(high[r], close[r - 1]) - min(low[r], close[r - 1])
    assert got["true range / close"] == pytest.approx(np.log(true_range / close[r]))
    span = high[r - 4 : r + 1].max() - low[r - 4 : r + 1].min()
    assert got["range of 5 rows / close"] == pytest.approx(np.log(span / close[r]))
    assert got["return of 5 rows"] == pytest.approx(np.log(close[r] / close[r - 5]))
    returns = np.diff(np.log(close[r - 20 : r + 1]))
    assert got["volatility of 20 rows"] == pytest.approx(np.log(returns.std(ddof=1)))
    assert got["place in the range"] == pytest.approx((close[r] - low[r]) / (high[r] - low[r]))
    # Wilder's smoothing starts otherwise; after a thousand rows no trace is left of it.
    assert got["average true range / close"] == pytest.approx(
        np.log(column(table, "atr_14")[r] / close[r]), rel=1e-3
    )


def test_no_later_row_reaches_back(table):
    features = table.features.copy()
    features[2000:] *= np.random.default_rng(0).uniform(1.0, 2.0)
    np.testing.assert_array_equal(
        price_ratios(replace(table, features=features))[:2000], price_ratios(table)[:2000]
    )


def test_a_group_begins_anew(table):
    codes = np.repeat([0, 1], [3000, len(table.features) - 3000]).astype(np.int32)
    grouped = price_ratios(replace(table, groups=codes, group_names=("a", "b")))
    np.testing.assert_array_equal(grouped[:3000], price_ratios(table)[:3000])
    assert grouped[3000, NAMES.index("return of 20 rows")] == 0.0


def test_none_where_there_are_no_prices(table):
    names = tuple("x" if name == "low" else name for name in table.channel_names)
    assert price_ratios(replace(table, channel_names=names)) is None
    assert price_ratios(replace(table, features=-table.features)) is None
