"""A user's CSV or Parquet file, read into columns, with one clear line for what is not one.

Legend: T rows.
"""

import hashlib
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

Blocks = tuple[pa.Schema, Iterator[pa.RecordBatch]]

BLOCK_ROWS = 1 << 16

SUFFIXES = (".csv", ".csv.gz", ".csv.xz", ".parquet")

MEMORY_A_BYTE = {".csv": 3.0, ".csv.gz": 15.0, ".csv.xz": 25.0, ".parquet": 15.0}
"""Bytes of memory that a byte of file may take while it is read; compressed text unpacks 5 to 8 times."""


def suffix_of(path: Path) -> str | None:
    """The suffix of a file that can be read, or None."""
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A file's columns.

    Attributes:
        names: All of them, in the file's order.
        numeric: Those of numbers or booleans.
        values: Their values, NaN where one is missing, shape (T, numeric columns).
        others: Text, times and whatever else.
    """

    names: tuple[str, ...]
    numeric: tuple[str, ...]
    values: npt.NDArray[np.float64]
    others: pa.Table


def read_columns(path: Path) -> Columns:
    """Read a file in blocks: what is held is its numbers once, and its other columns.

    Raises:
        ValueError: It is missing, a folder, empty, too large for this machine's memory, of another kind, not
            UTF-8, torn, or has no rows or two columns of one name.
    """
    suffix = _check_file(path)
    kind = "Parquet" if suffix == ".parquet" else "CSV"
    try:
        if kind == "Parquet":
            return _gather(*_parquet_blocks(path))
        try:
            return _gather(*_csv_blocks(path))
        except pa.ArrowInvalid:  # a later row is of another type than the first block made believe
            table = _read_csv(path, pyarrow.csv.read_csv)
            return _gather(table.schema, iter(table.to_batches()))
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text; save the file as UTF-8") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError, lzma.LZMAError) as error:
        raise ValueError(f"not a readable {kind} file ({str(error).splitlines()[0]})") from error


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


def _csv_blocks(path: Path) -> Blocks:
    """Numbers as float64 and times to the nanosecond from the first row on, whatever the first rows show."""
    types = {}
    for field in _read_csv(path, pyarrow.csv.open_csv).schema:
        if _is_number(field.type) or pa.types.is_null(field.type):
            types[field.name] = pa.float64()
        elif pa.types.is_timestamp(field.type) or pa.types.is_date(field.type):
            types[field.name] = pa.timestamp("ns", getattr(field.type, "tz", None))
    options = pyarrow.csv.ConvertOptions(column_types=types)
    reader = _read_csv(path, partial(pyarrow.csv.open_csv, convert_options=options))
    return reader.schema, iter(reader)


def _read_csv(path: Path, read: Callable[[Any], Any]) -> Any:
    # Arrow itself unpacks .gz, but not .xz.
    return read(lzma.open(path) if path.name.lower().endswith(".xz") else path)


def _parquet_blocks(path: Path) -> Blocks:
    file = pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    return file.schema_arrow, file.iter_batches(BLOCK_ROWS, use_threads=False)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _gather(schema: pa.Schema, blocks: Iterator[pa.RecordBatch]) -> Columns:
    for field in schema:
        if pa.types.is_binary(field.type):
            raise ValueError(f"column {field.name!r} is not UTF-8 text; save the file as UTF-8")
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise ValueError(f"column names must differ, got {twice[0]!r} {schema.names.count(twice[0])} times")
    numeric = [name for name in schema.names if _is_number(schema.field(name).type)]
    others = [name for name in schema.names if name not in numeric]
    values = np.empty((BLOCK_ROWS, len(numeric)))
    n_rows, rest = 0, []
    for block in blocks:
        stop = n_rows + block.num_rows
        if stop > len(values):
            values.resize((2 * stop, len(numeric)), refcheck=False)  # pages not written take no memory
        for j, name in enumerate(numeric):
            values[n_rows:stop, j] = block[name].cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        rest.append(block.select(others))
        n_rows = stop
    if n_rows == 0:
        raise ValueError(f"the file has a header of {len(schema.names)} columns and no rows")
    values.resize((n_rows, len(numeric)), refcheck=False)
    pa.default_memory_pool().release_unused()
    other_fields = pa.schema([schema.field(name) for name in others])
    return Columns(
        names=tuple(schema.names),
        numeric=tuple(numeric),
        values=values,
        others=pa.Table.from_batches(rest, other_fields),
    )
