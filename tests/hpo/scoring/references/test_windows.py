from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hpo.data import prepare
from hpo.data.base import DataRequest
from hpo.scoring.references.windows import (
    in_order,
    known_at,
    lagged,
    past,
    rolling_origins,
    statistics,
    weights_of,
    window,
)


def grouped(data, lengths):
    """The same rows as several groups: each has the same hours from the first on."""
    table = data.table
    edges = np.concatenate([[0], np.cumsum(lengths)])
    codes = np.repeat(np.arange(len(lengths)), lengths).astype(np.int32)
    hours = np.concatenate([np.arange(length) for length in lengths])
    return replace(
        table,
        timestamps=table.timestamps[0] + hours * np.timedelta64(1, "h"),
        groups=codes,
        group_names=tuple(f"g{i}" for i in range(len(lengths))),
        segments=tuple(pairwise(edges.tolist())),
    )


@pytest.fixture
def stations(hourly, monkeypatch):
    """Four groups of 300 hours and one of 240."""
    from hpo.data import DATASETS

    _, data = hourly
    table = grouped(data, [300, 300, 300, 300, 240])
    spec = replace(
        DATASETS["etth1"], name="stations", load=lambda request: table, splits=("group", "contiguous")
    )
    monkeypatch.setitem(DATASETS, "stations", spec)

    def make(split):
        return prepare("stations", DataRequest(context_length=48, horizon=30, split=split))

    return make


def test_seasons_reach_back_beyond_the_window_but_not_beyond_their_own_group(stations):
    data = stations("group")
    start = 900
    ends = np.array([start + 10, start + 47, start + 100])
    got = past(data, ends, 168, [1, 30])
    values = data.target_values
    # Row -121 of the group and row -84 are another group's: the last value stands in.
    np.testing.assert_array_equal(got[0, :, 0], values[[ends[0], ends[0]], 0])
    np.testing.assert_array_equal(got[1, :, 0], values[[ends[1], ends[1]], 0])
    np.testing.assert_array_equal(past(data, ends, 24, [1, 30])[2, :, 0], values[ends[2] - [23, 18], 0])
    np.testing.assert_array_equal(lagged(data, ends, [0, 5])[0, :, 0], values[ends[0] - [0, 5], 0])


def test_the_latest_windows_are_those_of_all_groups_not_the_last_groups(stations):
    data = stations("contiguous")
    train = in_order(data, data.splits.train, 40)
    assert set(data.table.groups[train]) == {0, 1, 2, 3, 4}, "each has a share of the latest"
    assert data.table.timestamps[train].min() > np.sort(data.table.timestamps[data.splits.train])[500]
    for n_known, after in rolling_origins(data, in_order(data, data.splits.train)):
        known = in_order(data, data.splits.train)[:n_known]
        assert known_at(data, known).max() <= data.table.timestamps[after].min()


def test_where_whole_groups_are_to_come_candidates_are_judged_on_the_next_groups(stations):
    data = stations("group")
    train = in_order(data, data.splits.train)
    origins = rolling_origins(data, train)
    assert origins
    for n_known, after in origins:
        assert not set(data.table.groups[train[:n_known]]) & set(data.table.groups[after])


def test_origins_of_one_series_purge_what_is_not_known_yet(hourly):
    _, data = hourly
    train = in_order(data, data.splits.train)
    np.testing.assert_array_equal(train, data.splits.train)
    origins = rolling_origins(data, train)
    assert len(origins) == 4
    for n_known, after in origins:
        assert train[n_known - 1] + data.horizon <= after[0]
        assert train[n_known] + data.horizon > after[0], "and no more than that"
    judged = np.concatenate([after for _, after in origins])
    np.testing.assert_array_equal(judged, train[-len(judged) :])
    assert len(judged) == pytest.approx(0.8 * len(train), abs=2)


@pytest.mark.parametrize("n_windows", [1, 2, 5])
def test_of_too_few_windows_there_may_be_no_origin(hourly, n_windows):
    _, data = hourly
    assert rolling_origins(data, data.splits.train[:n_windows]) == []


def test_windows_and_their_statistics_against_loops(hourly):
    _, data = hourly
    ends = data.splits.val[::97]
    got = statistics(data, ends, [1, 0])
    for i, end in enumerate(ends):
        rows = data.features[end - 47 : end + 1].astype(np.float64)
        np.testing.assert_array_equal(window(data, ends, [1, 0], 5)[i], rows[-5:, [1, 0]])
        for j, channel in enumerate((1, 0)):
            x = rows[:, channel]
            rest = np.array([x.mean(), x.min(), x.max(), x[-12:].mean()]) - x[-1]
            np.testing.assert_allclose(got[i, 6 * j : 6 * j + 6], [x[-1], x.std(), *rest], atol=1e-12)


def test_weights_halve_with_an_error_a_tenth_higher():
    weights = weights_of([1.0, 1.1, 3.0], 8)
    assert weights[1] / weights[0] == pytest.approx(0.47, abs=0.01)
    assert weights[2] == 0.0
    assert sum(weights) == pytest.approx(1.0)
    assert weights_of([0.0, 0.5], 8) == [1.0, 0.0]
    assert weights_of([0.0, 0.0], 8) == [0.5, 0.5]
