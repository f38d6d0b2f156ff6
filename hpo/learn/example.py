"""The raw rows that one forecast needs, as a file that the forecaster itself reads.

Legend: T rows, L context_length, C channels.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpo.data.base import STEPS
from hpo.data.reading.replay import Rows
from hpo.learn.bundle import Bundle

MAX_SERIES = 20
"""The last rows of so many series at most."""
TIME = "time"
"""The time column's name, where the study's has none, or several."""


def example_csv(bundle: Bundle, rows: Rows) -> bytes | None:
    """The last rows of the first few series, raw; None where no one file could say which series they are of.

    Where a value was missing the cell is empty, and the rows go back to the last that was not.

    Args:
        bundle: What reads them.
        rows: Of the study.
    """
    keys = bundle.reading.series
    if len(keys) > 1:
        return None
    chosen = np.concatenate(
        [np.arange(_first(bundle, rows, start, stop), stop) for start, stop in rows.spans[:MAX_SERIES]]
    )
    columns: dict[str, object] = {}
    times = bundle.reading.time or (() if bundle.dialect is None else bundle.dialect.time)
    if times != ("none",):
        columns[times[0] if len(times) == 1 else TIME] = _times(bundle, rows.times[chosen])
    if keys and rows.ids:
        columns[keys[0]] = np.array(rows.ids, dtype=object)[rows.series[chosen]]
    columns |= _raw(bundle, rows.values[chosen])
    decimal = bundle.reading.decimal or (bundle.dialect and bundle.dialect.decimal) or "."
    separator = bundle.reading.separator or (";" if decimal == "," else ",")
    text = pd.DataFrame(columns).to_csv(index=False, sep=separator, decimal=decimal, lineterminator="\n")
    return text.encode(bundle.reading.encoding or "utf-8")


def _first(bundle: Bundle, rows: Rows, start: int, stop: int) -> int:
    """The first row of a series' example: of its last window, or where all its values are known."""
    window = max(start, stop - bundle.context_length)
    first = window
    for j, channel in enumerate(bundle.channels):
        if channel.kind == "missing":
            known = np.flatnonzero(rows.values[start : window + 1, j] == 0)
            first = min(first, start + int(known[-1])) if len(known) else first
    return first


def _times(bundle: Bundle, times: npt.NDArray[np.datetime64]) -> object:
    if bundle.frequency.endswith(STEPS):
        return times.astype("datetime64[s]").astype(np.int64)
    if bundle.reading.time_zone is not None:  # they were turned to UTC, and say so
        return pd.DatetimeIndex(times).tz_localize("UTC")
    return pd.DatetimeIndex(times)


def _raw(bundle: Bundle, values: npt.NDArray[np.float64]) -> dict[str, object]:
    """The raw columns that the channels were made of."""
    columns: dict[str, object] = {}
    for j, channel in enumerate(bundle.channels):
        if channel.kind in ("number", "boolean"):
            columns[channel.column] = values[:, j].copy()
        elif channel.kind == "missing":
            columns[channel.column] = np.where(values[:, j] == 1, np.nan, columns[channel.column])  # type: ignore[call-overload]
        else:
            column = columns.setdefault(channel.column, np.full(len(values), "", dtype=object))
            assert isinstance(column, np.ndarray)
            column[values[:, j] == 1] = channel.value
    return columns
