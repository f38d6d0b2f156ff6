"""What a data set is, what a study asks of it, and what comes back.

Legend: T rows, C channels, H horizon, K target columns, N windows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Task = Literal["binary", "regression"]
RowRange = tuple[int, int]
"""First row and one past the last."""


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """What a study asks of a data set.

    Attributes:
        context_length: Rows of history in a window.
        horizon: Rows ahead that are forecast.
        task: None takes the data set's own.
        threshold: The rise that makes a binary label true, as a fraction (0.01 is 1 %).
        features: Feature tier, where the data set has tiers.
        split: Name of the split rule.
        limit: At most this many training windows, the latest ones; None takes all.
        path: The file, for a user's own table.
        target: Target columns; empty takes the data set's own.
        time: The timestamp column, for a user's own table; None finds it.
        season: Rows in a season; None finds it.
    """

    context_length: int
    horizon: int
    task: Task | None = None
    threshold: float = 0.01
    features: str = "a20"
    split: str = "contiguous"
    limit: int | None = None
    path: Path | None = None
    target: tuple[str, ...] = ()
    time: str | None = None
    season: int | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A loaded data set before windows: model-ready numbers in time order.

    The forecast made at the end of row t is of ``target_values[t + offset]`` for each target offset.

    Attributes:
        timestamps: Time of each row, datetime64[ns], strictly increasing, shape (T,).
        features: Model inputs, unscaled, no NaN, shape (T, C).
        channel_names: The C names.
        target_values: What is forecast, shape (T, K). Binary: the label known H rows after row t, NaN
            in the last H rows. Regression: the observed target columns.
        target_names: The K names.
        target_offsets: (0,) for binary, since a label already looks ahead; 1 to H for regression.
        target_channels: Where the K target columns stand among the channels; empty for binary.
        task: What the targets are.
        sha256: Of the file's bytes, or of the values where there is no file.
        frequency: Such as "1 business day".
        segments: Row ranges without a gap in time; no window crosses from one to another.
        season: Rows in a season, if the series has one.
    """

    timestamps: npt.NDArray[np.datetime64]
    features: npt.NDArray[np.float64]
    channel_names: tuple[str, ...]
    target_values: npt.NDArray[np.float64]
    target_names: tuple[str, ...]
    target_offsets: tuple[int, ...]
    target_channels: tuple[int, ...]
    task: Task
    sha256: str
    frequency: str
    segments: tuple[RowRange, ...]
    season: int | None = None


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """One entry of the catalogue.

    Attributes:
        name: The catalogue name.
        title: One line for people.
        source: Where the data come from.
        licence: Under what terms.
        frequency: Such as "1 business day".
        channels: Names of the raw channels with their units.
        tasks: Tasks it offers, the default one first.
        target: What is forecast, in words.
        n_rows: Rows of the raw series, for the catalogue; None if it depends on the file.
        load: Reads the data and computes features and targets. Raises ValueError on data or a
            request it cannot serve.
    """

    name: str
    title: str
    source: str
    licence: str
    frequency: str
    channels: dict[str, str]
    tasks: tuple[Task, ...]
    target: str
    n_rows: int | None
    load: Callable[[DataRequest], Table]


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Which windows belong to which part. A window is named by its last input row.

    Attributes:
        train: Window-end rows of the training part, ascending int64.
        val: Of the validation part.
        test: Of the test part.
        rows: The row ranges of each part ("train", "val", "test"). Every input row of a part's
            windows, and every row their targets look at, lies inside one of its ranges.
    """

    train: npt.NDArray[np.int64]
    val: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    rows: dict[str, tuple[RowRange, ...]]


@dataclass(frozen=True, kw_only=True)
class ForecastData:
    """A task ready to train on: scaled inputs, targets, and the split.

    Attributes:
        name: Catalogue name or the file's name.
        context_length: Rows of history in a window.
        horizon: Rows ahead that are forecast.
        features: Scaled inputs, float32, shape (T, C).
        target_values: Scaled targets, float32, shape (T, K); binary labels stay 0 and 1.
        target_mean: Subtracted from the targets, shape (K,); zeros for binary.
        target_std: Divided out of the targets, shape (K,); ones for binary.
        table: Where all this comes from, unscaled.
        splits: Train, validation and test windows.
        feature_mean: Subtracted from the features, from training rows only, shape (C,).
        feature_std: Divided out of the features, from training rows only, shape (C,).
    """

    name: str
    context_length: int
    horizon: int
    features: npt.NDArray[np.float32]
    target_values: npt.NDArray[np.float32]
    target_mean: npt.NDArray[np.float64]
    target_std: npt.NDArray[np.float64]
    table: Table = field(repr=False)
    splits: Splits
    feature_mean: npt.NDArray[np.float64]
    feature_std: npt.NDArray[np.float64]

    @property
    def n_outputs(self) -> int:
        """Numbers in one forecast."""
        return len(self.table.target_offsets) * int(self.target_values.shape[1])

    def targets_at(self, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The targets of windows that end at some rows, (N, n_outputs), step-major."""
        rows = ends[:, None] + np.array(self.table.target_offsets)
        targets: npt.NDArray[np.float32] = self.target_values[rows].reshape(len(ends), -1)
        return targets
