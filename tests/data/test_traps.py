"""The traps of the real files: each is there in the file, and the loaded table is right."""

import dataclasses
import struct
import time
from functools import cache

import numpy as np
import pandas as pd
import pytest

from hpo.data import DATASETS, legacy, prepare
from hpo.data.base import DataRequest
from hpo.data.sets import beijing

pytestmark = pytest.mark.usefixtures("data_dir")

PARTS = ("train", "val", "test")
JENA = {"jena_hourly": "jena_climate_hourly_2009_2016", "jena": "jena_climate_10min_2009-01-01_2011-01-11"}
WIND, GUST = "wv (m/s)", "max. wv (m/s)"


@pytest.fixture(scope="module")
def raw(data_dir):
    """Reads a file as it is, once."""
    return cache(lambda name: pd.read_csv(data_dir / name))


@cache
def load(name, **asked):
    context, horizon = DATASETS[name].window
    return DATASETS[name].load(DataRequest(context_length=context, horizon=horizon, **asked))


def column(table, name):
    return table.features[:, table.channel_names.index(name)]


def frame_of(table):
    return pd.DataFrame(table.features, columns=table.channel_names, index=pd.DatetimeIndex(table.timestamps))


def jena_times(frame):
    return pd.to_datetime(frame["Date Time"], format="%d.%m.%Y %H:%M:%S")


# Jena


def test_jena_has_sentinels_and_a_junk_wind_beside_one_and_the_last_reading_stands_there(raw):
    file = raw(f"{JENA['jena_hourly']}.csv.xz")
    bad = np.flatnonzero(file[GUST] == -9999)
    assert (file[WIND] == -9999).sum() == 3
    assert len(bad) == 4
    assert file[WIND].iloc[bad[-1]] == 28.49
    frame = frame_of(load("jena_hourly"))
    assert frame.min().min() > -100
    times = pd.DatetimeIndex(jena_times(file).iloc[bad])
    before = file.iloc[bad[0] - 1]
    assert (frame.loc[times, "wv"] == before[WIND]).all()
    assert (frame.loc[times, "max. wv"] == before[GUST]).all()
    assert (frame.loc[times, "T"].to_numpy() == file["T (degC)"].iloc[bad]).all(), "other channels stay"


@pytest.mark.parametrize("target", ["wv", "max. wv"])
def test_no_window_of_jena_forecasts_a_wind_that_was_not_read(raw, target):
    file = raw(f"{JENA['jena_hourly']}.csv.xz")
    bad = jena_times(file)[file[GUST] == -9999].to_numpy()
    data = prepare("jena_hourly", DataRequest(context_length=72, horizon=24, target=(target,)))
    rows = np.flatnonzero(np.isin(data.table.timestamps, bad))
    assert len(rows) == 4
    ends = np.concatenate([getattr(data.splits, part) for part in PARTS])
    assert not np.isin(rows, ends[:, None] + np.arange(1, 25)).any()


@pytest.mark.parametrize(
    ("name", "minutes", "repeated", "back"), [("jena_hourly", 60, 24, 2), ("jena", 10, 144, 1)]
)
def test_jena_repeats_blocks_so_that_time_runs_backwards_and_the_table_has_each_time_once(
    raw, name, minutes, repeated, back
):
    file = raw(f"{JENA[name]}.csv.xz")
    times = jena_times(file)
    assert times.duplicated().sum() == repeated
    assert (times.diff() < pd.Timedelta(0)).sum() == back
    table = load(name)
    assert np.diff(table.timestamps).min() >= np.timedelta64(minutes, "m")
    assert np.isin(table.timestamps, times.to_numpy()).all()
    by_time = file.assign(time=times).drop_duplicates("time").set_index("time")["T (degC)"]
    assert (by_time.loc[table.timestamps].to_numpy() == column(table, "T")).all()


def test_the_hourly_jena_leaves_out_rows_half_an_hour_beside_the_grid_and_no_others(raw):
    times = jena_times(raw(f"{JENA['jena_hourly']}.csv.xz")).drop_duplicates().sort_values()
    beside = (times.diff() < pd.Timedelta(hours=1)).sum()
    assert beside == 61
    left_out = np.setdiff1d(times, load("jena_hourly").timestamps)
    assert len(left_out) == 31
    assert set(pd.DatetimeIndex(left_out).date.astype(str)) == {"2014-03-20", "2014-03-21"}


