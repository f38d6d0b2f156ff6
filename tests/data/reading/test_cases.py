"""What people really have: a small input of each kind, what is right, and advice that runs as printed."""

import re
import shlex

import numpy as np
import pandas as pd
import pytest

RNG = np.random.default_rng(0)


def noise(n_rows, mean=100.0):
    return np.round(mean + 10 * np.sin(np.arange(n_rows) / 4) + RNG.normal(0, 3, n_rows), 2)


def text(columns, **how):
    return pd.DataFrame(columns).to_csv(index=False, **how)


def german(values):
    return [f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".") for value in values]


BERLIN = pd.date_range("2022-10-25", "2022-11-06", freq="h", tz="Europe/Berlin", inclusive="left")
HOURS = pd.date_range("2024-01-01", periods=288, freq="h")
DAYS = pd.date_range("2021-01-01", periods=300, freq="D")
LONG = [pd.date_range("2020-01-01", periods=n, freq="D") for n in (300, 260, 320)]

CASES = {
    "dayfirst_monthly": (
        text(
            {"month": pd.date_range("1980", periods=480, freq="MS").strftime("%d/%m/%Y"), "sales": noise(480)}
        ),
        {},
        {
            "start": "1980-01-01 00:00:00",
            "end": "2019-12-01 00:00:00",
            "frequency": "month",
            "time_format": "%d/%m/%Y",
        },
    ),
    "dayfirst_hourly": (
        text({"when": HOURS.strftime("%d/%m/%Y %H:%M"), "load": noise(288)}),
        {},
        {"end": "2024-01-12 23:00:00", "frequency": "hour", "time_format": "%d/%m/%Y %H:%M"},
    ),
    "monthfirst_hourly": (
        text({"when": HOURS.strftime("%m/%d/%Y %I:%M %p"), "load": noise(288)}),
        {},
        {"end": "2024-01-12 23:00:00", "frequency": "hour", "time_format": "%m/%d/%Y %I:%M %p"},
    ),
    "clock_change": (
        text({"time": BERLIN.strftime("%Y-%m-%d %H:%M:%S"), "load": noise(len(BERLIN))}),
        {"time_zone": "Europe/Berlin"},
        {"rows": 289, "frequency": "hour", "start": "2022-10-24 22:00:00", "end": "2022-11-05 22:00:00"},
    ),
    "offsets": (
        text({"time": BERLIN.strftime("%d.%m.%Y %H:%M:%S %z"), "load": noise(len(BERLIN))}),
        {},
        {"rows": 289, "frequency": "hour", "start": "2022-10-24 22:00:00", "end": "2022-11-05 22:00:00"},
    ),
    "excel": (
        "\ufeff" + text({"Datum": DAYS.strftime("%d.%m.%Y"), "Umsatz": german(noise(300, 1479))}, sep=";"),
        {},
        {"rows": 300, "frequency": "day", "separator": ";", "decimal": ",", "encoding": "utf-8-sig"},
    ),
    "quoted_thousands": (
        text({"date": DAYS, "sales": [f"{value:,.2f}" for value in noise(300, 1479)]}),
        {},
        {"rows": 300, "frequency": "day", "separator": ",", "decimal": "."},
    ),
    "long": (
        text(
            {
                "unique_id": np.repeat(["store_1", "store_2", "store_3"], [len(days) for days in LONG]),
                "ds": np.concatenate(LONG),
                "y": noise(880),
            }
        ),
        {},
        {"series": ("store_1", "store_2", "store_3"), "gaps": 0, "frequency": "day", "target": ("y",)},
    ),
    "integer_steps": (
        text({"ds": np.arange(1, 400), "y": noise(399)}),
        {},
        {"rows": 399, "start": "1", "end": "399", "frequency": "step", "gaps": 0, "time": "ds"},
    ),
    "epoch_milliseconds": (
        text({"timestamp": 1640995200000 + 3600000 * np.arange(399), "y": noise(399)}),
        {},
        {"start": "2022-01-01 00:00:00", "frequency": "hour", "time_format": "epoch milliseconds"},
    ),
    "date_and_time": (
        text({"Date": HOURS.strftime("%Y-%m-%d"), "Time": HOURS.strftime("%H:%M:%S"), "y": noise(288)}),
        {},
        {"start": "2024-01-01 00:00:00", "frequency": "hour", "time": "Date,Time", "gaps": 0},
    ),
    "mixed_columns": (
        text(
            {
                "date": DAYS,
                "promo": RNG.random(300) < 0.2,
                "weather": RNG.choice(["rain", "sun", "snow"], 300),
                "shop_open": 1,
                "sales": noise(300),
            }
        ),
        {},
        {"rows": 300, "left_out": {"shop_open": "is constant (1 in every row)"}},
    ),
    "gaps_in_target": (
        text(
            {
                "time": HOURS,
                "temp": noise(288),
                "load": np.where(np.arange(288) % 97 == 5, np.nan, noise(288)),
            }
        ),
        {},
        {"rows": 288, "missing_targets": 3, "gaps": 0},
    ),
    "no_time": (text({"a": noise(300), "b": noise(300)}), {}, {"time": None, "start": "1", "end": "300"}),
    "odd_names": (
        text({"date": DAYS, "it's $cost": noise(300), 'Sales, "net"': noise(300), "größe 温度": noise(300)}),
        {"target": ('Sales, "net"', "it's $cost", "größe 温度")},
        {"target": ('Sales, "net"', "it's $cost", "größe 温度")},
    ),
    "sentinel": (
        text({"date": DAYS, "wind": np.where(np.arange(300) % 90 == 5, -9999, noise(300)), "y": noise(300)}),
        {},
        {"rows": 300},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_read_right_and_the_advice_runs_as_printed(name, save, check, load_line):
    content, settings, right = CASES[name]
    path = save(content, f"{name} it's.csv")
    report = check(path, **settings)
    assert {key: getattr(report, key) for key in right} == right
    data = load_line(report.command)
    assert data.table.target_names == report.target
    assert len(data.table.timestamps) == report.rows
    assert np.isfinite(data.features).all()


def test_values_are_those_in_the_file(save, check):
    excel = check(save(CASES["excel"][0]))
    lines = CASES["excel"][0].splitlines()[1:]
    values = [float(line.split(";")[1].replace(".", "").replace(",", ".")) for line in lines]
    assert (excel.columns[0].min, excel.columns[0].max) == (min(values), max(values))
    quoted = check(save(CASES["quoted_thousands"][0]))
    assert 1400 < quoted.columns[0].min < quoted.columns[0].max < 1600


def test_a_clock_that_is_set_back_is_named_with_the_flag_that_helps(save, check, load_flags):
    path = save(CASES["clock_change"][0])
    with pytest.raises(
        ValueError, match=r"2022-10-30 02:00:00 .* as clocks do when they are set back"
    ) as caught:
        check(path)
    flag = re.search(r"--time-zone \S+", str(caught.value)).group().rstrip(",")
    data = load_flags([f"--data={path}", *shlex.split(flag), "--context=10"])
    assert len(data.table.timestamps) == 289
    assert data.table.segments == ((0, 289),)


def test_a_sentinel_is_named_and_a_study_waits_for_the_word(save, check, load_flags):
    path = save(CASES["sentinel"][0])
    note = next(note for note in check(path).notes if "-9999" in note)
    assert "'wind' holds -9999 4 times, all else lies between" in note
    with pytest.raises(
        Exception, match=r"'wind' holds -9999 4 times.*--missing -9999 .*--missing none"
    ) as caught:
        load_flags([f"--data={path}", "--context=10"])
    assert "\n" not in str(caught.value)
    for flags, lowest in (("--missing -9999", 50), ("--missing none", -9999)):
        assert flags in str(caught.value)
        data = load_flags([f"--data={path}", "--context=10", *shlex.split(flags)])
        assert data.table.features[:, 0].min() >= lowest
        assert ("wind is missing" in data.table.channel_names) == (lowest == 50)


def test_several_series_are_named_with_the_flag_that_trains_over_all(save, load_flags):
    path = save(CASES["long"][0])
    with pytest.raises(
        Exception, match=r"3 series, told apart by unique_id: store_1, store_2, store_3; "
    ) as caught:
        load_flags([f"--data={path}", "--context=10"])
    flag = re.search(r"--series \S+", str(caught.value)).group()
    data = load_flags([f"--data={path}", "--context=10", *shlex.split(flag)])
    assert data.table.group_names == ("store_1", "store_2", "store_3")
    one = load_flags([f"--data={path}", "--context=10", *shlex.split(flag), "--groups=store_2"])
    assert len(one.table.timestamps) == 260


def test_an_odd_value_is_named_with_flags_that_help(save, load_flags):
    values = noise(300).astype(object)
    values[[7, 20]] = "?0.2", "oops, no"
    path = save(text({"date": DAYS, "a b": values, "y": noise(300)}))
    with pytest.raises(
        Exception, match=r"'a b' must hold numbers, got '\?0.2' in row 8 \(2 such in all\)"
    ) as caught:
        load_flags([f"--data={path}", "--context=10"])
    missing, drop = re.search(
        r"give (--missing .*) to take that as missing, or (--drop .*)", str(caught.value)
    ).groups()
    data = load_flags([f"--data={path}", "--context=10", *shlex.split(missing)])
    assert data.table.channel_names == ("a b", "y", "a b is missing")
    data = load_flags([f"--data={path}", "--context=10", *shlex.split(drop)])
    assert data.table.channel_names == ("y",)


def test_an_open_order_of_day_and_month_is_refused_with_formats_that_help(save, check):
    path = save("d,y\n01/02/2024 5:00,1\n02/02/2024 5:00,3\n03/02/2024 5:00,2\n")
    with pytest.raises(ValueError, match="the order of day and month in 'd' is open") as caught:
        check(path)
    formats = re.search(r"can be read as (.*) or (.*), and", str(caught.value)).groups()
    ends = {check(path, time_format=shlex.split(form)[0]).end for form in formats}
    assert ends == {"2024-02-03 05:00:00", "2024-03-02 05:00:00"}
