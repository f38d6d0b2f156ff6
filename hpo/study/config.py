"""A study's config: its settings in their tables, what follows from them, and how it is built and read."""

import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from hpo.errors import ConfigError, UnknownNameError
from hpo.scoring.objective import Objective, make_objective
from hpo.study.data_settings import FRAME, DataSection
from hpo.study.section import Section
from hpo.study.settings import (
    BudgetSection,
    ModelSection,
    SearchSection,
    StudySection,
    TrainingSection,
)
from hpo.system.counts import format_budget, parse_budgets

RULES = 2
"""By which rules a study is run: another number gives other results for the same settings.

2: validation and test windows read inputs from before their part; min_delta is a share of the naive score.
"""

_MAX_FILE_BYTES = 100_000
_MAX_LINE = 2_000


class StudyConfig(BaseModel):
    """All settings of one study, in the tables of a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataSection = DataSection()
    model: ModelSection = ModelSection()
    budget: BudgetSection = BudgetSection()
    training: TrainingSection = TrainingSection()
    search: SearchSection = SearchSection()
    study: StudySection = StudySection()

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

    @property
    def keeps_its_data(self) -> bool:
        """Whether its data are a data frame that is kept in the study's own folder."""
        path = self.data.path
        return path is not None and path.absolute() == (self.study.out / self.experiment / FRAME).absolute()

    def identity(self) -> dict[str, Any]:
        """What makes this study itself: two configs that differ here are two studies."""
        tables = self.model_dump(mode="json")
        identity = {key: tables[known.table][key] for key, known in settings().items() if known.in_identity}
        if self.keeps_its_data:  # wherever its folder is, or is moved to
            identity["data"] = FRAME
        if self.data.split == "walk-forward" and self.data.fold is None:
            identity["fold"] = "all"  # None was the last one
        return {**identity, "rules": RULES}

    def to_toml(self) -> str:
        """The config as a study file; settings left to their default of "none" are not written."""
        tables = self.model_dump(mode="json", exclude_none=True)
        return tomli_w.dumps({name: table for name, table in tables.items() if table})


def default_storage(out: Path) -> str:
    """The database URL of an output folder."""
    return f"sqlite:///{out}/studies.db"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a field says of a setting.

    Attributes:
        key: Its name in a study file and in Python; the flag's and make's are made of it.
        table: The table of a study file that it stands in.
        panel: What the settings of that table are about, in a few words.
        takes: Type and limits, in words.
        default: As text; None where it depends on other things, which the description then says.
        description: What it is.
        kind: Type of its values, without None.
        choices: All valid values, where they are few names.
        in_identity: Whether another value makes another study.
        of_a_file: Whether it says how a file of one's own is read.
    """

    key: str
    table: str
    panel: str
    takes: str
    default: str | None
    description: str
    kind: type
    choices: tuple[str, ...]
    in_identity: bool
    of_a_file: bool


@cache
def settings() -> dict[str, Setting]:
    """Every setting by its key. Keys are unique over all tables, so that each can be a flag."""
    return {
        key: _setting(key, field, name, section)
        for name, section in sections().items()
        for key, field in section.model_fields.items()
    }


def sections() -> dict[str, type[Section]]:
    """The tables of a study file and their models, in order."""
    tables = {name: field.annotation for name, field in StudyConfig.model_fields.items()}
    return {name: table for name, table in tables.items() if isinstance(table, type)}


def _setting(key: str, field: FieldInfo, table: str, section: type[Section]) -> Setting:
    """Read a field; its annotation is one type, or that type or None."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    annotation = field.annotation
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    kind = str if choices else annotation
    assert isinstance(kind, type), f"{key}: a setting is of one type, got {field.annotation}"
    default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
    return Setting(
        key=key,
        table=table,
        panel=(section.__doc__ or table).rstrip("."),
        takes=", ".join(choices) or _takes(kind, field),
        default=None if field.default is None else default,
        description=field.description or "",
        kind=kind,
        choices=choices,
        in_identity=bool(extra.get("identity", True)),
        of_a_file=bool(extra.get("file", False)),
    )


def _takes(kind: type, field: FieldInfo) -> str:
    """Type and limits in words: "integer 1 to 64", "number above 0"."""
    words = {"ge": "from ", "gt": "above ", "le": "to ", "lt": "below "}
    limits = {
        name: getattr(limit, name) for name in words for limit in field.metadata if hasattr(limit, name)
    }
    if {"ge", "le"} <= limits.keys():
        words["ge"] = ""
    texts = [
        f"{words[name]}{int(x):,}" if x == int(x) else f"{words[name]}{x:g}" for name, x in limits.items()
    ]
    return " ".join(
        [{int: "integer", float: "number", bool: "true or false", Path: "path"}.get(kind, "text"), *texts]
    )


def build_config(given: Mapping[str, Any], file: Mapping[str, Any] | None = None) -> StudyConfig:
    """Validate settings into a config.

    Args:
        given: Key to value, as from the command line; None means not given. These win.
        file: Tables of a study file.

    Raises:
        UnknownNameError: A key or table is not known; the nearest is named.
        ConfigError: A value is out of range or of the wrong kind; the key is named.
    """
    known = settings()
    tables: dict[str, dict[str, Any]] = {name: {} for name in sections()}
    for name, table in (file or {}).items():
        if name not in tables:
            raise UnknownNameError("table", name, tables)
        if not isinstance(table, Mapping):
            raise ConfigError(f"[{name}] must be a table of keys, got {reprlib.repr(table)}")
        for key, value in table.items():
            if key not in known or known[key].table != name:
                valid = [setting.key for setting in known.values() if setting.table == name]
                raise UnknownNameError(f"key in [{name}]", key, valid)
            tables[name][key] = value
    for key, value in given.items():
        if key not in known:
            raise UnknownNameError("setting", key, known)
        if value is not None:
            tables[known[key].table][key] = value
    try:
        return StudyConfig.model_validate(tables)
    except ValidationError as error:
        raise _explained(error) from error


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


def read_own_config(folder: Path, **given: Any) -> StudyConfig:
    """The config of a study from its own folder; a data frame kept in it is found where the folder is now.

    Args:
        folder: The study's folder, which holds its study.toml.
        **given: Settings that win over the file.

    Raises:
        ConfigError: The file is missing, or is no study's config.
    """
    file = read_study_file(folder / "study.toml")
    if build_config({}, file).keeps_its_data:
        given["data"] = str(folder / FRAME)
    return build_config(given, file)


def _explained(error: ValidationError) -> ConfigError:
    """The first thing that is wrong, in a line."""
    first = error.errors()[0]
    key, value = str(first["loc"][1]), first["input"]
    if first["type"] == "literal_error":
        return UnknownNameError(key, str(value), settings()[key].choices)
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
    return ConfigError(f"{message}, got {reprlib.repr(value)}", key)


def check_name(name: str) -> str:
    """Return an experiment's name if it is one.

    Raises:
        ConfigError: It holds other characters than letters, digits, '.', '_' and '-'.
    """
    return build_config({"experiment": name}).experiment