@pytest.mark.parametrize(
    ("name", "minutes", "gaps"),
    [
        ("jena", 10, {"2009-10-08"}),
        (
            "jena_hourly",
            60,
            {"2009-10-08", "2013-05-16", "2014-03-21", "2014-07-30", "2014-09-25", "2016-10-28"},
        ),
    ],
)
def test_each_gap_of_jena_begins_a_new_segment(raw, name, minutes, gaps):
    times = jena_times(raw(f"{JENA[name]}.csv.xz")).drop_duplicates().sort_values()
    after = times[times.diff() > pd.Timedelta(minutes=minutes)]
    assert set(after.dt.date.astype(str)) <= gaps
    table = load(name)
    begins = [start for start, _ in table.segments]
    assert {str(table.timestamps[start])[:10] for start in begins[1:]} == gaps
    inside = np.delete(np.diff(table.timestamps), [start - 1 for start in begins[1:]])
    assert (inside == np.timedelta64(minutes, "m")).all()


def test_two_years_of_jena_are_too_few_for_a_split_by_year():
    with pytest.raises(ValueError, match="needs three years of data, got 2009, 2010"):
        prepare("jena", DataRequest(context_length=72, horizon=36, split="year"))


# Beijing

ALL = beijing.ALL.name


def test_runs_of_missing_beijing_values_hold_the_last_one_of_the_same_station(raw):
    file = raw(ALL)
    assert file.isna().sum().sum() == 74_027
    table = load("beijing", groups=("all",))
    assert np.isfinite(table.features).all()
    for code, station in enumerate(beijing.STATIONS):
        of_file = file[file["station"] == station]
        rows = table.features[table.groups == code]
        skipped = len(of_file) - len(rows)
        for name in beijing.MEASURED:
            values = of_file[name].to_numpy()
            read = ~np.isnan(values)
            last_read = np.maximum.accumulate(np.where(read, np.arange(len(values)), 0))
            expected = values[last_read][skipped:]
            np.testing.assert_array_equal(rows[:, table.channel_names.index(name)], expected)


def test_no_station_of_beijing_begins_with_the_values_of_the_one_before(raw):
    file = raw(ALL)
    first = file.groupby("station").head(1).set_index("station")
    late = first.index[first.isna().any(axis=1)]
    assert "Dingling" in late
    table = load("beijing", groups=("all",))
    begins = np.searchsorted(table.groups, range(12))
    began = dict(zip(table.group_names, table.timestamps[begins], strict=True))
    start = np.datetime64("2013-03-01")
    assert {station for station, moment in began.items() if moment > start} == set(late)


def test_no_window_of_beijing_forecasts_a_value_that_was_not_measured(raw):
    file = raw(beijing.GUANYUAN.name)
    assert file["PM2.5"].isna().sum() == 616
    times = pd.to_datetime(file[["year", "month", "day", "hour"]])
    data = prepare("beijing", DataRequest(context_length=24, horizon=6))
    missing = np.isin(data.table.timestamps, times[file["PM2.5"].isna()].to_numpy())
    assert missing.sum() == 616
    ends = np.concatenate([getattr(data.splits, part) for part in PARTS])
    assert not missing[ends[:, None] + np.arange(1, 7)].any()
    assert missing[ends].any(), "such a row may still be an input"


def test_the_wind_of_beijing_is_text_and_becomes_a_unit_vector(raw):
    file = raw(beijing.GUANYUAN.name)
    assert file["wd"].nunique() == 16
    assert file["wd"].isna().sum() == 81
    table = load("beijing")
    east, north = column(table, "wd_east"), column(table, "wd_north")
    np.testing.assert_allclose(np.hypot(east, north), 1.0)
    directions = file["wd"].ffill().to_numpy()[-len(east) :]
    half = np.sqrt(0.5)
    for point, vector in {"N": (0, 1), "E": (1, 0), "S": (0, -1), "W": (-1, 0), "SW": (-half, -half)}.items():
        here = directions == point
        assert here.any()
        np.testing.assert_allclose(east[here], vector[0], atol=1e-12)
        np.testing.assert_allclose(north[here], vector[1], atol=1e-12)


# Electric arc furnace


