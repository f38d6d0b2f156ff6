"""Every setting of a study, each described once: a field gives its type, limits, default and help.

What follows from the fields: the keys of a study file (a class is a table), the flags of ``hpo run`` and
``hpo plan`` (a class is a panel), the variables of make, the tables of docs/commands.md, and the study's
identity. A setting belongs to the identity unless its field is marked :data:`FREE`. Where a default depends
on other things it is None, and the description says what it then is.
"""

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hpo.errors import ConfigError
from hpo.scoring.objective import VAL_LOSS, make_objective
from hpo.system.counts import format_budget, parse_budgets

NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,128}")

FREE: dict[str, JsonValue] = {"identity": False}
"""Marks a setting that may change while a study goes on; every other makes the study itself."""

FRAME = "data.parquet"
"""Where a study keeps a data frame it was given: under this name, in its own folder."""

_FRAME_STUDY = re.compile(r"frame-[0-9a-f]{8}(?=_)")
_MAX_TEXT = 4096
_MAX_NAME = 255

Loss = Literal["bce", "focal", "cross_entropy", "mse", "mae", "huber", "gaussian_nll", "gaussian_nll_full"]


class Section(BaseModel):
    """A table of a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _text(cls, value: Any, info: ValidationInfo) -> Any:
        """What no file system and no database takes is refused here, with its key."""
        if isinstance(value, str | Path):
            text = str(value)
            if not text and info.field_name != "experiment":  # which has a rule of its own
                raise ValueError("must not be empty; leave it out to take the default")
            if "\0" in text or len(text) > _MAX_TEXT:
                raise ValueError(f"must be at most {_MAX_TEXT:,} characters, none of them NUL")
            if info.field_name in ("out", "data", "storage"):
                longest = max(len(part.encode(errors="replace")) for part in text.split("/"))
                if longest > _MAX_NAME:
                    raise ValueError(f"holds a file name of {longest} bytes; at most {_MAX_NAME} are valid")
        return value


class ModelSection(Section):
    """Which family of models."""

    model: str = Field("psann", description="a model family; `hpo models` lists them")


class BudgetSection(Section):
    """How many parameters a model may have."""

    budget: str = Field(
        "2M", description="number of parameters: 750k, 2M, 20M, 200M, any other such as 1.5M, or a comma list"
    )

    @field_validator("budget", mode="before")
    @classmethod
    def _budgets(cls, value: Any) -> str:
        return ",".join(format_budget(budget) for budget in parse_budgets(str(value)))


class DataSection(Section):
    """What is forecast, from what."""

    data: str = Field(
        "sp500",
        description="a data set (`hpo data` lists them), or the path of a .csv or .parquet file of your own",
    )
    target: str | None = Field(
        None, description="columns to forecast, by commas; default: a file's last one, or the data set's own"
    )
    time: str | None = Field(
        None, description="timestamp column of your own file; default: the first that holds timestamps"
    )
    season: int | None = Field(
        None,
        ge=2,
        description="rows in a season, for the seasonal naive forecast and MASE; default: found in the "
        "training part",
    )
    task: Literal["binary", "multiclass", "regression"] | None = Field(
        None, description="what kind of forecast; default: the data set's own"
    )
    horizon: int = Field(1, ge=1, le=10_000, description="rows ahead")
    context: int = Field(80, ge=1, le=100_000, description="rows of history in a window")
    threshold: float = Field(1.0, gt=0, le=100, description="rise in percent that counts as an event")
    features: str = Field("a20", description="feature tier: a20, a50, a100 or a200, where the data has tiers")
    split: str | None = Field(
        None,
        description="how rows are divided into train, validation and test: contiguous, scattered, year, "
        "group, official or walk-forward; default: the data set's own rule",
    )
    folds: int = Field(
        5,
        ge=1,
        le=100,
        description="folds of a walk-forward split; a trial trains on all of them, its value is their mean",
    )
    fold: int | None = Field(None, ge=0, description="one fold alone, from 0; default: all of them")
    groups: str | None = Field(
        None,
        description="stations, stores, heats or subjects to keep, by commas, or all; default: the data "
        "set's own",
    )
    data_seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of synthetic data")
    limit: int | None = Field(
        None, ge=1, description="at most so many training windows, the latest ones; default: all"
    )

    @property
    def path(self) -> Path | None:
        """The user's own file, if data is one and no name of the catalogue."""
        looks_like_path = "/" in self.data or "." in self.data
        return Path(self.data) if looks_like_path else None

    @property
    def label(self) -> str:
        """The data's name in the study's name: of the catalogue, or of the file, made safe.

        Of a data frame kept by a study it is the frame's own, or that of the study if a user named it.
        """
        if self.path is None:
            return self.data
        if self.path.name == FRAME:
            study = self.path.absolute().parent.name
            named = _FRAME_STUDY.match(study)
            return named[0] if named else study
        stem = self.path.name.split(".")[0]
        return re.sub(r"[^A-Za-z0-9_-]+", "-", stem)[:64].strip("-") or "data"

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns."""
        return _parts(self.target)

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups to keep."""
        return _parts(self.groups)

    @model_validator(mode="after")
    def _time_needs_a_file(self) -> Self:
        if self.path is None and self.time is not None:
            raise ConfigError(f"a column is chosen in a file of your own; data is {self.data!r}", key="time")
        return self


