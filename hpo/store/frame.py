"""A data frame as a study's data: its content's hash, and the whole of it kept in the study's own folder."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from hpo.errors import ConfigError, DatasetError
from hpo.system.files import write_bytes

_TIME = "time"
"""The name of a time index that has none."""

_HASH = b"hpo:sha256"
"""Where the file keeps the content's hash: its own bytes may change with the version that wrote it."""


def to_table(frame: pd.DataFrame, time: str | None) -> pa.Table:
    """A frame's columns, a time index among them as the first.

    Args:
        frame: The data, as a user has them.
        time: The timestamp column; names a time index that has no name.

    Raises:
        DatasetError: A column has no text for a name or mixes types, or an index would be lost.
    """
    for name in frame.columns:
        if not isinstance(name, str):
            raise DatasetError(
                f"data: column names of a data frame must be text, got {name!r}; "
                "`frame.columns = frame.columns.map(str)` makes them so"
            )
    index = frame.index
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        name = str(index.name or (time if time not in frame.columns else None) or _TIME)
        if name in frame.columns:
            raise DatasetError(
                f"data: the data frame has a time index and a column, both {name!r}; rename one of them"
            )
        frame = frame.set_axis(pd.RangeIndex(len(frame)))
        frame.insert(0, name, index)
    elif index.nlevels > 1 or index.name is not None or not pd.api.types.is_integer_dtype(index):
        raise DatasetError(
            f"data: the data frame's index {index.names} is neither times nor row numbers; "
            "`frame.reset_index()` makes it a column, `frame.reset_index(drop=True)` leaves it out"
        )
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        reason = " ".join(map(str, error.args)).splitlines()[0]
        raise DatasetError(f"data: the data frame cannot be kept as Parquet ({reason})") from error


def content_hash(table: pa.Table) -> str:
    """The SHA-256 of the columns' names and values, whichever types and versions hold them."""
    sha256 = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind, values = _plain(column)
        sha256.update(json.dumps([name, kind, len(column)]).encode())
        sha256.update(values)
    return sha256.hexdigest()


def _plain(column: pa.ChunkedArray) -> tuple[str, bytes]:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        numbers = column.cast(pa.float64(), safe=False).to_numpy() + 0.0  # one zero
        return "number", np.where(np.isnan(numbers), np.nan, numbers).tobytes()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        times = column.cast(pa.timestamp("ns", getattr(kind, "tz", None)), safe=False)
        return "time", times.to_numpy().astype("datetime64[ns]").tobytes()
    return "other", json.dumps(column.to_pylist(), default=str).encode()


def keep(path: Path, table: pa.Table) -> bool:
    """Keep a frame as Parquet, whole or not at all; one that is kept already is left as it is.

    Returns:
        Whether it was written.

    Raises:
        ConfigError: The study keeps another frame.
        OSError: The disk is full or read-only.
    """
    ours = content_hash(table)
    if path.exists():
        theirs = _kept_hash(path)
        if theirs != ours:
            raise ConfigError(
                f"experiment {path.parent.name!r} keeps another data frame, {theirs[:8]} and not {ours[:8]}; "
                "give this one an experiment of its own",
                key="data",
            )
        return False
    file = io.BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata({_HASH: ours}), file)
    write_bytes(path, file.getvalue())
    return True


def _kept_hash(path: Path) -> str:
    try:
        metadata: dict[bytes, Any] = pyarrow.parquet.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from error
    return bytes(metadata.get(_HASH, b"unknown")).decode()