@pytest.fixture(scope="module")
def furnace(raw):
    file = raw("eaf_temp.csv.xz")
    return file.assign(DATETIME=pd.to_datetime(file["DATETIME"]))


def test_the_furnace_rows_are_not_in_time_order_and_each_heat_of_the_table_is(furnace):
    assert (furnace["DATETIME"].diff() < pd.Timedelta(0)).sum() == 31_344
    table = load("eaf")
    forward = np.diff(table.timestamps) > np.timedelta64(0)
    assert (forward | (np.diff(table.groups) != 0)).all()
    began = furnace.groupby("HEATID")["DATETIME"].min()
    assert len(table.group_names) == furnace["HEATID"].nunique() == 20_827
    assert began[list(table.group_names)].is_monotonic_increasing, "heats stand in the order they began"
    assert len(table.segments) == 20_827, "and each is a segment"


def test_furnace_rows_come_twice_and_readings_of_one_minute_are_averaged(furnace):
    assert furnace.duplicated().sum() == 1_808
    assert furnace.duplicated(["HEATID", "DATETIME"]).sum() == 4_455
    minute = furnace[(furnace["HEATID"] == "5F0024") & (furnace["DATETIME"] == "2015-01-01 21:22")]
    assert minute[["TEMP", "VALO2_PPM"]].to_numpy().tolist() == [[1705, 1193], [1716, 1214]]
    table = load("eaf")
    assert len(table.timestamps) == len(furnace) - 4_455
    heat = table.groups == table.group_names.index("5F0024")
    (row,) = np.flatnonzero(heat & (table.timestamps == np.datetime64("2015-01-01T21:22")))
    assert column(table, "TEMP")[row] == 1710.5
    assert column(table, "VALO2_PPM")[row] == 1203.5
    # A row that comes twice counts once in the mean of its minute.
    once = furnace.drop_duplicates().groupby(["HEATID", "DATETIME"])["TEMP"].mean()
    index = pd.MultiIndex.from_arrays([np.array(table.group_names)[table.groups], table.timestamps])
    np.testing.assert_allclose(column(table, "TEMP"), once.loc[index])


def test_an_oxygen_of_0_or_9999_is_no_reading_and_never_forecast(furnace):
    assert (furnace["VALO2_PPM"] == 0).sum() == 10_116
    assert (furnace["VALO2_PPM"] == 9999).sum() == 1_485
    data = prepare("eaf", DataRequest(context_length=2, horizon=1, target=("VALO2_PPM",)))
    oxygen, read = column(data.table, "VALO2_PPM"), column(data.table, "oxygen_measured") == 1
    assert oxygen.max() < 9999
    real = ~furnace["VALO2_PPM"].isin([0, 9999])
    assert read.sum() == len(furnace[real].drop_duplicates(["HEATID", "DATETIME"]))
    assert oxygen[read].min() > 0
    ends = np.concatenate([getattr(data.splits, part) for part in PARTS])
    assert read[ends + 1].all()
    assert not read[ends].all(), "a row without a reading may still be an input"


def test_before_the_first_oxygen_of_a_heat_stands_0_and_later_the_last_of_that_heat():
    table = load("eaf")
    oxygen, read = column(table, "VALO2_PPM"), column(table, "oxygen_measured") == 1
    begins = np.array([start for start, _ in table.segments])
    assert (~read[begins]).any()
    assert (oxygen[begins[~read[begins]]] == 0).all()
    inside = np.setdiff1d(np.flatnonzero(~read), begins)
    assert (oxygen[inside] == oxygen[inside - 1]).all()


# Rossmann


@pytest.fixture(scope="module")
def sales(data_dir):
    types = {"StateHoliday": str}
    return pd.read_csv(data_dir / "rossmann_train.csv.xz", dtype=types, parse_dates=["Date"])


@pytest.fixture(scope="module")
def stores(raw):
    return raw("rossmann_store.csv").set_index("Store")


def store_rows(table, store):
    return np.flatnonzero(table.groups == table.group_names.index(str(store)))


