"""A user's CSV or Parquet file, read into columns, with one clear line for what is not one."""

import hashlib
import lzma
from pathlib import Path

import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

SUFFIXES = (".csv", ".csv.gz", ".csv.xz", ".parquet")

MEMORY_A_BYTE = {".csv": 3.0, ".csv.gz": 15.0, ".csv.xz": 25.0, ".parquet": 15.0}
"""Bytes of memory that a byte of file may take while it is read; compressed text unpacks 5 to 8 times."""


def suffix_of(path: Path) -> str | None:
    """The suffix of a file that can be read, or None."""
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)


def read_columns(path: Path) -> pa.Table:
    """Read a file whole.

    Raises:
        ValueError: It is missing, a folder, empty, too large for this machine's memory, of another kind, not
            UTF-8, torn, or has no rows or two columns of one name.
    """
    suffix = _check_file(path)
    try:
        if suffix == ".parquet":
            table = pyarrow.parquet.read_table(path)
        elif suffix == ".csv.xz":
            with lzma.open(path) as stream:
                table = pyarrow.csv.read_csv(stream)
        else:
            table = pyarrow.csv.read_csv(path)
        names = table.column_names
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text; save the file as UTF-8") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError, lzma.LZMAError) as error:
        kind = "Parquet" if suffix == ".parquet" else "CSV"
        raise ValueError(f"not a readable {kind} file ({str(error).splitlines()[0]})") from error
    for field in table.schema:
        if pa.types.is_binary(field.type):
            raise ValueError(f"column {field.name!r} is not UTF-8 text; save the file as UTF-8")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"column names must differ, got {twice[0]!r} {names.count(twice[0])} times")
    if table.num_rows == 0:
        raise ValueError(f"the file has a header of {len(names)} columns and no rows")
    return table


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_times(values: pa.ChunkedArray) -> "pd.Series[pd.Timestamp] | None":
    """A column as timestamps without a zone, NaT where a value is none; None if it is no time column.

    Numbers are never taken for times. Text is read as ISO 8601, or as day.month.year where it has dots.
    """
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        times = pd.Series(pd.to_datetime(values.to_pandas()))
    elif pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        text = values.to_pandas()
        sample = text.dropna().head(20)
        if sample.empty:
            return None
        dotted = bool(sample.str.match(r"\d{1,2}\.\d{1,2}\.\d{4}").all())
        first = pd.to_datetime(sample, errors="coerce", format="mixed", dayfirst=dotted)
        if first.isna().any():
            return None
        times = pd.Series(pd.to_datetime(text, errors="coerce", format="mixed", dayfirst=dotted))
    else:
        return None
    if times.dt.tz is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return times.astype("datetime64[ns]")


def _check_file(path: Path) -> str:
    if not path.exists():
        raise ValueError("there is no such file")
    if path.is_dir():
        raise ValueError("this is a folder; give a file in it")
    suffix = suffix_of(path)
    if suffix is None:
        raise ValueError(f"a table's name must end in one of {', '.join(SUFFIXES)}, got {path.name!r}")
    size = path.stat().st_size
    if size == 0:
        raise ValueError("the file is empty (0 bytes)")
    available = psutil.virtual_memory().available
    needed = size * MEMORY_A_BYTE[suffix]
    if needed > available:
        raise ValueError(
            f"the file has {size / 1e9:.1f} GB and would take about {needed / 1e9:.0f} GB of memory; "
            f"{available / 1e9:.0f} GB are free; keep fewer rows or columns"
        )
    return suffix
