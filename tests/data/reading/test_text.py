"""Text files as programs and people leave them: what is sniffed is right, is said, and may be given."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.data.base import DataRequest
from hpo.data.reading.table import read

N = 40
DAYS = pd.date_range("2024-01-05", periods=N, freq="D")
Y = np.round(np.random.default_rng(0).normal(0, 100, N), 2)
ROWS = [f"{day:%Y-%m-%d},{y}" for day, y in zip(DAYS, Y, strict=True)]
PLAIN = "\n".join(["date,y", *ROWS, ""])


def values(path, name="y", **how):
    return read(DataRequest(context_length=1, horizon=1, path=path, **how)).channels.numbers[name]


LAYOUTS = {
    "plain": PLAIN,
    "windows lines": PLAIN.replace("\n", "\r\n"),
    "old lines": PLAIN.replace("\n", "\r"),
    "no last line end": PLAIN.rstrip("\n"),
    "tab": PLAIN.replace(",", "\t"),
    "pipe": PLAIN.replace(",", "|"),
    "semicolon": PLAIN.replace(",", ";"),
    "space": PLAIN.replace(",", " "),
    "blanks": PLAIN.replace(",", " , "),
    "quoted": "\n".join(['"date","y"', *(f'"{row.replace(",", chr(34) + "," + chr(34))}"' for row in ROWS)]),
    "single quotes": "\n".join(["'date','y'", *(f"'{row[:10]}',{row[11:]}" for row in ROWS)]),
    "comments": "# a\n# b, c\n" + PLAIN.replace(ROWS[5], ROWS[5] + "\n# between, two, rows"),
    "commented header": "# " + PLAIN,
    "preamble": "Sales of shampoo\nSource: a book, page 5, 1998\n\n" + PLAIN,
    "units": PLAIN.replace("date,y\n", "date,y\n,kWh\n"),
    "footer": PLAIN + "\n\nSales of shampoo over three years\n",
    "footer of its width": PLAIN + "Total,100\n",
    "empty rows": PLAIN + ",\n,\n,\n",
    "trailing separator": PLAIN.replace("\n", ",\n"),
    "trailing semicolons": PLAIN.replace(",", ";").replace("\n", ";;\n"),
    "nameless index": PLAIN.replace("date,y", ",y"),
    "row numbers": "\n".join([",date,y", *(f"{i},{row}" for i, row in enumerate(ROWS))]),
    "R": "\n".join(['"date" "y"', *(f'"{i}" "{row[:10]}" {row[11:]}' for i, row in enumerate(ROWS, 1))]),
    "blank lines": PLAIN.replace(ROWS[5], ROWS[5] + "\n\n"),
    "excel says": "sep=;\n" + PLAIN.replace(",", ";"),
    "decimal comma": PLAIN.replace(",", ";").replace(".", ","),
    "currency": "\n".join(
        ["date,y", *(f"{row[:11]}{'-' if y < 0 else ''}${abs(y)}" for row, y in zip(ROWS, Y, strict=True))]
    ),
    "euros": "\n".join(
        ["date;y", *(f"{row[:10]};{y} €".replace(".", ",") for row, y in zip(ROWS, Y, strict=True))]
    ),
    "percent": "\n".join(["date,y", *(f"{row}%" for row in ROWS)]),
    "brackets": "\n".join(
        ["date,y", *(f"{r[:11]}({-y})" if y < 0 else r for r, y in zip(ROWS, Y, strict=True))]
    ),
    "minus sign": PLAIN.replace(",-", ",−"),
    "thousands of blanks": "\n".join(
        [
            "date;y",
            *(
                f"{r[:10]};{1000 * y:,.2f}".replace(",", "\u00a0").replace(".", ",")
                for r, y in zip(ROWS, Y, strict=True)
            ),
        ]
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_found(name, save, check):
    path = save(LAYOUTS[name])
    report = check(path)
    assert (report.rows, report.frequency, report.start) == (N, "day", "2024-01-05 00:00:00")
    (column,) = report.columns
    expected = 1000 * Y if name == "thousands of blanks" else Y
    np.testing.assert_allclose(values(path, column.name), expected, rtol=1e-12)


ENCODINGS = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8-sig",
    "utf-16": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "cp1252": "cp1252",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_encoding_is_found(encoding, save, check):
    text = (
        PLAIN.replace("date,y", "date,größe").replace("\n", ",für €\n").replace("größe,für €", "größe,name")
    )
    path = save(text, encoding=encoding)
    report = check(path)
    assert report.encoding == ENCODINGS[encoding]
    assert [column.name for column in report.columns] == ["größe"]
    np.testing.assert_array_equal(values(path, "größe"), Y)
    np.testing.assert_array_equal(values(path, "größe", encoding=report.encoding), Y)


@pytest.mark.parametrize(
    "suffix", ["csv", "txt", "tsv", "dat", "csv.gz", "csv.bz2", "csv.xz", "csv.zip", "csv.zst"]
)
def test_names_of_files(suffix, tmp_path):
    path = tmp_path / f"t.{suffix}"
    table = pd.DataFrame({"date": DAYS, "y": Y})
    if suffix.endswith("zst"):
        import pyarrow as pa

        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(table.to_csv(index=False).encode())
    else:
        table.to_csv(path, index=False)
    np.testing.assert_array_equal(values(path), Y)


def test_what_was_sniffed_may_be_given(save):
    path = save("a|b;x\n" + "\n".join(f"{i * i}|{i};1" for i in range(9)), "t.csv")
    with_pipe = read(
        DataRequest(context_length=1, horizon=1, path=path, separator="|", time=("none",), missing=())
    )
    assert set(with_pipe.channels.numbers) | set(with_pipe.channels.categories) == {"a", "b;x"}
    dotted = save("t;y\n" + "\n".join(f"2024-01-{i:02};1.{100 + i}" for i in range(1, 20)))
    with pytest.raises(ValueError, match=r"column 'y' can be read in two ways.*--decimal \. or --decimal ,"):
        values(dotted)
    assert values(dotted, decimal=".")[0] == 1.101
    assert values(dotted, decimal=",")[0] == 1101
    with pytest.raises(ValueError, match="'y' is not written with the decimal sign ','"):
        values(save("t;y\n2024-01-01;1.25\n2024-01-02;1.5\n2024-01-03;2.5\n"), decimal=",")


def test_a_decimal_sign_may_show_in_another_column_alone(save):
    path = save("t;a;b\n" + "\n".join(f"2024-01-{i:02};1.{100 + i};{i},5" for i in range(1, 20)))
    assert values(path, "a")[0] == 1101
    path = save("t;a;b\n" + "\n".join(f"2024-01-{i:02};1.{100 + i};{i}.5" for i in range(1, 20)))
    assert values(path, "a")[0] == 1.101
    path = save("t;a\n" + "\n".join(f"2024-01-{i:02};0.{100 + i}" for i in range(1, 20)))
    assert values(path, "a")[0] == 0.101


MISSING = ["", "?", "-", "NA", "n/a", "null", "NULL", "None", "nan", " ", ".", "#N/A", "--"]


@pytest.mark.parametrize("word", MISSING)
@pytest.mark.parametrize("decimal", [".", ","])
def test_words_for_a_missing_value(word, decimal, save):
    rows = [row.replace(",", ";").replace(".", decimal) for row in ROWS]
    rows[7] = f"{rows[7][:10]};{word}"
    found = values(save("\n".join(["date;y", *rows])))
    assert np.isnan(found[7])
    np.testing.assert_array_equal(np.delete(found, 7), np.delete(Y, 7))


def test_a_torn_packed_file_is_refused(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(PLAIN.encode())[:100])
    with pytest.raises(ValueError, match="not a readable CSV file"):
        values(path)


FORMATS = [
    "%Y-%m-%d %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%y %H:%M",
    "%Y%m%dT%H%M%S",
    "%d-%b-%Y %I:%M %p",
]


@st.composite
def files(draw):
    """A table written in a random dialect: its bytes, its zone where that is needed, its times and values."""
    n_rows = draw(st.integers(4, 60))
    zone = draw(st.sampled_from([None, None, "Europe/Berlin", "America/New_York"]))
    start = pd.Timestamp(draw(st.datetimes(pd.Timestamp("1975-01-01"), pd.Timestamp("2035-01-01")))).floor(
        "h"
    )
    step = draw(st.sampled_from(["15min", "h", "D", "MS"]))
    times = pd.date_range(start.normalize() if step in ("D", "MS") else start, periods=n_rows, freq=step)
    if zone and step in ("15min", "h"):
        times = pd.date_range(times[0], periods=n_rows, freq=step, tz="UTC").tz_convert(zone)
    form = draw(st.sampled_from(FORMATS)) + (" %z" if zone and draw(st.booleans()) else "")
    decimal = draw(st.sampled_from([".", ","]))
    thousands = draw(st.sampled_from(["", {".": ",", ",": "."}[decimal], " "]))
    digits = draw(st.integers(0, 4))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    scale = 10.0 ** draw(st.integers(-1, 6))
    numbers = np.random.default_rng(draw(st.integers(0, 99))).normal(
        0, scale, (n_rows, draw(st.integers(1, 3)))
    )
    signs = str.maketrans({",": thousands, ".": decimal})
    cells = [[f"{value:,.{digits}f}".translate(signs) for value in row] for row in numbers]
    written = np.array([[float(f"{value:.{digits}f}") for value in row] for row in numbers])
    names = [f"v{j}" for j in range(numbers.shape[1])]
    table = pd.DataFrame(cells, columns=names)
    table.insert(0, "when", list(times.strftime(form)))
    text = table.to_csv(index=False, sep=separator, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    utc = times.tz_convert("UTC").tz_localize(None) if times.tz is not None else times
    return text.encode(encoding), zone if times.tz is not None and "%z" not in form else None, utc, written


def attempt(path, zone):
    """What was read, or the one line that says why not."""
    try:
        return read(DataRequest(context_length=1, horizon=1, path=path, time_zone=zone))
    except ValueError as error:
        return str(error)


@settings(max_examples=200, deadline=None)
@given(file=files())
def test_any_dialect_is_read_back_or_refused(tmp_path_factory, file):
    content, zone, times, numbers = file
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(content)
    loaded = attempt(path, zone)
    if isinstance(loaded, str):
        assert "\n" not in loaded
        return
    assert loaded.timeline.columns == ("when",)
    np.testing.assert_array_equal(loaded.times, times.to_numpy())
    for name, values in loaded.channels.numbers.items():
        np.testing.assert_allclose(values, numbers[:, int(name[1:])], rtol=1e-12)
