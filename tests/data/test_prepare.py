"""From a request to training data: nothing of the future may reach a training window."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.data import DATASETS, prepare
from hpo.data.base import DataRequest
from hpo.data.sets import sp500

REQUEST = DataRequest(context_length=80, horizon=1)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_future_row_reaches_a_training_input(seed):
    """Everything after the training rows is replaced by noise: training inputs stay, to the bit."""
    name = "sp500"
    spec = DATASETS[name]
    original = prepare(name, REQUEST)
    end = original.splits.rows["train"][-1][1]

    def changed(request):
        table = spec.load(request)
        features, targets = table.features.copy(), table.target_values.copy()
        rng = np.random.default_rng(seed)
        features[end:] = rng.normal(0, 1e6, features[end:].shape)
        targets[end:] = rng.integers(0, 2, targets[end:].shape)
        return replace(table, features=features, target_values=targets)

    DATASETS[name] = replace(spec, load=changed)
    try:
        altered = prepare(name, REQUEST)
    finally:
        DATASETS[name] = spec
    np.testing.assert_array_equal(altered.feature_mean, original.feature_mean)
    np.testing.assert_array_equal(altered.feature_std, original.feature_std)
    np.testing.assert_array_equal(altered.features[:end], original.features[:end])
    ends = original.splits.train
    np.testing.assert_array_equal(altered.splits.train, ends)
    np.testing.assert_array_equal(altered.targets_at(ends), original.targets_at(ends))
    assert not np.array_equal(altered.features[end:], original.features[end:])


@pytest.mark.parametrize("day", [1200, 3000])
def test_no_later_price_reaches_a_row(monkeypatch, day):
    """The raw prices after a day are replaced: features up to it stay, labels that end before it too."""
    table = sp500.load(REQUEST)
    prices = sp500.raw()
    changed = prices.copy()
    changed.iloc[day + 1 :] *= np.random.default_rng(0).uniform(0.5, 2.0, changed.iloc[day + 1 :].shape)
    monkeypatch.setattr(sp500, "raw", lambda: changed)
    other = sp500.load(REQUEST)
    row = day - (len(prices) - len(table.features))
    np.testing.assert_array_equal(other.features[: row + 1], table.features[: row + 1])
    np.testing.assert_array_equal(other.target_values[:row], table.target_values[:row])
    assert not np.array_equal(other.features[row + 1 :], table.features[row + 1 :])


def test_scaling_is_that_of_the_training_rows():
    data = prepare("sp500", REQUEST)
    ((start, stop),) = data.splits.rows["train"]
    rows = data.table.features[start:stop]
    np.testing.assert_allclose(data.feature_mean, rows.mean(axis=0))
    np.testing.assert_allclose(data.feature_std, rows.std(axis=0))
    assert data.features.dtype == np.float32
    assert data.features.flags.c_contiguous
    np.testing.assert_allclose(data.features[start:stop].mean(axis=0), 0, atol=1e-4)


def test_a_limit_keeps_the_latest_training_windows_and_scales_by_them():
    whole, part = prepare("sp500", REQUEST), prepare("sp500", replace(REQUEST, limit=500))
    np.testing.assert_array_equal(part.splits.train, whole.splits.train[-500:])
    np.testing.assert_array_equal(part.splits.val, whole.splits.val)
    ((start, stop),) = part.splits.rows["train"]
    assert start == part.splits.train[0] - 79
    np.testing.assert_allclose(part.feature_mean, part.table.features[start:stop].mean(axis=0))


@pytest.mark.parametrize(("horizon", "threshold"), [(1, 0.01), (2, 0.02), (3, 0.05), (5, 0.03)])
def test_the_label_against_a_loop(horizon, threshold):
    table = sp500.load(replace(REQUEST, horizon=horizon, threshold=threshold))
    high, close = (table.features[:, table.channel_names.index(name)] for name in ("high", "close"))
    for t in (0, 17, 2000, len(close) - horizon - 1):
        expected = any(high[t + step] >= close[t] * (1 + threshold) for step in range(1, horizon + 1))
        assert table.target_values[t, 0] == expected
    assert np.isnan(table.target_values[-horizon:]).all()
    assert not np.isnan(table.target_values[:-horizon]).any()


def test_sp500_is_the_real_series():
    table = sp500.load(REQUEST)
    assert table.features.shape == (4832, 26)
    assert np.isfinite(table.features).all()
    assert str(table.timestamps[-1])[:10] == "2018-12-31"
    assert (np.diff(table.timestamps) > np.timedelta64(0)).all()
    # The last close of 2018, as published.
    assert table.features[-1, table.channel_names.index("close")] == pytest.approx(2506.85, abs=0.01)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": "a50"}, "a20 alone, got 'a50'"),
        ({"task": "regression"}, "valid: binary"),
        ({"context_length": 3400}, "4,832 rows leave no train window"),
        ({"split": "random"}, "unknown split 'random'"),
    ],
)
def test_what_it_cannot_serve(change, words):
    with pytest.raises(ValueError, match=words):
        prepare("sp500", replace(REQUEST, **change))
