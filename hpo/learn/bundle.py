"""All that turns raw rows into a forecast in the user's units, but for the weights: ``config.json``.

It holds numbers and names alone: loading one builds a network of the catalogue and runs no code of it.

Legend: L context_length, C channels, H horizon, K target columns, O outputs.
"""

from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hpo.data.base import Channel, ChannelKind, DataRequest, Dialect
from hpo.data.reading.replay import Replay
from hpo.errors import HpoError, StorageError
from hpo.models.base import ForecastShape, ModelConfig
from hpo.models.gaussian import Covariance
from hpo.scoring.forecasts import Scale
from hpo.scoring.scorer import Scorer
from hpo.scoring.task import Task
from hpo.scoring.tasks import TASKS
from hpo.study.catalogue import get_family
from hpo.trial.record import Code, DataSource, explain

MAX_NUMBER = 10**6
"""No length, width or count of a model that this machine could hold is larger."""


class _Fields(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )


class Input(_Fields):
    """One channel: the raw column and its kind, and the scaler's numbers."""

    name: str
    column: str
    kind: ChannelKind
    value: str | None = None
    mean: float
    std: float = Field(gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.kind == "category") != (self.value is not None):
            raise ValueError(f"channel {self.name!r}: a category has a value and nothing else has")
        return self


class Target(_Fields):
    """One target column, and what its scaled values are turned back by."""

    name: str
    mean: float
    std: float = Field(gt=0)


class Reading(_Fields):
    """How raw rows were read; the fields are those of :class:`hpo.data.base.DataRequest`."""

    time: tuple[str, ...] = ()
    time_format: str | None = None
    time_zone: str | None = None
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    frequency: str | None = None
    series: tuple[str, ...] = ()


class FoundDialect(_Fields):
    """What was found of a file's layout beyond that."""

    time: tuple[str, ...]
    time_format: str | None
    decimal: str | None


