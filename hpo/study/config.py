"""The study's config: every setting, its default, its limits, and what makes a study itself.

One key a flag: ``--startup-trials`` is ``startup_trials`` under ``[search]``.
"""

import re
import reprlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hpo.errors import ConfigError, UnknownNameError
from hpo.scoring.objective import VAL_LOSS, Objective, make_objective
from hpo.system.counts import format_budget, parse_budgets

NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,128}")

_MAX_TEXT = 4096
_MAX_NAME = 255
_MAX_FILE_BYTES = 100_000
_MAX_LINE = 2_000

Loss = Literal["bce", "focal", "cross_entropy", "mse", "mae", "huber", "gaussian_nll", "gaussian_nll_full"]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _text(cls, value: Any, info: ValidationInfo) -> Any:
        """What no file system and no database takes is refused here, with its key."""
        if isinstance(value, str | Path):
            text = str(value)
            if "\0" in text or len(text) > _MAX_TEXT:
                raise ValueError(f"must be at most {_MAX_TEXT:,} characters, none of them NUL")
            if info.field_name in ("out", "data", "storage"):
                longest = max(len(part.encode(errors="replace")) for part in text.split("/"))
                if longest > _MAX_NAME:
                    raise ValueError(f"holds a file name of {longest} bytes; at most {_MAX_NAME} are valid")
        return value


class StudySection(_Section):
    """Where the study is kept and on what it runs."""

    experiment: str | None = Field(
        None, description="name of the study; default <data>_<model>_h<horizon>_<budget>"
    )
    out: Path = Field(Path("outputs"), description="folder that everything is written to")
    storage: str | None = Field(None, description="database URL; default sqlite:///OUT/studies.db")
    seed: int = Field(0, ge=0, lt=2**31, description="seed of sampling, initial weights and data order")
    workers: int = Field(1, ge=1, le=64, description="trials at a time")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads a trial; default all cores / workers"
    )
    checkpoint_seconds: float = Field(
        30.0, ge=0, description="least time between two checkpoints of a running trial"
    )
    trial_timeout_seconds: float | None = Field(
        None, gt=0, description="a trial that trained so long is pruned; its best epoch counts"
    )

    @field_validator("experiment")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is not None and (not NAME_PATTERN.fullmatch(value) or value.strip(".") == ""):
            raise ValueError(
                "must be letters, digits, '.', '_' and '-', at most 128 of them, and not only dots"
            )
        return value


class DataSection(_Section):
    """What is forecast, from what."""

    data: str = Field("sp500", description="a data set of the catalogue, or a path to .csv or .parquet")
    target: str | None = Field(
        None, description="columns to forecast, by commas; default: a file's last one, or the data set's own"
    )
    time: str | None = Field(
        None, description="the timestamp column; default: the first that holds timestamps"
    )
    season: int | None = Field(
        None, ge=2, description="rows in a season; default: found in the training part"
    )
    task: Literal["binary", "multiclass", "regression"] | None = Field(
        None, description="default: the data set's own"
    )
    horizon: int = Field(1, ge=1, le=10_000, description="rows ahead")
    context: int = Field(80, ge=1, le=100_000, description="rows of history in a window")
    threshold: float = Field(1.0, gt=0, le=100, description="rise in percent that counts as an event")
    features: str = Field("a20", description="feature tier")
    split: str | None = Field(
        None,
        description="how rows are divided into train, validation and test; default: the data set's own rule",
    )
    folds: int = Field(5, ge=1, le=100, description="folds of a walk-forward split")
    fold: int | None = Field(
        None, ge=0, description="one fold alone, from 0; default: all, the objective is their mean"
    )
    groups: str | None = Field(
        None, description="stations, stores, heats or subjects to keep, by commas, or all"
    )
    data_seed: int = Field(0, ge=0, lt=2**31, description="seed of synthetic data")
    limit: int | None = Field(None, ge=1, description="at most so many training windows, the latest ones")

    @property
    def path(self) -> Path | None:
        """The user's own file, if data is one and no name of the catalogue."""
        looks_like_path = "/" in self.data or "." in self.data
        return Path(self.data) if looks_like_path else None

    @property
    def label(self) -> str:
        """The data's name in the study's name: of the catalogue, or of the file, made safe."""
        if self.path is None:
            return self.data
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
            raise ValueError(f"time: a column is chosen in a file of your own; data is {self.data!r}")
        return self


