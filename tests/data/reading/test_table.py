"""A user's own file: what is found in it, what is refused, and that nothing leaks or crashes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.data import prepare
from hpo.data.base import DataRequest
from hpo.data.reading.table import load
from hpo.data.reading.table import read as read_request

N = 400


def frame(**changes):
    rng = np.random.default_rng(0)
    columns = {
        "date": pd.date_range("2024-01-01", periods=N, freq="h"),
        "wind": rng.normal(size=N),
        "load": rng.normal(size=N).cumsum(),
    }
    return pd.DataFrame({**columns, **changes})


def write(tmp_path, table, name="my.csv"):
    path = tmp_path / name
    if name.endswith(".parquet"):
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path


def read(path, time=(), target=()):
    return read_request(request(path, time=time, target=target))


def request(path, **changes):
    return DataRequest(**{"context_length": 10, "horizon": 3, "path": path, **changes})


@pytest.mark.parametrize("name", ["my.csv", "my.parquet", "my.csv.gz", "my.csv.xz", "My Data.CSV"])
def test_a_good_file(tmp_path, name):
    table = frame()
    data = prepare("my", request(write(tmp_path, table, name), target=("load",), time=("date",)))
    assert data.table.channel_names == ("wind", "load")
    assert data.table.frequency == "hour"
    assert data.table.target_channels == (1,)
    assert len(data.table.sha256) == 64
    end = data.splits.train[17]
    targets = data.targets_at(np.array([end]))[0] * data.target_std[0] + data.target_mean[0]
    np.testing.assert_allclose(targets, table["load"].to_numpy()[end + 1 : end + 4], rtol=1e-4, atol=1e-4)


def test_several_targets_are_step_major(tmp_path):
    table = frame()
    data = prepare("my", request(write(tmp_path, table), target=("load", "wind")))
    assert data.targets_at(data.splits.val).shape == (len(data.splits.val), 6)
    end = data.splits.val[0]
    got = data.targets_at(np.array([end]))[0].reshape(3, 2) * data.target_std + data.target_mean
    expected = table[["load", "wind"]].to_numpy()[end + 1 : end + 4]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_time_and_target_are_found(tmp_path):
    table = frame()[["wind", "date", "load"]]
    loaded = read(write(tmp_path, table))
    assert (loaded.timeline.columns, list(loaded.channels.numbers)) == (("date",), ["wind", "load"])
    assert prepare("my", request(write(tmp_path, table))).table.target_names == ("load",)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["2024-01-02 03:00", "2024-01-02 04:00", "2024-01-02 05:00"], "2024-01-02T04:00:00"),
        (["13.01.2024 03:00:00", "13.01.2024 04:00:00", "13.01.2024 05:00:00"], "2024-01-13T04:00:00"),
        (["2024-01-02T03:00Z", "2024-01-02T04:00Z", "2024-01-02T05:00Z"], "2024-01-02T04:00:00"),
        (["2024-01-01", "2024-01-02", "2024-01-03"], "2024-01-02T00:00:00"),
    ],
)
def test_ways_to_write_a_time(tmp_path, dates, expected):
    path = write(tmp_path, pd.DataFrame({"t": dates, "y": [1.0, 2.0, 4.0]}))
    assert str(read(path).times[1].astype("datetime64[s]")) == expected


@pytest.mark.parametrize(
    ("freq", "name"),
    [
        ("h", "hour"),
        ("15min", "15 minutes"),
        ("D", "day"),
        ("B", "business day"),
        ("W", "week"),
        ("MS", "month"),
    ],
)
def test_frequencies(tmp_path, freq, name):
    table = frame(date=pd.date_range("2010-01-01", periods=N, freq=freq))
    loaded = read(write(tmp_path, table))
    assert loaded.step.name == name
    assert loaded.segments == ((0, N),)


def test_windows_do_not_cross_gaps(tmp_path):
    table = frame().drop(index=[*range(100, 105), *range(250, 252)]).reset_index(drop=True)
    data = prepare("my", request(write(tmp_path, table), target=("load",)))
    assert data.table.segments == ((0, 100), (100, 245), (245, N - 7))
    hours = table["date"].to_numpy()
    for ends in (data.splits.train, data.splits.val, data.splits.test):
        for end in ends:
            assert hours[end + 3] - hours[end - 9] == np.timedelta64(12, "h")


def test_irregular_times_are_taken_row_by_row(tmp_path):
    steps = np.random.default_rng(0).integers(1, 1000, N).cumsum()
    table = frame(date=pd.Timestamp("2024-01-01") + pd.to_timedelta(steps, unit="s"))
    loaded = read(write(tmp_path, table))
    assert (loaded.step.name, loaded.segments) == ("irregular", ((0, N),))


def test_missing_inputs_are_filled_from_the_past_alone(tmp_path):
    wind = frame()["wind"].to_numpy().copy()
    wind[[50, 51, 200]] = np.nan
    table = load(request(write(tmp_path, frame(wind=wind)), target=("load",)))
    assert table.channel_names == ("wind", "load", "wind is missing")
    assert table.features[50, 0] == table.features[51, 0] == wind[49]
    assert table.features[200, 0] == wind[199]
    assert np.flatnonzero(table.features[:, 2]).tolist() == [50, 51, 200]
    assert table.usable is None


def bad_dates(edit):
    dates = frame()["date"].astype(object).to_numpy().copy()
    edit(dates)
    return frame(date=dates)


def repeat(dates):
    dates[30] = dates[29]
    dates[40] = dates[39]


def lose(dates):
    dates[7] = None


BAD = {
    "missing": (
        lambda: bad_dates(lose),
        {},
        r"1 times in 'date' are missing or cannot be read, first in row 8",
    ),
    "repeated": (
        lambda: bad_dates(repeat),
        {},
        r"2 times repeat, first 2024-01-02 05:00:00 in rows 30 and 31",
    ),
    "time is no time": (
        frame,
        {"time": ("wind",)},
        r"'wind' holds no times that can be read, .*--time-format",
    ),
    "unknown time": (frame, {"time": ("dat",)}, r"no column 'dat': did you mean 'date'"),
    "unknown target": (frame, {"target": ("lod",)}, r"no column 'lod': did you mean 'load'\? columns: date"),
    "unknown column": (frame, {"columns": ("lod",)}, r"no column 'lod': did you mean 'load'"),
    "unknown drop": (frame, {"drop": ("lod",)}, r"no column 'lod': did you mean 'load'"),
    "target is time": (frame, {"target": ("date",)}, r"target 'date' is the timestamp column"),
    "target is dropped": (
        frame,
        {"target": ("load",), "drop": ("load",)},
        r"'load' is to be dropped and to be used",
    ),
    "target twice": (frame, {"target": ("load", "load")}, r"targets must differ"),
    "odd text": (
        lambda: frame(wind=["1"] * 9 + ["calm"] + ["2.5"] * (N - 10)),
        {},
        r"'wind' must hold numbers, got 'calm' in row 10 \(1 such in all\); give --missing calm",
    ),
    "text target": (
        lambda: frame(load=["a", "b"] * (N // 2)),
        {"target": ("load",)},
        r"target 'load' is text; a target holds numbers",
    ),
    "constant target": (
        lambda: frame(load=3.0),
        {"target": ("load",)},
        r"'load' is constant \(3 in every row\)",
    ),
    "empty target": (lambda: frame(load=None), {"target": ("load",)}, r"target 'load' is empty"),
    "infinity": (
        lambda: frame(wind=[1.0, np.inf, *range(N - 2)]),
        {},
        r"'wind' holds infinity, first in row 2; give --missing inf,-inf",
    ),
    "too few rows": (lambda: frame().head(18), {}, r"18 rows leave no val window of 10 .* about 28 rows"),
    "only a time": (lambda: frame()[["date"]], {}, r"no column of numbers beside date"),
    "not binary": (frame, {"task": "binary"}, r"a binary target holds 0 and 1 alone"),
    "header only": (lambda: frame().head(0), {}, r"header of 3 columns and no rows"),
    "unknown zone": (
        frame,
        {"time_zone": "Europe/Berln"},
        r"no time zone .* did you mean Europe/Berlin",
    ),
    "unknown encoding": (frame, {"encoding": "utf-99"}, r"no encoding 'utf-99'"),
    "wrong time format": (
        frame,
        {"time_format": "%d.%m.%Y"},
        r"'date' is not written as --time-format '%d.%m.%Y'",
    ),
    "no frequency": (frame, {"frequency": "often"}, r"--frequency must be such as hour, .* got 'often'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_one_clear_line(tmp_path, name):
    make, changes, words = BAD[name]
    with pytest.raises(ValueError, match=words) as caught:
        prepare("my", request(write(tmp_path, make()), **changes))
    assert "\n" not in str(caught.value)


BAD_BYTES = {
    "empty.csv": (b"", "empty"),
    "fake.parquet": (b"date,x\n2024-01-01,1\n", "not a readable Parquet"),
    "torn.csv.gz": (b"\x1f\x8b\x08\x00garbage", "not a readable CSV"),
    "torn.csv.xz": (b"\xfd7zXZ\x00garbage", "not a readable CSV"),
    "torn.csv.zip": (b"PKgarbage", "not a readable CSV"),
    "ragged.csv": (
        b"date,x\n2024-01-01,1\n2024-01-02,1,2,3\n2024-01-03,1\n",
        r"a row has 4 cells where 2 are expected: '2024-01-02,1,2,3'",
    ),
    "torn_row.csv": (
        b"date,x,y\n2024-01-01,1,2\n2024-01-02,1,2\n2024-01-03,1",
        "a row has 2 cells where 3 are",
    ),
    "table.xlsx": (b"PK", "must end in one of .* save the sheet as CSV"),
    "nul.csv": (b"\x00" * 1000, "no text"),
    "blank.csv": (b"\n\n\n", "no rows"),
}


@pytest.mark.parametrize("name", BAD_BYTES)
def test_a_file_that_is_no_table_is_one_clear_line(tmp_path, name):
    content, words = BAD_BYTES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        prepare("my", request(path))
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_missing_file(tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(ValueError, match="this is a folder"):
        prepare("x", request(tmp_path / "x.csv"))
    with pytest.raises(ValueError, match="no such file"):
        prepare("x", request(tmp_path / "none.csv"))


def test_a_file_larger_than_memory_is_refused_with_the_numbers(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(500 * 10**9)  # a sparse file: it takes no disk
    with pytest.raises(
        ValueError, match=r"500\.0 GB and would take about 1500 GB of memory; \d+ GB are free"
    ):
        prepare("huge", request(path))


def test_a_binary_target_is_forecast_at_its_horizon(tmp_path):
    rain = (np.random.default_rng(1).random(N) < 0.3).astype(int)
    data = prepare("my", request(write(tmp_path, frame(rain=rain)), target=("rain",), task="binary"))
    ends = data.splits.val
    np.testing.assert_array_equal(data.targets_at(ends)[:, 0], rain[ends + 3])


@st.composite
def tables(draw):
    n_rows = draw(st.integers(1, 300))
    columns = {}
    for name in draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)):
        kind = draw(st.sampled_from(["float", "float", "float", "int", "bool", "text", "constant", "nan"]))
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        columns[name] = {
            "float": lambda rng=rng: rng.normal(0, 10.0 ** rng.integers(-6, 6), n_rows),
            "int": lambda rng=rng: rng.integers(-5, 5, n_rows),
            "bool": lambda rng=rng: rng.random(n_rows) < 0.5,
            "text": lambda rng=rng: np.array(["x", "1", ""])[rng.integers(0, 3, n_rows)],
            "constant": lambda: np.full(n_rows, 2.0),
            "nan": lambda rng=rng: np.where(rng.random(n_rows) < 0.1, np.nan, rng.normal(size=n_rows)),
        }[kind]()
    start = pd.Timestamp("2020-01-01")
    step = draw(st.sampled_from([60, 3600, 86_400]))
    gaps = np.ones(n_rows, dtype=int)
    gaps[draw(st.lists(st.integers(0, n_rows - 1), max_size=3))] = draw(st.integers(0, 9))
    columns["date"] = start + pd.to_timedelta(gaps.cumsum() * step, unit="s")
    return pd.DataFrame(columns)


def attempt(asked):
    """The data, or the one line that says why not."""
    try:
        return prepare("t", asked)
    except ValueError as error:
        return str(error)


@settings(max_examples=150, deadline=None)
@given(
    table=tables(),
    context_length=st.integers(1, 12),
    horizon=st.integers(1, 6),
    split=st.sampled_from(["contiguous", "scattered"]),
    data=st.data(),
)
def test_any_table_is_used_without_a_leak_or_refused_in_one_line(
    tmp_path_factory, table, context_length, horizon, split, data
):
    target = data.draw(st.sampled_from([c for c in table.columns if c != "date"]))
    path = write(tmp_path_factory.mktemp("t"), table, data.draw(st.sampled_from(["t.csv", "t.parquet"])))
    asked = request(path, context_length=context_length, horizon=horizon, split=split, target=(target,))
    ready = attempt(asked)
    if isinstance(ready, str):
        assert "\n" not in ready
        return
    assert np.isfinite(ready.features).all()
    train = ready.splits.train
    inside = np.zeros(len(table), dtype=bool)
    for start, stop in ready.splits.rows["train"]:
        inside[start:stop] = True
    # Everything but the training rows is replaced; numbers may not become constant or the like by it.
    altered = table.copy()
    noise = np.random.default_rng(0).normal(0, 1e3, len(table))
    for name in altered.columns.drop("date"):
        if altered[name].dtype.kind not in "fib":
            altered[name] = np.where(inside, altered[name], "unseen")
        elif altered[name].nunique() > 1:
            altered[name] = np.where(inside | altered[name].isna(), altered[name], noise)
    again = prepare(
        "t",
        request(
            write(tmp_path_factory.mktemp("u"), altered),
            **{key: getattr(asked, key) for key in ("context_length", "horizon", "split", "target")},
        ),
    )
    np.testing.assert_array_equal(again.splits.train, train)
    np.testing.assert_allclose(again.feature_mean, ready.feature_mean, rtol=1e-9, atol=1e-12)
    rows = train[:, None] + np.arange(1 - context_length, 1)
    np.testing.assert_allclose(again.features[rows], ready.features[rows], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(again.targets_at(train), ready.targets_at(train), rtol=1e-4, atol=1e-5)


SHARED = os.environ.get("HPO_DATA_DIR")


@pytest.mark.skipif(SHARED is None, reason="HPO_DATA_DIR is not set")
def test_a_real_file():
    path = Path(SHARED) / "ETTh1.csv.xz"
    data = prepare("ETTh1", DataRequest(context_length=96, horizon=24, path=path, target=("OT",)))
    assert data.features.shape == (17_420, 7)
    assert data.table.frequency == "hour"
    assert data.table.segments == ((0, 17_420),)
    assert str(data.table.timestamps[-1])[:13] == "2018-06-26T19"


MEASURE = """
import sys, time
from pathlib import Path
from hpo.data import prepare
from hpo.data.base import DataRequest

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
started = time.perf_counter()
data = prepare("big", DataRequest(context_length=96, horizon=24, path=Path(sys.argv[1]), target=("i",)))
seconds = time.perf_counter() - started
assert len(data.splits.train) > 690_000
print(seconds, memory("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_million_rows_load_in_ten_seconds_and_three_times_their_size(tmp_path, suffix):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(1_000_000, 9)), columns=list("abcdefghi"))
    table.insert(0, "date", pd.date_range("2020-01-01", periods=1_000_000, freq="min"))
    path = tmp_path / f"big{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path, index=False)
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    size = 1_000_000 * 10 * 8
    print(f"1,000,000 rows x 10 columns, {suffix}: {seconds:.1f} s, {memory / size:.2f} times their size")
    assert seconds < 10
    assert memory < 3 * size


def test_a_column_may_change_its_kind_of_number_after_the_first_block(tmp_path):
    n = 60_000  # more text than one block of the reader
    times = pd.date_range("2020-01-01", periods=n, freq="min").astype(str).to_numpy()
    times[-1] = str(pd.Timestamp(times[-1]) + pd.Timedelta(milliseconds=500))
    table = pd.DataFrame({"date": times, "count": [str(i + 7) for i in range(n)], "late": [""] * n})
    table.loc[n - 1, ["count", "late"]] = "0.5"
    table.loc[0, "late"] = "1"
    numbers = read(write(tmp_path, table)).channels.numbers
    assert [numbers[name][-1] for name in ("count", "late")] == [0.5, 0.5]
    assert (numbers["count"][-2], numbers["late"][0]) == (n + 5, 1.0)
    assert np.isnan(numbers["late"]).sum() == n - 2


def test_text_after_the_first_block_is_named_with_its_row(tmp_path):
    n = 60_000
    x = (np.arange(n) % 7).astype(str).astype(object)
    x[-1] = "oops"
    table = pd.DataFrame({"date": pd.date_range("2020-01-01", periods=n, freq="min"), "x": x})
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(ValueError, match=r"column 'x' must hold numbers, got 'oops' in row 60,000"):
            read(write(tmp_path, table, name))