class File(_Fields):
    """A file of the folder: its size in bytes and its SHA-256."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Bundle(_Fields):
    """All of a trained model but its weights.

    Attributes:
        schema_version: Of this layout.
        experiment: The study that it is from.
        trial_number: The trial.
        family: The model family.
        model: The family's config.
        n_outputs: Numbers that the network forecasts for a window, O.
        target_channels: Where the target columns stand among the channels; empty for classes.
        covariance: What it forecasts beside the mean.
        task: What is forecast, a name of :data:`hpo.scoring.tasks.TASKS`.
        context_length: Rows of history in a window, L.
        horizon: Rows ahead, H.
        steps: The rows ahead that are forecast, counted from the last row of the window.
        channels: The C inputs, in order.
        targets: The K target columns.
        class_names: Of a multi-class task.
        frequency: Of the rows, in words.
        regular: Whether a window may hold no missing step.
        season: Rows in a season, for scores.
        naive_error: What MASE divides by, for each output; null where there is none.
        features: The data set's feature tier; null where it has none.
        history: The first raw row, from which the tier's indicators are computed, as ISO 8601 has it.
        reading: How raw rows were read.
        dialect: What was found of the file's layout.
        precision: What layers multiply in.
        parameter_budget: Asked for.
        param_count: Reached, exactly.
        scores: Metrics of parts of the data, "val" among them, once the trial's record has them.
        verdict: What the study's summary says of it, where there is one.
        data: The data it was trained on.
        code: The code that trained it.
        files: The other files of the folder, by name.
    """

    schema_version: Literal[1] = 1
    experiment: str
    trial_number: int = Field(ge=0)
    family: str
    model: dict[str, int | float | str | bool | None]
    n_outputs: int = Field(ge=1, le=MAX_NUMBER)
    target_channels: tuple[int, ...]
    covariance: Covariance
    task: str
    context_length: int = Field(ge=1, le=MAX_NUMBER)
    horizon: int = Field(ge=1, le=MAX_NUMBER)
    steps: tuple[int, ...] = Field(min_length=1)
    channels: tuple[Input, ...] = Field(min_length=1)
    targets: tuple[Target, ...] = Field(min_length=1)
    class_names: tuple[str, ...] = ()
    frequency: str
    regular: bool
    season: int | None = None
    naive_error: tuple[float | None, ...] = ()
    features: Literal["a20", "a50", "a100", "a200"] | None = None
    history: datetime | None = None
    reading: Reading
    dialect: FoundDialect | None = None
    precision: Literal["fp32", "bf16"]
    parameter_budget: int
    param_count: int = Field(ge=1)
    scores: dict[str, dict[str, float]] = {}
    verdict: dict[str, Any] | None = None
    data: DataSource
    code: Code
    files: dict[str, File] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Hold the numbers against each other.

        Raises:
            ValueError: They contradict each other; pydantic makes it an error of the field.
        """
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}")
        classes = len(self.class_names) or 1
        expected = len(self.steps) * len(self.targets) * classes
        if self.n_outputs != expected:
            raise ValueError(f"n_outputs must be {expected} for these steps, targets and classes")
        if self.history is not None and self.history.tzinfo is not None:
            raise ValueError("history must have no time zone")
        if self.naive_error and len(self.naive_error) != self.n_outputs:
            raise ValueError("naive_error must hold a number an output")
        if not all(0 <= place < len(self.channels) for place in self.target_channels):
            raise ValueError("target_channels must be places of channels")
        if not all(0 <= step <= MAX_NUMBER for step in self.steps):
            raise ValueError("steps must not be negative")
        for name, value in self.model.items():
            if isinstance(value, int) and not -MAX_NUMBER <= value <= MAX_NUMBER:
                raise ValueError(f"model.{name} must be at most {MAX_NUMBER:,}")
        return self

    @property
    def shape(self) -> ForecastShape:
        """What the network is built for."""
        return ForecastShape(
            context_length=self.context_length,
            n_channels=len(self.channels),
            n_outputs=self.n_outputs,
            target_channels=self.target_channels,
            covariance=self.covariance,
        )

    @property
    def kind(self) -> Task:
        """What is forecast."""
        return TASKS[self.task]

    @property
    def names(self) -> tuple[str, ...]:
        """What each output of one step is of: a target column, or one class of it."""
        if not self.class_names:
            return tuple(target.name for target in self.targets)
        return tuple(f"{self.targets[0].name}={name}" for name in self.class_names)

    def model_config_of(self) -> ModelConfig:
        """The family's config.

        Raises:
            HpoError: There is no such family, or its config is not one.
        """
        config = get_family(self.family).config
        known = {field.name for field in fields(config)}
        if set(self.model) != known:
            raise StorageError(f"the config of a {self.family} has the fields {', '.join(sorted(known))}")
        try:
            return config(**self.model)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise StorageError(f"no config of a {self.family}: {error}") from error

    @property
    def scale(self) -> Scale:
        """Of the outputs."""
        error = [np.nan if value is None else value for value in self.naive_error] or [
            np.nan
        ] * self.n_outputs
        return Scale(
            mean=np.tile([target.mean for target in self.targets], len(self.steps)),
            std=np.tile([target.std for target in self.targets], len(self.steps)),
            naive_error=np.array(error),
        )

    @property
    def scorer(self) -> Scorer:
        """Holds forecasts against what came."""
        return Scorer(task=self.kind, scale=self.scale, class_names=self.class_names, season=self.season)

    @property
    def replay(self) -> Replay:
        """Reads new rows."""
        request = DataRequest(
            context_length=self.context_length, horizon=self.horizon, **self.reading.model_dump()
        )
        return Replay(
            request=request,
            dialect=None if self.dialect is None else Dialect(**self.dialect.model_dump()),
            channels=tuple(
                Channel(name=each.name, column=each.column, kind=each.kind, value=each.value)
                for each in self.channels
            ),
            targets=tuple(target.name for target in self.targets),
            frequency=self.frequency,
            regular=self.regular,
            tier=self.features,
            history=None if self.history is None else np.datetime64(self.history, "ns"),
        )


def read_bundle(text: bytes, where: Path) -> Bundle:
    """A bundle from the bytes of its ``config.json``.

    Raises:
        StorageError: It is none, or of a newer version; the message names the file.
    """
    try:
        return Bundle.model_validate_json(text)
    except ValidationError as error:
        raise StorageError(f"{where}: not the config of a forecaster: {explain(error)}") from error
    except (RecursionError, HpoError) as error:
        raise StorageError(f"{where}: not the config of a forecaster ({error})") from error