def test_rossmann_comes_newest_first_and_the_table_is_store_after_store_oldest_first(sales):
    assert sales["Date"].is_monotonic_decreasing
    table = load("rossmann")
    steps = np.diff(table.timestamps) > np.timedelta64(0)
    assert (steps == (np.diff(table.groups) == 0)).all(), "time runs back only where a store begins"
    of_file = sales.sort_values(["Store", "Date"])
    assert (of_file["Store"].to_numpy() - 1 == table.groups).all()
    assert (of_file["Sales"].to_numpy() == column(table, "sales")).all()
    assert (of_file["Customers"].to_numpy() == column(table, "customers")).all()


def test_state_holidays_are_numbers_and_text_mixed_and_become_three_flags(data_dir):
    with pytest.warns(pd.errors.DtypeWarning):
        naive = pd.read_csv(data_dir / "rossmann_train.csv.xz", usecols=["StateHoliday"])["StateHoliday"]
    assert {type(value) for value in naive.unique()} == {int, str}
    table = load("rossmann")
    flags = np.stack([column(table, name) for name in ("public_holiday", "easter_holiday", "christmas")])
    assert flags.sum(axis=1).tolist() == [20_260, 6_690, 4_100]
    assert flags.sum(axis=0).max() == 1
    days = {str(day)[5:10] for day in np.unique(table.timestamps[flags[2] == 1])}
    assert days == {"12-25", "12-26"}


def test_180_stores_lack_half_a_year_and_begin_a_new_segment_after_it(sales):
    counts = sales.groupby("Store").size()
    assert (counts == 758).sum() == 180
    assert counts[988] == 941, "this one lacks its first day: no gap"
    table = load("rossmann")
    starts = np.array([start for start, _ in table.segments])
    resumed = starts[np.concatenate([[False], np.diff(table.groups[starts]) == 0])]
    assert {int(table.group_names[code]) for code in table.groups[resumed]} == set(
        counts.index[counts == 758]
    )
    assert set(table.timestamps[resumed - 1].astype("datetime64[D]").astype(str)) == {"2014-06-30"}
    assert set(table.timestamps[resumed].astype("datetime64[D]").astype(str)) == {"2015-01-01"}


def test_september_is_sept_and_promo2_begins_anew_in_it(stores):
    assert set(stores["PromoInterval"].dropna()) == {"Jan,Apr,Jul,Oct", "Feb,May,Aug,Nov", "Mar,Jun,Sept,Dec"}
    store = stores.loc[19]
    assert store["PromoInterval"] == "Mar,Jun,Sept,Dec"
    assert store["Promo2SinceYear"] == 2011
    table = load("rossmann")
    rows = store_rows(table, 19)
    month = pd.DatetimeIndex(table.timestamps[rows]).month
    assert (column(table, "promo2")[rows] == month.isin([3, 6, 9, 12])).all()


def test_promo2_is_0_before_its_week_and_in_stores_that_take_no_part(stores):
    assert stores["Promo2SinceWeek"].isna().sum() == 544
    table = load("rossmann")
    flag = column(table, "promo2")
    none = stores.index[stores["Promo2"] == 0] - 1
    assert len(none) == 544
    assert flag[np.isin(table.groups, none)].sum() == 0
    store = stores.loc[28]
    assert store[["Promo2SinceYear", "Promo2SinceWeek"]].tolist() == [2015, 6]
    rows = store_rows(table, 28)
    first = table.timestamps[rows][flag[rows] == 1].min()
    assert str(first)[:10] == "2015-03-01", "from its first March on"


def test_a_competitor_of_unknown_distance_counts_as_far_and_of_unknown_opening_as_open(stores):
    far = stores.index[stores["CompetitionDistance"].isna()]
    assert far.tolist() == [291, 622, 879]
    unknown = stores.index[stores["CompetitionOpenSinceYear"].isna()]
    assert len(unknown) == 354
    table = load("rossmann")
    near, opened = column(table, "competitor_near"), column(table, "competitor_open")
    assert set(table.groups[near == 0] + 1) == set(far)
    assert opened[np.isin(table.groups, unknown - 1)].all()
    since = pd.to_datetime("2014-06-01")
    later = stores.index[
        (stores["CompetitionOpenSinceYear"] == since.year) & (stores["CompetitionOpenSinceMonth"] == 6)
    ]
    rows = store_rows(table, later[0])
    assert (opened[rows] == (table.timestamps[rows] >= since.to_numpy())).all()


