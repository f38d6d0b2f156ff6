"""From a frame of measurements, group after group, to a table that can be split and windowed.

Legend: T rows, C channels, K target columns, H horizon.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from .base import DataRequest, RowRange, Table
from .names import MOST_SHOWN, check_name


def regression_table(
    frame: pd.DataFrame,
    request: DataRequest,
    *,
    targets: Sequence[str],
    sha256: str,
    frequency: str,
    step: pd.Timedelta | None,
    season: int | None = None,
    groups: pd.Series | None = None,
    group_names: Sequence[str] = (),
    official: Mapping[str, tuple[RowRange, ...]] | None = None,
    measured: npt.NDArray[np.bool_] | None = None,
) -> Table:
    """Fill gaps of inputs from earlier rows, cut segments, and mark where a target was measured.

    A missing value becomes the last known one of its group; the first rows of a group, where a channel has
    none yet, are dropped. A window whose target was not measured is left out.

    Args:
        frame: Channels by time, NaN where not measured, group after group and each in time order.
        request: The horizon.
        targets: Columns to forecast.
        sha256: Of the file.
        frequency: Of the rows, in words.
        step: Between rows; another step begins a new segment. None takes rows as they come.
        season: Rows in a season.
        groups: Group number of each row, ascending; None is one group.
        group_names: Names by number.
        official: Row ranges of the official split; only for frames whose first rows are not dropped.
        measured: Where all targets were measured, (T,); None is where none of them is NaN.

    Raises:
        ValueError: Rows are not in time order within a group.
    """
    codes = None if groups is None else groups.to_numpy(dtype=np.int32)
    if measured is None:
        measured = frame[list(targets)].notna().all(axis=1).to_numpy()
    filled = frame.ffill() if codes is None else frame.groupby(codes).ffill()
    known = filled.notna().all(axis=1).to_numpy()
    if not known.all():
        filled, measured = filled[known], measured[known]
        codes = None if codes is None else codes[known]
    times = filled.index.to_numpy().astype("datetime64[ns]")
    values = filled.to_numpy(dtype=np.float64)
    names = tuple(filled.columns)
    channels = tuple(names.index(name) for name in targets)
    return Table(
        timestamps=times,
        features=values,
        channel_names=names,
        target_values=values[:, channels],
        target_names=tuple(targets),
        target_offsets=tuple(range(1, request.horizon + 1)),
        target_channels=channels,
        task="regression",
        sha256=sha256,
        frequency=frequency,
        segments=segments_of(times, step, codes),
        season=season if request.season is None else request.season,
        groups=codes,
        group_names=tuple(group_names),
        usable=None if measured.all() else all_measured(measured, request.horizon),
        official=official,
    )


def segments_of(
    times: npt.NDArray[np.datetime64],
    step: pd.Timedelta | None,
    groups: npt.NDArray[np.int32] | None,
) -> tuple[RowRange, ...]:
    """Row ranges of one group whose rows are one step apart.

    Raises:
        ValueError: Rows are not in time order within a group.
    """
    apart = np.diff(times)
    new_group = np.zeros(len(apart), dtype=bool) if groups is None else np.diff(groups) != 0
    if (apart[~new_group] <= np.timedelta64(0)).any():
        raise ValueError("rows of a group must be in time order, without duplicates")
    cut = new_group if step is None else new_group | (apart != step.to_timedelta64())
    return tuple(pairwise([0, *(np.flatnonzero(cut) + 1).tolist(), len(times)]))


def all_measured(measured: npt.NDArray[np.bool_], horizon: int) -> npt.NDArray[np.bool_]:
    """Whether all of the next rows were measured, for each row, (T,)."""
    n_rows = len(measured)
    missing = np.concatenate([[0], np.cumsum(~measured)])
    rows = np.arange(n_rows)
    until = np.minimum(rows + horizon, n_rows - 1)
    result: npt.NDArray[np.bool_] = missing[until + 1] == missing[rows + 1]
    return result


def choose(kind: str, asked: Sequence[str], names: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """The groups asked for, in that order; "all" is all of them, none the usual ones.

    Raises:
        ValueError: There is no such group, or one is named twice.
    """
    if not asked:
        return tuple(usual)
    if tuple(asked) == ("all",):
        return tuple(names)
    for name in asked:
        check_name(kind, name, ("all", *names) if len(names) < MOST_SHOWN else names)
    if len(set(asked)) < len(asked):
        raise ValueError(f"each {kind} can be named once, got {', '.join(asked)}")
    return tuple(asked)
