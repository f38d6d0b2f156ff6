"""Which files can be read, and whether one fits this machine's memory."""

import hashlib
import lzma
import zipfile
import zlib
from pathlib import Path

import psutil
import pyarrow as pa

from ..base import DataRequest
from .csv_file import read_csv
from .parquet_file import read_parquet
from .source import Source, Wanted

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data", ".tab")
PACKED_SUFFIXES = (".gz", ".xz", ".bz2", ".zst", ".zip")
PARQUET_SUFFIXES = (".parquet", ".pq")

MEMORY_A_BYTE = {"text": 3.0, "packed text": 25.0, "Parquet": 15.0}
"""Bytes of memory that a byte of file may take while it is read; compressed text unpacks 5 to 8 times."""


def kind_of_file(path: Path) -> str | None:
    """Text, packed text or Parquet, by a file's name; None if it cannot be read."""
    name = path.name.lower()
    if name.endswith(PARQUET_SUFFIXES):
        return "Parquet"
    for packed in PACKED_SUFFIXES:
        if name.endswith(packed) and name.removesuffix(packed).endswith(TEXT_SUFFIXES):
            return "packed text"
    return "text" if name.endswith(TEXT_SUFFIXES) else None


def read_file(path: Path, request: DataRequest, wanted: Wanted) -> Source:
    """Read a file's columns, block after block.

    Args:
        path: Text or Parquet.
        request: What the user says of its layout.
        wanted: Which columns.

    Raises:
        ValueError: It is missing, a folder, empty, too large for this machine's memory, of another kind, torn
            or no table.
    """
    kind = _check_file(path)
    try:
        return (read_parquet if kind == "Parquet" else read_csv)(path, request, wanted)
    except UnicodeDecodeError as error:
        raise ValueError(
            "the text is not of the encoding that its beginning is in; give --encoding"
        ) from error
    except (pa.ArrowException, OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as error:
        what = "Parquet" if kind == "Parquet" else "CSV"
        raise ValueError(f"not a readable {what} file ({str(error).splitlines()[0]})") from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(path: Path) -> str:
    if not path.exists():
        raise ValueError("there is no such file")
    if path.is_dir():
        raise ValueError("this is a folder; give a file in it")
    kind = kind_of_file(path)
    if kind is None:
        hint = "; save the sheet as CSV" if path.suffix.lower() in (".xlsx", ".xls", ".ods") else ""
        raise ValueError(
            f"a table's name must end in one of {', '.join((*TEXT_SUFFIXES, *PARQUET_SUFFIXES))}, "
            f"text perhaps with {', '.join(PACKED_SUFFIXES)}; got {path.name!r}{hint}"
        )
    size = path.stat().st_size
    if size == 0:
        raise ValueError("the file is empty (0 bytes)")
    available = psutil.virtual_memory().available
    needed = size * MEMORY_A_BYTE[kind]
    if needed > available:
        raise ValueError(
            f"the file has {size / 1e9:.1f} GB and would take about {needed / 1e9:.0f} GB of memory; "
            f"{available / 1e9:.0f} GB are free; keep fewer columns, in a file of their own"
        )
    return kind