def test_closed_days_and_open_days_without_sales_stay(sales):
    assert ((sales["Open"] == 1) & (sales["Sales"] == 0)).sum() == 54
    assert (sales["Open"] == 0).sum() == 172_817
    table = load("rossmann")
    is_open, sold = column(table, "open") == 1, column(table, "sales")
    assert (is_open & (sold == 0)).sum() == 54
    assert (~is_open).sum() == 172_817
    assert (sold[~is_open] == 0).all()


# Human activity


def test_har_keeps_the_bytes_of_its_floats_in_planes_apart_and_they_are_put_together(data_dir):
    with np.load(data_dir / "uci_har_segments.npz") as file:
        planes, names = file["signal_bytes"], list(file["channels"])
        starts, subjects = file["segment_start"], file["segment_subject"]
    assert planes.dtype == np.uint8
    assert planes.shape == (6, 4, 713_984)
    table = load("har")
    order = np.argsort(subjects, kind="stable")  # the table's: by person
    for segment in (0, 1, 400, 856):
        row, of_file = table.segments[segment][0], int(starts[order[segment]])
        for channel, name in enumerate(names):
            for ahead in (0, 127):
                (value,) = struct.unpack("<f", planes[channel, :, of_file + ahead].tobytes())
                assert column(table, name)[row + ahead] == value
    still = table.target_values[:, 0] == table.class_names.index("sitting")
    norm = np.linalg.norm([column(table, f"total_acc_{axis}")[still] for axis in "xyz"], axis=0)
    assert np.median(norm) == pytest.approx(1, abs=0.05), "of a person at rest: gravity, in g"


def test_har_gives_the_7352_and_2947_official_windows_of_128_by_9_with_their_labels():
    data = prepare("har", DataRequest(context_length=128, horizon=1))
    train = np.concatenate([data.splits.train, data.splits.val])
    assert (len(train), len(data.splits.test)) == (7_352, 2_947)
    labels = data.table.target_values[:, 0].astype(int)
    assert np.bincount(labels[train]).tolist() == [1226, 1073, 986, 1286, 1374, 1407]
    assert np.bincount(labels[data.splits.test]).tolist() == [496, 471, 420, 491, 532, 537]
    windows = data.features[data.splits.test[:, None] - np.arange(127, -1, -1)]
    assert windows.shape == (2_947, 128, 9)
    names = np.array(data.table.group_names)
    held_out = set(names[data.table.groups[data.splits.test]])
    assert held_out == {"2", "4", "9", "10", "12", "13", "18", "20", "24"}
    assert not held_out & set(names[data.table.groups[train]])


def test_each_stretch_of_har_is_one_person_doing_one_thing():
    table = load("har")
    assert len(table.segments) == 857
    for start, stop in table.segments:
        assert len(set(table.groups[start:stop])) == 1
        assert len(set(table.target_values[start:stop, 0])) == 1
        assert table.usable[start:stop].sum() == (stop - start - 128) // 64 + 1


# Electricity transformer


@pytest.mark.parametrize(("name", "file", "rows_an_hour"), [("etth1", "ETTh1", 1), ("ettm1", "ETTm1", 4)])
def test_ett_has_no_gaps_and_trains_12_months_validates_4_and_tests_4(raw, name, file, rows_an_hour):
    frame = raw(f"{file}.csv.xz")
    times = pd.to_datetime(frame["date"])
    assert times.diff().iloc[1:].nunique() == 1
    assert not frame.isna().any().any()
    horizon, month = 24, 30 * 24 * rows_an_hour
    data = prepare(name, DataRequest(context_length=96, horizon=horizon))
    assert data.table.segments == ((0, 17_420 * rows_an_hour),)
    assert (frame["OT"].to_numpy() == column(data.table, "OT")).all()
    assert data.splits.rows == {
        "train": ((0, 12 * month),),
        "val": ((12 * month, 16 * month),),
        "test": ((16 * month, 20 * month),),
    }
    # As in the literature: every row of a part is a target, windows reach back for their inputs.
    assert len(data.splits.val) == len(data.splits.test) == 4 * month - horizon + 1
    starts = [str(times[part * month]) for part in (0, 12, 16, 20)]
    assert starts == [f"{day} 00:00:00" for day in ("2016-07-01", "2017-06-26", "2017-10-24", "2018-02-21")]


# Funds