class TrainingSection(Section):
    """How a model is trained, beyond what is searched."""

    epochs: int = Field(50, ge=1, le=100_000, description="epochs at most")
    loss: Loss | None = Field(
        None,
        description="what trains: bce and focal for binary tasks, cross_entropy for multi-class ones, the "
        "others for regression; default: the task's own",
    )
    focal_gamma: float = Field(2.0, ge=0, le=10, description="focusing parameter of the focal loss")
    focal_alpha: float | None = Field(
        None, gt=0, lt=1, description="weight of the positive class in the focal loss; default: none"
    )
    huber_delta: float = Field(
        1.0, gt=0, description="where Huber's loss turns from squares to absolute values, in scaled units"
    )
    positive_weight: float = Field(
        1.0, gt=0, le=1e6, description="what a positive counts in the loss bce, a negative being 1"
    )
    patience: int = Field(10, ge=1, description="epochs without improvement before a trial stops early")
    min_delta: float = Field(0.001, ge=0, description="the least improvement that counts")
    clip_norm: float = Field(1.0, gt=0, description="gradients are clipped to this norm")
    micro_batch: int | None = Field(
        None,
        ge=1,
        description="largest batch held in memory at once; gradients accumulate to the batch size; default: "
        "the whole batch",
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto",
        description="what layers multiply in; auto: bf16 where the processor does (elsewhere it is slow), "
        "else fp32",
    )


class SearchSection(Section):
    """How the space is searched."""

    trials: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="total number of trials, forced ones among them; default: 30, or 70 for several budgets",
        json_schema_extra=FREE,
    )
    startup_trials: int = Field(
        12, ge=0, description="trials, forced ones among them, before TPE takes over from random sampling"
    )
    sampler: str = Field(
        "tpe", description="what draws the trials after the start-up ones: tpe, or random to compare with"
    )
    objective: str = Field(
        VAL_LOSS,
        description="what the search goes by on the validation part: val_loss, the task's proper score, or "
        "one of its metrics, such as auc",
    )
    prune: bool = Field(
        True, description="stop trials that are worse than the median of their budget; never forced ones"
    )
    prune_warmup: int = Field(5, ge=1, description="epochs before a trial may be pruned")

    @field_validator("objective")
    @classmethod
    def _known(cls, value: str) -> str:
        return make_objective(value).name


class StudySection(Section):
    """Where the study is kept and on what it runs."""

    experiment: str | None = Field(
        None,
        description="name of the study; default: data, model, horizon and budget, joined by _",
        json_schema_extra=FREE,
    )
    out: Path = Field(
        Path("outputs"), description="folder that everything is written to", json_schema_extra=FREE
    )
    storage: str | None = Field(
        None,
        description="database URL; default: sqlite:/// and studies.db in the folder out",
        json_schema_extra=FREE,
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of sampling, initial weights and data order")
    executor: str = Field(
        "local", description="what trains the trials: local, a process each", json_schema_extra=FREE
    )
    workers: int = Field(1, ge=1, le=64, description="trials at a time", json_schema_extra=FREE)
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to train", json_schema_extra=FREE
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="CPU threads of a trial; default: all cores / workers",
        json_schema_extra=FREE,
    )
    checkpoint_seconds: float = Field(
        30.0,
        ge=0,
        description="least time between two checkpoints of a running trial; they take at most 3 % of the "
        "time",
        json_schema_extra=FREE,
    )
    trial_timeout_seconds: float | None = Field(
        None,
        gt=0,
        description="a trial that trained so long is pruned; its best epoch counts; default: no limit",
        json_schema_extra=FREE,
    )

    @field_validator("experiment")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is not None and (not NAME_PATTERN.fullmatch(value) or value.strip(".") == ""):
            raise ValueError(
                "must be letters, digits, '.', '_' and '-', at most 128 of them, and not only dots"
            )
        return value


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()