class ModelSection(_Section):
    """Which family of models."""

    model: str = Field("psann", description="a model family of the catalogue")


class BudgetSection(_Section):
    """How many parameters a model may have."""

    budget: str = Field("2M", description="750k, 2M, 20M, 200M, any number such as 1.5M, or a comma list")

    @field_validator("budget", mode="before")
    @classmethod
    def _budgets(cls, value: Any) -> str:
        return ",".join(format_budget(budget) for budget in parse_budgets(str(value)))


class SearchSection(_Section):
    """How the space is searched."""

    trials: int | None = Field(
        None, ge=1, le=1_000_000, description="total number of trials; default 30, or 70 for several budgets"
    )
    startup_trials: int = Field(
        12, ge=0, description="trials, forced ones among them, before TPE takes over from random sampling"
    )
    objective: str = Field(
        VAL_LOSS, description="val_loss, the task's proper score, or a validation metric such as auc"
    )
    prune: bool = Field(True, description="stop trials that are worse than the median of their budget")
    prune_warmup: int = Field(5, ge=1, description="epochs before a trial may be pruned")

    @field_validator("objective")
    @classmethod
    def _known(cls, value: str) -> str:
        return make_objective(value).name


class TrainingSection(_Section):
    """How a model is trained, beyond what is searched."""

    epochs: int = Field(50, ge=1, le=100_000, description="epochs at most")
    loss: Loss | None = Field(
        None,
        description="training loss: bce, focal, cross_entropy, mse, mae, huber, gaussian_nll (a variance for "
        "each forecast number), gaussian_nll_full (their whole covariance); default: the task's own",
    )
    focal_gamma: float = Field(2.0, ge=0, le=10, description="focusing parameter of the focal loss")
    focal_alpha: float | None = Field(
        None, gt=0, lt=1, description="weight of the positive class in the focal loss"
    )
    huber_delta: float = Field(
        1.0, gt=0, description="where Huber's loss turns from squares to absolute values, in scaled units"
    )
    positive_weight: float = Field(
        1.0, gt=0, le=1e6, description="what a positive counts in the loss bce, a negative being 1"
    )
    patience: Count = Field(10, description="epochs without improvement before a trial stops early")
    min_delta: float = Field(0.001, ge=0, description="the least improvement that counts")
    clip_norm: float = Field(1.0, gt=0, description="gradients are clipped to this norm")
    micro_batch: int | None = Field(
        None, ge=1, description="largest batch held in memory at once; gradients accumulate to the batch size"
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto",
        description="what layers multiply in; auto: bf16 where the processor does (elsewhere it is slow), "
        "else fp32",
    )