def test_the_columns_of_the_funds_stand_in_another_order_and_are_taken_by_name(raw):
    file = raw("equity_etf_ohlcv_to_2026-08.csv.xz")
    assert list(file.columns) == ["Symbol", "Date", "Close", "High", "Low", "Open", "Volume"]
    for symbol in ("SPY", "QQQ", "DIA"):
        of_file = file[file["Symbol"] == symbol].set_index("Date")
        table = load(symbol.lower())
        days = table.timestamps.astype("datetime64[D]").astype(str)
        for name in ("Open", "High", "Low", "Close", "Volume"):
            assert (column(table, name.lower()) == of_file.loc[days, name]).all()
        slack = 1e-6 * column(table, "close")
        for name in ("open", "close"):
            assert (column(table, "low") <= column(table, name) + slack).all()
            assert (column(table, name) <= column(table, "high") + slack).all()


def test_the_vix_ends_in_january_2022_and_so_do_the_tiers_that_need_it(raw):
    indices = raw("equity_daily_adjclose.csv.xz")
    vix = indices[indices["Symbol"] == "^VIX"].set_index("Date")["Close"]
    assert vix.index.max() == "2022-01-25"
    assert str(load("spy").timestamps[-1])[:10] == "2026-08-21"
    table = load("spy", features="a50")
    assert str(table.timestamps[-1])[:10] == "2022-01-25"
    days = table.timestamps.astype("datetime64[D]").astype(str)
    assert (vix.loc[days].to_numpy() == column(table, "vix")).all()


def test_the_close_is_not_the_adjusted_one_which_depends_on_the_day_of_the_download(raw):
    file = raw("equity_daily_adjclose.csv.xz")
    old = file[file["Symbol"] == "DIA"].set_index("Date")
    assert (old["Adj Close"] < 0.99 * old["Close"]).mean() > 0.9
    table = load("dia")
    close = pd.Series(column(table, "close"), index=table.timestamps.astype("datetime64[D]").astype(str))
    shared = close.index.intersection(old.index)
    assert len(shared) > 6_000
    np.testing.assert_allclose(close[shared], old.loc[shared, "Close"], rtol=1e-9)


# The old protocol


@pytest.mark.parametrize(
    ("name", "context", "horizon", "n_channels", "counts"),
    [
        ("beijing", 24, 6, 16, (1996, 427, 427)),
        ("eaf", 16, 1, 2, (97, 20, 20)),
        ("jena", 72, 36, 14, (12_022, 2_575, 2_575)),
    ],
)
def test_the_shapes_of_the_legacy_protocol(name, context, horizon, n_channels, counts):
    data = prepare(name, DataRequest(context_length=context, horizon=horizon, split=legacy.NAME))
    assert tuple(len(getattr(data.splits, part)) for part in PARTS) == counts
    windows = data.features[data.splits.train[:, None] - np.arange(context)]
    assert windows.shape == (counts[0], context, n_channels)
    assert data.splits.leaks
    assert data.table.leaks


# Size


def arrays_of(value):
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        if isinstance(inner, np.ndarray):
            yield field.name, inner
        elif dataclasses.is_dataclass(inner):
            yield from arrays_of(inner)


@pytest.mark.parametrize(("name", "context"), [("ettm1", 336), ("har", 128), ("eaf", 2)])
def test_windows_are_not_laid_out_in_memory(name, context):
    data = prepare(name, DataRequest(context_length=context, horizon=1))
    n_rows, n_channels = data.table.features.shape
    assert data.features.dtype == data.target_values.dtype == np.float32
    assert data.features.nbytes == 4 * n_rows * n_channels
    assert data.target_values.nbytes == 4 * n_rows * data.table.target_values.shape[1]
    for name, array in arrays_of(data):
        assert array.ndim <= 2, name
        assert len(array) <= n_rows, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "groups", "n_rows", "n_groups"),
    [("rossmann", (), 1_017_209, 1_115), ("beijing", ("all",), 420_746, 12)],
)
def test_the_large_ones_load_in_10_seconds(name, groups, n_rows, n_groups):
    started = time.perf_counter()
    table = DATASETS[name].load(DataRequest(context_length=28, horizon=7, groups=groups))
    seconds = time.perf_counter() - started
    assert len(table.timestamps) == n_rows
    assert len(table.group_names) == len(np.unique(table.groups)) == n_groups
    assert seconds < 10
