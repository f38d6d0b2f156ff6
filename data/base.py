"""What a data set is, what a study asks of it, and what comes back.

Legend: T rows, C channels, H horizon, K target columns, N windows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from .categories import Category

Task = Literal["binary", "regression", "multiclass"]
ChannelKind = Literal["number", "boolean", "missing", "category"]
RowRange = tuple[int, int]
"""First row and one past the last."""
STEPS = ("step", "steps")
"""How the frequency of rows ends that are counted and have no time."""


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """What a study asks of a data set.

    Attributes:
        context_length: Rows of history in a window.
        horizon: Rows ahead that are forecast.
        task: None takes the data set's own.
        threshold: The rise that makes a binary label true, as a fraction (0.01 is 1 %).
        features: Feature tier, where the data set has tiers.
        split: Name of the split rule; None takes the data set's own.
        n_folds: Folds of a walk-forward split (``[data] folds`` in a study file, ``--folds``).
        fold: Which of them, from 0; None takes the last, which trains on most rows (``fold``, ``--fold``).
        groups: Stations, stores, heats or subjects to keep, in this order; "all" takes every one, empty the
            data set's own choice (``groups = "Guanyuan,Tiantan"``, ``--groups``). A group split holds out
            those whose rows begin last; of those that begin together, the last ones asked for.
        data_seed: Seed of synthetic data (``data_seed``, ``--data-seed``).
        limit: At most this many training windows, the latest ones; None takes all.
        path: The file, for a user's own table; what follows but for the target and the season is of it.
        target: Target columns, of a file or of the data set's choices; empty takes the data set's own.
        season: Rows in a season; None finds it.
        time: The columns that say when a row is; empty finds them, "none" counts rows.
        time_format: How times are written, as strftime has it, or "milliseconds", "steps" and the like.
        time_zone: Of clock times that are set forward and back, such as "Europe/Berlin".
        separator: Between columns of text.
        decimal: The decimal sign.
        encoding: Of the text.
        missing: Words and numbers that stand for a missing value; "none" says that no number does.
        columns: The columns to keep, beside the targets; empty keeps all.
        drop: The columns to leave out.
        frequency: The step to bring rows to, such as "hour"; None takes rows as they are.
        series: The columns that tell series apart; empty is one series.
    """

    context_length: int
    horizon: int
    task: Task | None = None
    threshold: float = 0.01
    features: str = "a20"
    split: str | None = None
    n_folds: int = 5
    fold: int | None = None
    groups: tuple[str, ...] = ()
    data_seed: int = 0
    limit: int | None = None
    path: Path | None = None
    target: tuple[str, ...] = ()
    season: int | None = None
    time: tuple[str, ...] = ()
    time_format: str | None = None
    time_zone: str | None = None
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    frequency: str | None = None
    series: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Channel:
    """How a model input is made of a raw column.

    Attributes:
        name: Of the channel.
        column: The raw column.
        kind: "number" is the column itself, "boolean" 1 for true and 0 for false, "missing" 1 where it holds
            nothing, "category" 1 where it holds ``value``.
        value: The text that a category's channel stands for.
    """

    name: str
    column: str
    kind: ChannelKind = "number"
    value: str | None = None


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a file was found to be written, so that another one like it is read alike.

    Attributes:
        time: The columns that say when a row is; "none" where rows are counted.
        time_format: How they are written; None where they are no text.
        decimal: The decimal sign.
    """

    time: tuple[str, ...]
    time_format: str | None
    decimal: str | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A loaded data set before windows: model-ready numbers, group after group, each in time order.

    The forecast made at the end of row t is of ``target_values[t + offset]`` for each target offset.

    Attributes:
        timestamps: Time of each row, datetime64[ns], strictly increasing within a group, shape (T,).
        features: Model inputs, unscaled, shape (T, C). NaN only before a channel's first value; once scaled
            it is the training mean.
        channel_names: The C names.
        target_values: What is forecast, shape (T, K). Binary: the label known H rows after row t, NaN
            in the last H rows. Regression: the observed target columns. Multi-class: class indices.
        target_names: The K names.
        target_offsets: (0,) for labels, which stand at the row that forecasts them; 1 to H for regression.
        target_channels: Where the K target columns stand among the channels; empty for labels.
        task: What the targets are.
        sha256: Of the file's bytes, or of the values where there is no file.
        frequency: Such as "1 business day".
        segments: Row ranges without a gap in time; no window crosses from one to another.
        season: Rows in a season, if the series has one.
        class_names: Names of the classes that a multi-class target counts from 0.
        groups: Which of ``group_names`` each row belongs to, shape (T,), ascending; None is one group. The
            rows of a group stand together, and no segment holds rows of two.
        group_names: Names of the groups, in the order of their rows.
        usable: Where a window may end, shape (T,); None is everywhere. False where a target was not
            measured, or where the windows are given and this is none.
        look_ahead: Rows after a window's end that its target looks at; None is H.
        official: Row ranges of "train", "val" and "test" as the publisher or the literature has them.
        leaks: The values are scaled already, by a protocol that lets the test part leak; kept as they are.
        categories: Columns of text that become channels once the training rows are known.
        made_of: How the channels are made of raw columns; empty where each is a column of numbers.
        dialect: How the file is written; None where the data set is one of the catalogue.
        tier: The feature tier whose indicators are among the channels; None where there is none.
        history: The first raw row, from which the indicators are computed; None where there is no tier.
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
    class_names: tuple[str, ...] = ()
    groups: npt.NDArray[np.int32] | None = None
    group_names: tuple[str, ...] = ()
    usable: npt.NDArray[np.bool_] | None = None
    look_ahead: int | None = None
    official: Mapping[str, tuple[RowRange, ...]] | None = None
    leaks: bool = False
    categories: tuple[Category, ...] = ()
    made_of: tuple[Channel, ...] = ()
    dialect: Dialect | None = None
    tier: str | None = None
    history: np.datetime64 | None = None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """How each channel is made of a raw column."""
        return self.made_of or tuple(Channel(name=name, column=name) for name in self.channel_names)

    @property
    def group_codes(self) -> npt.NDArray[np.int32]:
        """The group of each row, (T,); 0 where there are no groups."""
        return np.zeros(len(self.timestamps), np.int32) if self.groups is None else self.groups

    def moment(self, row: int) -> str:
        """When a row is, to the second; its number, where rows are counted."""
        time = self.timestamps[row].astype("datetime64[s]")
        return f"step {int(time.astype(np.int64))}" if self.frequency.endswith(STEPS) else str(time)


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of a data set, in one form.

    Attributes:
        name: Of the file, in HPO_DATA_DIR or in the cache.
        sha256: Of its bytes; None where they differ from user to user, such as a longer download.
        url: Where it is fetched from, as it is or inside a .zip; None where the publisher wants a log-in or
            nothing could check it.
        page: Where a person gets it, or what it was made of.
        repacked: Whether these bytes are served nowhere: they were made of what the page has.
    """

    name: str
    sha256: str | None
    page: str
    url: str | None = None
    repacked: bool = False


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
        splits: Split rules it offers, the default one first.
        targets: Columns that may be chosen as targets; empty where there is no choice.
        groups: What its groups are, such as "station"; None where there is one series.
        window: A context_length and a horizon that suit it.
        files: The files it reads; each is a choice of forms of the same data, the first is preferred.
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
    splits: tuple[str, ...] = ("contiguous", "scattered", "year", "walk-forward")
    targets: tuple[str, ...] = ()
    groups: str | None = None
    window: tuple[int, int] = (80, 1)
    files: tuple[tuple[DataFile, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Which windows belong to which part. A window is named by its last input row.

    Attributes:
        train: Window-end rows of the training part, ascending int64.
        val: Of the validation part.
        test: Of the test part.
        rows: The row ranges of each part ("train", "val", "test"). Every target row of a part's windows,
            and every row their targets look at, lies inside one of its ranges; of training windows every
            input row, too.
        warnings: What a reader should know of the parts, a sentence or two each.
        leaks: The parts share rows, as a protocol of old has it.
    """

    train: npt.NDArray[np.int64]
    val: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    rows: dict[str, tuple[RowRange, ...]]
    warnings: tuple[str, ...] = ()
    leaks: bool = False


@dataclass(frozen=True, kw_only=True)
class ForecastData:
    """A task ready to train on: scaled inputs, targets, and the split.

    Attributes:
        name: Catalogue name or the file's name.
        context_length: Rows of history in a window.
        horizon: Rows ahead that are forecast.
        features: Scaled inputs, float32, shape (T, C).
        target_values: Scaled targets, float32, shape (T, K); labels stay as they are.
        target_mean: Subtracted from the targets, shape (K,); zeros for labels.
        target_std: Divided out of the targets, shape (K,); ones for labels and for constants.
        table: Where all this comes from, unscaled.
        splits: Train, validation and test windows.
        feature_mean: Subtracted from the features, from training rows only, shape (C,).
        feature_std: Divided out of the features, from training rows only, shape (C,); so large that nothing
            is left of a feature that is constant over them.
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

    def targets_at(self, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The targets of windows that end at some rows, (N, steps x K), step-major."""
        rows = ends[:, None] + np.array(self.table.target_offsets)
        targets: npt.NDArray[np.float32] = self.target_values[rows].reshape(len(ends), -1)
        return targets