class StudyConfig(_Section):
    """All settings of one study, in the tables of a study file."""

    study: StudySection = StudySection()
    data: DataSection = DataSection()
    model: ModelSection = ModelSection()
    budget: BudgetSection = BudgetSection()
    search: SearchSection = SearchSection()
    training: TrainingSection = TrainingSection()

    @property
    def budgets(self) -> tuple[int, ...]:
        """The parameter budgets, smallest first."""
        return parse_budgets(self.budget.budget)

    @property
    def n_trials(self) -> int:
        """The total number of trials."""
        return self.search.trials or (30 if len(self.budgets) == 1 else 70)

    @property
    def experiment(self) -> str:
        """The study's name, given or made of what it is about."""
        budgets = "-".join(format_budget(budget) for budget in self.budgets)
        default = f"{self.data.label}_{self.model.model}_h{self.data.horizon}_{budgets}"
        return self.study.experiment or default

    @property
    def objective(self) -> Objective:
        """What the search goes by."""
        return make_objective(self.search.objective)

    @property
    def storage_url(self) -> str:
        """The database."""
        return self.study.storage or default_storage(self.study.out)

    def identity(self) -> dict[str, Any]:
        """What makes this study itself: two configs that differ here are two studies."""
        tables = self.model_dump(mode="json")
        identity = {**tables["data"], **tables["model"], **tables["budget"], **tables["training"]}
        if self.data.split == "walk-forward" and self.data.fold is None:
            identity["fold"] = "all"  # None was the last one
        search = {
            key: tables["search"][key] for key in ("startup_trials", "objective", "prune", "prune_warmup")
        }
        return {**identity, **search, "seed": self.study.seed}

    def to_toml(self) -> str:
        """The config as a study file; settings left to their default of "none" are not written."""
        tables = self.model_dump(mode="json", exclude_none=True)
        return tomli_w.dumps({name: table for name, table in tables.items() if table})


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def default_storage(out: Path) -> str:
    """The database URL of an output folder."""
    return f"sqlite:///{out}/studies.db"


def sections() -> dict[str, type[_Section]]:
    """The tables of a study file and their models, in order."""
    tables = {name: field.annotation for name, field in StudyConfig.model_fields.items()}
    return {name: table for name, table in tables.items() if isinstance(table, type)}


def keys() -> dict[str, str]:
    """Every key and the table it stands in. Keys are unique over all tables, so that each is a flag."""
    return {key: name for name, section in sections().items() for key in section.model_fields}


def build_config(settings: Mapping[str, Any], file: Mapping[str, Any] | None = None) -> StudyConfig:
    """Validate settings into a config.

    Args:
        settings: Key to value, as from the command line; None means not given. These win.
        file: Tables of a study file.

    Raises:
        UnknownNameError: A key or table is not known; the nearest is named.
        ConfigError: A value is out of range or of the wrong kind; the key is named.
    """
    known = keys()
    tables: dict[str, dict[str, Any]] = {name: {} for name in sections()}
    for name, table in (file or {}).items():
        if name not in tables:
            raise UnknownNameError("table", name, tables)
        if not isinstance(table, Mapping):
            raise ConfigError(f"[{name}] must be a table of keys, got {reprlib.repr(table)}")
        for key, value in table.items():
            if known.get(key) != name:
                raise UnknownNameError(f"key in [{name}]", key, [k for k, t in known.items() if t == name])
            tables[name][key] = value
    for key, value in settings.items():
        if key not in known:
            raise UnknownNameError("setting", key, known)
        if value is not None:
            tables[known[key]][key] = value
    try:
        return StudyConfig.model_validate(tables)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error


def read_study_file(path: Path) -> dict[str, Any]:
    """Read a study file's tables, not yet validated.

    Raises:
        ConfigError: The file is missing, too large or not TOML.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_FILE_BYTES:
            raise ConfigError(f"{path}: a study file has at most {_MAX_FILE_BYTES:,} bytes; got {size:,}")
        text = path.read_text(encoding="utf-8")
        # A key of many parts takes tomllib a time that grows with their square.
        longest = max(map(len, text.splitlines()), default=0)
        if longest > _MAX_LINE:
            raise ConfigError(f"{path}: lines have at most {_MAX_LINE:,} characters; got {longest:,}")
        return tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read as a study file ({error})") from error


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = str(first["loc"][-1]) if first["loc"] else "config"
    for part in reversed(first["loc"]):
        if part in keys():
            key = str(part)
            break
    message = first["msg"].removeprefix("Value error, ")
    return f"{key.replace('_', '-')}: {message[:1].lower()}{message[1:]}, got {reprlib.repr(first['input'])}"


def check_name(name: str) -> str:
    """Return an experiment's name if it is one.

    Raises:
        ConfigError: It holds other characters than letters, digits, '.', '_' and '-'.
    """
    return build_config({"experiment": name}).experiment
