"""Times as people write them: one format for the whole column, or one line that says why not."""

import numpy as np
import pandas as pd
import pytest

N = 60
HOURS = pd.date_range("2024-01-13 00:00", periods=N, freq="h")
DAYS = pd.date_range("2024-01-05", periods=N, freq="D")
MONTHS = pd.date_range("1980-01-01", periods=N, freq="MS")
QUARTERS = pd.date_range("1950-01-01", periods=N, freq="QS")
WEEKS = pd.date_range("2010-01-04", periods=N, freq="W-MON")
YEARS = pd.date_range("1900-01-01", periods=N, freq="YS")
GERMAN = dict(
    zip(
        range(1, 13),
        ["Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"],
        strict=True,
    )
)
SPANISH = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]


def of(times, form):
    return list(times.strftime(form))


TEXTS = {
    "iso": (of(HOURS, "%Y-%m-%d %H:%M:%S"), HOURS, "hour", "%Y-%m-%d %H:%M:%S"),
    "iso T Z": (of(HOURS, "%Y-%m-%dT%H:%M:%SZ"), HOURS, "hour", "%Y-%m-%dT%H:%M:%S%z"),
    "iso hours alone": (of(HOURS, "%Y-%m-%dT%H"), HOURS, "hour", "%Y-%m-%dT%H"),
    "iso basic": (of(HOURS, "%Y%m%dT%H%M%S"), HOURS, "hour", "%Y%m%dT%H%M%S"),
    "fractions": (
        of(HOURS, "%Y-%m-%d %H:%M:%S.250"),
        HOURS + pd.Timedelta("250ms"),
        "hour",
        "%Y-%m-%d %H:%M:%S.%f",
    ),
    "day first": (of(DAYS, "%d.%m.%Y"), DAYS, "day", "%d.%m.%Y"),
    "month first": (of(DAYS, "%m/%d/%Y"), DAYS, "day", "%m/%d/%Y"),
    "no zeros": ([f"{d.day}/{d.month}/{d.year}" for d in DAYS], DAYS, "day", "%d/%m/%Y"),
    "two digits": (of(DAYS, "%d/%m/%y"), DAYS, "day", "%d/%m/%y"),
    "two digits of before": (of(YEARS, "%d/%m/%y"), YEARS, "year", "%d/%m/%y"),
    "mixed separators": (
        [t.strftime("%d/%m/%Y" if i % 3 else "%d-%m-%Y") for i, t in enumerate(DAYS)],
        DAYS,
        "day",
        "%d/%m/%Y",
    ),
    "some without clock": (
        [t.strftime("%Y-%m-%d" if t.hour == 0 else "%Y-%m-%d %H:%M") for t in HOURS],
        HOURS,
        "hour",
        "%Y-%m-%d %H:%M",
    ),
    "twelve hours": (of(HOURS, "%m/%d/%Y %I:%M %p"), HOURS, "hour", "%m/%d/%Y %I:%M %p"),
    "twelve hours short": (
        [f"{t.month}/{t.day}/{t.year} {t.hour % 12 or 12}{'ap'[t.hour > 11]}m" for t in HOURS],
        HOURS,
        "hour",
        "%m/%d/%Y %I%p",
    ),
    "24:00": (
        [
            (t - pd.Timedelta("1D")).strftime("%Y-%m-%d 24:00")
            if t.hour == 0
            else t.strftime("%Y-%m-%d %H:%M")
            for t in HOURS
        ],
        HOURS,
        "hour",
        "%Y-%m-%d %H:%M",
    ),
    "dots in the clock": (of(HOURS, "%d/%m/%Y %H.%M.%S"), HOURS, "hour", "%d/%m/%Y %H.%M.%S"),
    "clock first": (of(HOURS, "%H:%M %d.%m.%Y"), HOURS, "hour", "%H:%M %d.%m.%Y"),
    "ctime": (of(HOURS, "%a %b %d %H:%M:%S %Y"), HOURS, "hour", "%a %b %d %H:%M:%S %Y"),
    "javascript": (
        of(HOURS, "%a %b %d %Y %H:%M:%S GMT+0200 (CEST)"),
        HOURS - pd.Timedelta("2h"),
        "hour",
        "%a %b %d %Y %H:%M:%S %z",
    ),
    "log file": (
        of(HOURS, "%d/%b/%Y:%H:%M:%S -0330"),
        HOURS + pd.Timedelta("3.5h"),
        "hour",
        "%d/%b/%Y:%H:%M:%S %z",
    ),
    "Jan-80": (of(MONTHS, "%b-%y"), MONTHS, "month", "%b-%y"),
    "Jan-1980": (of(MONTHS, "%b-%Y"), MONTHS, "month", "%b-%Y"),
    "January 1980": (of(MONTHS, "%B %Y"), MONTHS, "month", "%B %Y"),
    "80-Jan": (of(MONTHS, "%y-%b"), MONTHS, "month", "%y-%b"),
    "1980-01": (of(MONTHS, "%Y-%m"), MONTHS, "month", "%Y-%m"),
    "01/1980": (of(MONTHS, "%m/%Y"), MONTHS, "month", "%m/%Y"),
    "German months": ([f"{t.day}. {GERMAN[t.month]} {t.year}" for t in DAYS], DAYS, "day", "%d. %b %Y"),
    "Spanish months": (
        [f"{t.day} de {SPANISH[t.month - 1]} de {t.year}" for t in DAYS],
        DAYS,
        "day",
        "%d de %B de %Y",
    ),
    "Chinese": (of(DAYS, "%Y年%m月%d日"), DAYS, "day", "%Y年%m月%d日"),
    "1950Q1": ([f"{t.year}Q{t.quarter}" for t in QUARTERS], QUARTERS, "quarter", "%YQ%q"),
    "1998 Q1": ([f"{t.year} Q{t.quarter}" for t in QUARTERS], QUARTERS, "quarter", "%Y Q%q"),
    "Q1-50": ([f"Q{t.quarter}-{t.year}" for t in QUARTERS], QUARTERS, "quarter", "Q%q-%Y"),
    "1950-1": ([f"{t.year}-{t.quarter}" for t in QUARTERS], QUARTERS, "quarter", "%Y-%q"),
    "2010-W01": (of(WEEKS, "%G-W%V"), WEEKS, "week", "%G-W%V"),
    "2010-W01-1": (of(WEEKS, "%G-W%V-1"), WEEKS, "week", "%G-W%V-%u"),
    "day of the year": (of(DAYS, "%Y-%j"), DAYS, "day", "%Y-%j"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_time_is_read_as_it_is_written_and_its_format_is_named(name, save, check):
    texts, times, frequency, form = TEXTS[name]
    content = pd.DataFrame({"when": texts, "y": np.arange(N) % 7}).to_csv(index=False)
    report = check(save(content))
    assert (report.start, report.end) == (str(times[0])[:19], str(times[-1])[:19])
    assert (report.rows, report.frequency, report.time_format) == (N, frequency, form)
    # What is named is what may be given.
    again = check(save(content), time=("when",), time_format=form)
    assert (again.start, again.end, again.time_format) == (report.start, report.end, form)


NUMBERS = {
    "steps": (np.arange(5, 5 + N), "5", "step", "steps"),
    "steps of ten": (10 * np.arange(N), "0", "10 steps", "steps"),
    "seconds": (1705104000 + 3600 * np.arange(N), "2024-01-13 00:00:00", "hour", "epoch seconds"),
    "milliseconds": (
        1705104000000 + 3600000 * np.arange(N),
        "2024-01-13 00:00:00",
        "hour",
        "epoch milliseconds",
    ),
    "microseconds": (
        1705104000 * 10**6 + 10**6 * np.arange(N),
        "2024-01-13 00:00:00",
        "second",
        "epoch microseconds",
    ),
    "nanoseconds": (
        1705104000 * 10**9 + np.arange(N),
        "2024-01-13 00:00:00",
        "nanosecond",
        "epoch nanoseconds",
    ),
    "yyyymmdd": (of(DAYS, "%Y%m%d"), "2024-01-05 00:00:00", "day", "%Y%m%d"),
    "yyyymm": (of(MONTHS, "%Y%m"), "1980-01-01 00:00:00", "month", "%Y%m"),
    "yyyymmddhh": (of(HOURS, "%Y%m%d%H"), "2024-01-13 00:00:00", "hour", "%Y%m%d%H"),
    "ddmmyyyy": (of(DAYS, "%d%m%Y"), "2024-01-05 00:00:00", "day", "%d%m%Y"),
    "years": (of(YEARS, "%Y"), "1900-01-01 00:00:00", "year", "%Y"),
    "years with a point": ([f"{t.year}.0" for t in YEARS], "1900-01-01 00:00:00", "year", "%Y"),
    "decimal years": (1949 + np.arange(N) / 12, "1949-01-01 00:00:00", "month", "decimal years"),
    "decimal years cut": (
        np.round(1949 + np.arange(N) / 12, 2),
        "1949-01-01 00:00:00",
        "month",
        "decimal years",
    ),
    "decimal quarters": (1949 + np.arange(N) / 4, "1949-01-01 00:00:00", "quarter", "decimal years"),
    "excel": (44562 + np.arange(N), "2022-01-01 00:00:00", "day", "excel days"),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_numbers_are_times_by_their_size(name, suffix, tmp_path, check):
    numbers, start, frequency, form = NUMBERS[name]
    table = pd.DataFrame({"date": pd.to_numeric(pd.Series(numbers)), "y": np.arange(N) % 7})
    path = tmp_path / f"t.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    report = check(path)
    assert (report.start, report.frequency, report.time_format) == (start, frequency, form)
    assert (report.rows, report.gaps) == (N, 0)
    assert check(path, time=("date",), time_format=form).start == start


PARTS = {
    "date and clock": ({"Date": of(HOURS, "%d/%m/%Y"), "Time": of(HOURS, "%H:%M")}, "Date,Time", "hour"),
    "dotted clock": ({"Date": of(HOURS, "%d/%m/%Y"), "Time": of(HOURS, "%H.%M.%S")}, "Date,Time", "hour"),
    "date and hour": ({"date": of(HOURS, "%Y-%m-%d"), "Hour": HOURS.hour}, "date,Hour", "hour"),
    "parts": (
        {
            "No": np.arange(1, N + 1),
            "year": HOURS.year,
            "month": HOURS.month,
            "day": HOURS.day,
            "hour": HOURS.hour,
        },
        "year,month,day,hour",
        "hour",
    ),
    "year and month": ({"Year": MONTHS.year, "Month": MONTHS.month}, "Year,Month", "month"),
    "year and name of month": ({"Year": MONTHS.year, "Month": of(MONTHS, "%b")}, "Year,Month", "month"),
    "year and quarter": ({"year": QUARTERS.year, "quarter": QUARTERS.quarter}, "year,quarter", "quarter"),
    "year and week": ({"year": of(WEEKS, "%G"), "week": of(WEEKS, "%V")}, "year,week", "week"),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_time_may_stand_in_several_columns(name, save, check):
    columns, time, frequency = PARTS[name]
    path = save(pd.DataFrame({**columns, "y": np.arange(N) % 7}).to_csv(index=False))
    report = check(path)
    assert (report.time, report.frequency, report.rows, report.gaps) == (time, frequency, N, 0)
    assert [column.name for column in report.columns] == ["y"]
    assert check(path, time=tuple(time.split(","))).start == report.start


def test_hours_to_24_end_on_the_next_day(save, check):
    hours = HOURS - pd.Timedelta("1h")
    content = pd.DataFrame({"date": of(hours, "%Y-%m-%d"), "hour": hours.hour + 1, "y": np.arange(N) % 7})
    report = check(save(content.to_csv(index=False)))
    assert (report.start, report.end) == (str(HOURS[0]), str(HOURS[-1]))
    assert any("Hours in hour go to 24" in note for note in report.notes)


TYPED = {
    "period": (pd.period_range("2020-01", periods=N, freq="M"), "2020-01-01 00:00:00", "month"),
    "zone": (
        pd.date_range("2022-10-25", periods=N * 4, freq="h", tz="Europe/Berlin"),
        "2022-10-24 22:00:00",
        "hour",
    ),
    "days of a zone": (
        pd.date_range("2022-10-01", periods=N, freq="D", tz="Europe/Berlin"),
        "2022-10-01 00:00:00",
        "day",
    ),
    "date": ([day.date() for day in DAYS], "2024-01-05 00:00:00", "day"),
    "milliseconds": (DAYS.astype("datetime64[ms]"), "2024-01-05 00:00:00", "day"),
}


@pytest.mark.parametrize("name", TYPED)
def test_types_of_parquet(name, tmp_path, check):
    times, start, frequency = TYPED[name]
    table = pd.DataFrame({"t": times, "y": pd.array(np.arange(len(times)) % 7, dtype="Int32")})
    table.to_parquet(tmp_path / "t.parquet")
    report = check(tmp_path / "t.parquet")
    assert (report.start, report.frequency, report.gaps, report.time) == (start, frequency, 0, "t")
    table.set_index("t").to_parquet(tmp_path / "index.parquet")
    assert check(tmp_path / "index.parquet").start == start


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Sydney", "America/Sao_Paulo"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("freq", ["h", "15min"])
def test_a_year_of_a_wall_clock_comes_back_in_utc(zone, turned, freq, save, check):
    times = pd.date_range("2017-01-02", "2018-01-02", freq=freq, tz=zone)
    times = times[::-1] if turned else times
    content = pd.DataFrame({"t": of(times, "%Y-%m-%d %H:%M"), "y": np.arange(len(times)) % 7}).to_csv(
        index=False
    )
    report = check(save(content), time_zone=zone)
    utc = times.tz_convert("UTC").tz_localize(None)
    assert (report.start, report.end) == (str(utc.min()), str(utc.max()))
    assert (report.rows, report.gaps) == (len(times), 0)
    with pytest.raises(ValueError, match="--time-zone "):
        check(save(content))


def test_a_time_that_no_clock_shows_is_refused(save, check):
    hours = pd.date_range("2022-03-26", periods=48, freq="h")
    path = save(pd.DataFrame({"t": hours, "y": np.arange(48) % 7}).to_csv(index=False))
    with pytest.raises(ValueError, match=r"2022-03-27 02:00:00 in 't' does not exist in Europe/Berlin"):
        check(path, time_zone="Europe/Berlin")


REFUSED = {
    "two orders": (
        ["2024-01-05", "01/13/2024", "2024-01-07", "2024-01-08"],
        r"written in two ways: '2024-01-05' in",
    ),
    "some offsets": (
        ["2024-01-05 01:00+01:00", "2024-01-05 02:00", "2024-01-05 03:00+01:00"],
        "some have none",
    ),
    "one is no time": (["2024-01-05", "soon", "2024-01-07", "2024-01-08"], r"first in row 2 \('soon'\)"),
    "no such day": (["30/01/2024", "31/01/2024", "32/01/2024"], None),
    "no year": (["Jan 30", "Jan 31", "Feb 1", "Feb 2", "Mar 3"], None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_time_is_refused_in_one_line_or_rows_are_counted(name, save, check):
    texts, words = REFUSED[name]
    path = save(pd.DataFrame({"t": texts, "y": np.arange(len(texts)) ** 2}).to_csv(index=False))
    if words is None:
        report = check(path)
        assert (report.time, report.frequency) == (None, "step")
        assert "No column holds times: rows are taken as steps, in the order of the file." in report.notes
        with pytest.raises(ValueError, match="'t' holds no times that can be read, its first value is"):
            check(path, time=("t",))
    else:
        with pytest.raises(ValueError, match=words) as caught:
            check(path)
        assert "\n" not in str(caught.value)
    assert check(path, time=("none",)).rows == len(texts)


def test_rows_in_another_order_are_put_in_order_and_nothing_is_lost(save, check):
    order = np.random.default_rng(0).permutation(N)
    for rows, note in ((order, "sorted"), (np.arange(N)[::-1], "turned round")):
        report = check(save(pd.DataFrame({"t": DAYS[rows], "y": np.arange(N)[rows] % 7}).to_csv(index=False)))
        assert (report.rows, report.gaps, report.start) == (N, 0, str(DAYS[0]))
        assert any(note in each for each in report.notes)


def test_rows_that_come_twice_alike_are_taken_once_and_others_are_refused(save, check):
    table = pd.DataFrame({"t": DAYS, "y": np.arange(N) % 7, "text": "a"})
    twice = pd.concat([table, table.iloc[10:14]])
    report = check(save(twice.to_csv(index=False)))
    assert report.rows == N
    assert any("4 rows come twice, alike in every column" in note for note in report.notes)
    twice.iloc[-1, 1] = 99
    with pytest.raises(
        ValueError, match=r"times repeat, first .* in rows 11 and 61; .*--series; --time none"
    ):
        check(save(twice.to_csv(index=False)))
    assert check(save(twice.to_csv(index=False)), time=("none",)).rows == N + 4


def test_a_grid_has_a_row_at_every_step(save, check):
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta([0, 10, 50, 200, 210, 260], unit="min")
    path = save(pd.DataFrame({"t": times, "y": [1.0, 2, 3, 4, 6, 9]}).to_csv(index=False))
    assert check(path).frequency == "irregular"
    report = check(path, frequency="hour")
    assert (report.rows, report.frequency, report.end) == (5, "hour", "2024-01-01 04:00:00")
    assert (report.columns[0].mean, report.columns[0].filled) == ((2.0 + 5.0 + 9.0) / 3, 2)
    assert any("6 rows became 5 steps" in note and "2 steps have no row" in note for note in report.notes)
