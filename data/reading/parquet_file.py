"""Typed columns, of Parquet or of a frame, to what they hold.

Legend: T rows.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from ..base import DataRequest
from .formats import Moments
from .markers import WORDS, parse_markers
from .shapes import Shapes
from .source import Source, Wanted, clean_numbers, clean_texts, make_plan

BLOCK_ROWS = 1 << 16
_PERIODS: Any = pd.PeriodIndex  # its stubs do not know from_ordinals


def read_parquet(path: Path, request: DataRequest, wanted: Wanted) -> Source:
    """Read a Parquet file.

    Args:
        path: The file.
        request: Its missing markers and decimal sign, for numbers written as text.
        wanted: Which columns.
    """
    file = pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    schema = file.schema_arrow
    names = [name for name in schema.names if wanted(name)]
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise ValueError(f"column names must differ, got {twice[0]!r} {schema.names.count(twice[0])} times")
    return read_batches(
        schema, file.iter_batches(BLOCK_ROWS, columns=names, use_threads=False), names, request
    )


def read_batches(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], names: list[str], request: DataRequest
) -> Source:
    """Read batches of typed columns, one column's blocks joined at a time."""
    source = Source(names=tuple(schema.names))
    blocks: dict[str, list[pa.Array | npt.NDArray[Any]]] = {}
    for name in names:
        kind = schema.field(name).type
        if _is_number(kind) or _is_text(kind) or _is_time(kind):
            blocks[name] = []
        else:
            source.left_out[name] = "is empty" if pa.types.is_null(kind) else f"is of type {kind}"
    whole = {name for name in blocks if pa.types.is_integer(schema.field(name).type)}
    for batch in batches:
        for name, parts in blocks.items():
            parts.append(_block(batch[name], name, whole))
        source.n_rows += batch.num_rows
    if source.n_rows == 0:
        raise ValueError(f"the file has {len(schema.names)} columns and no rows")
    for name in list(blocks):
        kind, parts = schema.field(name).type, blocks.pop(name)
        if _is_number(kind):
            source.numbers[name] = np.concatenate(parts)
            if pa.types.is_boolean(kind):
                source.booleans.add(name)
        elif _is_time(kind):
            source.moments[name] = _moments(parts, kind)
        else:
            source.texts[name] = pa.chunked_array(parts)
    pa.default_memory_pool().release_unused()
    _sort_texts(source, request)
    return source


def _block(values: pa.Array, name: str, whole: set[str]) -> pa.Array | npt.NDArray[Any]:
    """One block of a column: numbers as numpy, texts as strings or dictionaries."""
    kind = values.type
    if _is_number(kind):
        if name in whole and values.null_count == 0 and not pa.types.is_uint64(kind):
            return np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False))
        whole.discard(name)
        return np.array(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if pa.types.is_dictionary(kind):
        return values.cast(pa.dictionary(pa.int32(), pa.string()))
    if pa.types.is_time(kind):
        return pc.utf8_slice_codeunits(values.cast(pa.string()), 0, 8)
    return values if _is_time(kind) else values.cast(pa.string())


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_time)
    return any(test(kind) for test in tests)


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind) or _period_of(kind))


def _period_of(kind: pa.DataType) -> str | None:
    """The frequency of pandas' periods, which Arrow keeps as numbers of a type of their own."""
    return getattr(kind, "freq", None) if isinstance(kind, pa.BaseExtensionType) else None


def _moments(parts: list[pa.Array], kind: pa.DataType) -> Moments:
    period = _period_of(kind)
    if period is not None:
        ordinals = pa.chunked_array([part.storage for part in parts]).to_numpy()
        values = _PERIODS.from_ordinals(ordinals.astype(np.int64), freq=period).to_timestamp().to_numpy()
        return Moments(values=values.astype("datetime64[ns]"), format=f"period {period}")
    times = pa.chunked_array(parts)
    if pa.types.is_date(kind):
        return Moments(values=_nanoseconds(times.cast(pa.timestamp("s"))), format="date")
    if kind.tz is None:
        return Moments(values=_nanoseconds(times), format="timestamp")
    wall = _nanoseconds(pc.local_timestamp(times))
    utc = _nanoseconds(times.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit)))
    return Moments(values=utc, format=f"timestamp in {kind.tz}", in_utc=True, wall=wall)


def _nanoseconds(times: pa.ChunkedArray) -> npt.NDArray[np.datetime64]:
    try:
        return np.asarray(times.cast(pa.timestamp("ns")).to_numpy(), dtype="datetime64[ns]")
    except pa.ArrowInvalid:
        raise ValueError("times must lie between 1678 and 2261; give --time none to count rows") from None


def _sort_texts(source: Source, request: DataRequest) -> None:
    """Find what columns of text hold, as in a text file."""
    words, _ = parse_markers(request.missing)
    shapes = {}
    for name, texts in source.texts.items():
        each, row = Shapes(), 0
        for chunk in texts.chunks:
            plain = chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk
            each.add(pc.fill_null(plain, ""), row)
            row += len(chunk)
        shapes[name] = each.split(WORDS | words)
    plan = make_plan(shapes, None, request.decimal)
    source.leave_out(plan)
    texts = dict(source.texts)
    source.texts.clear()
    source.n_rows, n_rows = 0, source.n_rows
    for name, chunks in texts.items():
        if name in plan.numbers:
            parts = []
            for chunk in chunks.chunks:
                plain = chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk
                parts.append(clean_numbers(source, name, plain, plan.numbers[name], words))
            source.numbers[name] = np.concatenate(parts)
        elif name in plan.times | plan.texts:
            cleaned = [clean_texts(chunk, words) for chunk in chunks.chunks]
            if name in plan.times:
                cleaned = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in cleaned]
            source.texts[name] = pa.chunked_array(cleaned)
            source.shapes[name] = shapes[name][0]
    source.n_rows = n_rows
