"""The order of rows: series after series, each in time; what is repeated, and what only seems so.

Legend: T rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..frames import choose
from .formats import Times
from .source import Source, codes_of
from .timeline import Timeline, check_known
from .zones import likely_zone

LEAST_ROWS = 3
"""A series that is found has so many rows, on average."""
MAX_KEYS = 8
"""So many columns are tried to tell series apart."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """The order of rows.

    Attributes:
        rows: Of the file, in the order to take them, or None where that is the file's.
        series: The columns that tell series apart; empty for one series.
        codes: The number of each row's series, after ordering, shape (T,).
        ids: The series' names, in the order of their first rows.
        notes: What was done, a sentence each.
    """

    rows: npt.NDArray[np.int64] | None
    series: tuple[str, ...] = ()
    codes: npt.NDArray[np.int32] | None = None
    ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def order_rows(source: Source, timeline: Timeline, keys: Sequence[str]) -> Order:
    """Find the order.

    Args:
        source: The columns.
        timeline: When each row is.
        keys: The columns that the user says tell series apart; empty looks for them where times repeat.

    Raises:
        ValueError: Times repeat, and nothing tells why; or an hour comes twice as clocks are set back.
    """
    times = timeline.times
    if keys:
        for key in keys:
            check_known(key, source.names)
        order = _by_series(source, times, keys)
        if order is None:
            raise ValueError(_repeats(times, keys, source))
        return order
    apart = np.diff(times)
    if (apart > np.timedelta64(0)).all():
        return Order(rows=None)
    if (apart < np.timedelta64(0)).all():
        return Order(
            rows=np.arange(len(times))[::-1], notes=("Rows are in falling order of time: turned round.",)
        )
    if timeline.is_wall:
        _check_clock(timeline.columns[0], times)
    rows = np.argsort(times, kind="stable")
    repeated = times[rows][1:] == times[rows][:-1]
    if not repeated.any():
        n_back = int((apart < np.timedelta64(0)).sum())
        return Order(rows=rows, notes=(f"Rows are not in order of time ({n_back:,} go back): sorted.",))
    order = _find_series(source, timeline)
    if order is not None:
        return order
    same = _same_as_before(source, rows) & np.concatenate([[False], repeated])
    if same[1:][repeated].all():
        note = f"{same.sum():,} rows come twice, alike in every column: each is taken once."
        return Order(rows=rows[~same], notes=(note,))
    raise ValueError(_repeats(times, (), source))


def _check_clock(name: str, times: Times) -> None:
    """Refuse a wall clock that was set back, with the zone that mends it."""
    turned = (times[1:] < times[:-1]).mean() > 0.5
    forward = times[::-1] if turned else times
    zone = likely_zone(forward)
    if zone is not None:
        back = int(np.argmax(forward[1:] <= forward[:-1]))
        row = len(times) - back - 1 if turned else back + 2
        raise ValueError(
            f"times in {name!r} go from {_show(forward[back])} to {_show(forward[back + 1])} in row {row:,}, "
            "as clocks do when they are set back: give their zone, such as "
            f"--time-zone {zone}, and no hour is lost"
        )


def choose_series(order: Order, names: Sequence[str]) -> Order:
    """Keep some series, in the order asked for.

    Raises:
        ValueError: There are no series, or not of that name.
    """
    if order.codes is None:
        raise ValueError(f"there is one series and none to choose, got {', '.join(names)}")
    chosen = choose("series", names, order.ids, order.ids)
    own = [np.flatnonzero(order.codes == order.ids.index(name)) for name in chosen]
    places = np.concatenate(own)
    return replace(
        order,
        rows=places if order.rows is None else order.rows[places],
        codes=np.repeat(np.arange(len(own), dtype=np.int32), [len(rows) for rows in own]),
        ids=chosen,
    )


def _find_series(source: Source, timeline: Timeline) -> Order | None:
    """The column, or the two, that tell series apart; of several that do, those with the fewest series."""
    names = [name for name in source.names if name not in timeline.columns and _may_be_key(source, name)]
    for size in (1, 2):
        found = [
            order
            for tried in combinations(names[:MAX_KEYS], size)
            if (order := _by_series(source, timeline.times, tried)) is not None
            and 2 <= len(order.ids) <= source.n_rows // LEAST_ROWS
        ]
        if found:
            return min(found, key=lambda order: len(order.ids))
    return None


def _may_be_key(source: Source, name: str) -> bool:
    return name in source.texts or (name in source.numbers and source.numbers[name].dtype.kind == "i")


def _by_series(source: Source, times: Times, keys: Sequence[str]) -> Order | None:
    """Rows by series and time; None if times repeat within a series."""
    codes, ids = _codes(source, keys)
    rows = np.lexsort((times, codes))
    inside = np.diff(codes[rows]) == 0
    if (np.diff(times[rows])[inside] <= np.timedelta64(0)).any():
        return None
    in_place = bool((np.diff(rows) == 1).all())
    return Order(
        rows=None if in_place else rows,
        series=tuple(keys),
        codes=codes[rows].astype(np.int32),
        ids=ids,
    )


def _codes(source: Source, keys: Sequence[str]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """The number of each row's series, in order of first rows, and the series' names."""
    columns, words = [], []
    for key in keys:
        if key in source.texts:
            codes, texts = codes_of(source.texts[key])
            columns.append(codes)
            words.append([*texts, "missing"])
        elif key in source.numbers:
            codes, values = pd.factorize(source.numbers[key], use_na_sentinel=False)
            columns.append(codes)
            words.append([f"{value:g}" if values.dtype.kind == "f" else str(value) for value in values])
        else:
            raise ValueError(
                f"column {key!r} cannot tell series apart: it {source.left_out.get(key, 'is a time')}"
            )
    together = columns[0]
    for more in columns[1:]:
        together = (together + 1) * (int(more.max()) + 2) + more
    codes = pd.factorize(together)[0]
    first = np.unique(codes, return_index=True)[1]
    ids = tuple(
        "/".join(word[column[row]] for column, word in zip(columns, words, strict=True)) for row in first
    )
    return codes.astype(np.int64), ids


def _same_as_before(source: Source, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether each row, in some order, is the one before it in every column."""
    same = np.ones(len(rows), dtype=bool)
    for values in _all_values(source):
        ordered = values[rows]
        equal = ordered[1:] == ordered[:-1]
        if ordered.dtype.kind == "f":
            equal |= np.isnan(ordered[1:]) & np.isnan(ordered[:-1])
        same[1:] &= equal
    same[0] = False
    return same


def _all_values(source: Source) -> Iterator[npt.NDArray[Any]]:
    yield from source.numbers.values()
    for texts in source.texts.values():
        yield codes_of(texts)[0]


def _repeats(times: Times, keys: Sequence[str], source: Source) -> str:
    codes = _codes(source, keys)[0] if keys else np.zeros(len(times), np.int64)
    rows = np.lexsort((times, codes))
    again = (np.diff(times[rows]) == np.timedelta64(0)) & (np.diff(codes[rows]) == 0)
    first = int(np.argmax(again))
    one, two = sorted((int(rows[first]) + 1, int(rows[first + 1]) + 1))
    when = np.datetime_as_string(times[rows[first]], unit="s").replace("T", " ")
    where = f" within a series of {', '.join(keys)}" if keys else ""
    return (
        f"{again.sum():,} times repeat{where}, first {when} in rows {one:,} and {two:,}; if a column tells "
        "series apart, give it as --series; --time none takes the rows as steps, in their order"
    )


def _show(moment: np.datetime64) -> str:
    return str(pd.Timestamp(moment))
