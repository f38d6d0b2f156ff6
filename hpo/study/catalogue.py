"""The only door to the catalogues of models and data: names in, families and data out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.data import DATASETS, prepare, prepare_folds
from hpo.data.base import DataRequest, DatasetSpec, ForecastData
from hpo.data.fetch import present
from hpo.data.reading.report import TableReport, check_table
from hpo.errors import DatasetError, UnknownNameError
from hpo.models import FAMILIES
from hpo.models.base import ForecastShape, ModelFamily
from hpo.models.gaussian import Covariance
from hpo.scoring.task import Task
from hpo.study.config import StudyConfig, build_config
from hpo.study.data_settings import DataSection, split_names


def list_families() -> list[ModelFamily]:
    """All model families."""
    return list(FAMILIES.values())


def list_datasets() -> list[DatasetSpec]:
    """All data sets of the catalogue."""
    return list(DATASETS.values())


def is_here(spec: DatasetSpec) -> bool:
    """Whether a data set's files are on this machine."""
    return all(present(forms) is not None for forms in spec.files)


def check_file(path: Path, given: Mapping[str, Any]) -> TableReport:
    """Say what is in a user's file.

    Args:
        path: The file.
        given: Settings of the data, as a study has them.

    Raises:
        ConfigError: A setting is none.
        DatasetError: The file cannot be used.
    """
    is_name = str(path) == path.name and "." not in path.name  # which would be one of the catalogue
    config = build_config({**given, "data": f"./{path}" if is_name else str(path)})
    try:
        return check_table(request_of(config.data))
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error


def get_family(name: str) -> ModelFamily:
    """The model family of that name.

    Raises:
        UnknownNameError: There is none; the nearest is named.
    """
    if name not in FAMILIES:
        raise UnknownNameError("model", name, FAMILIES)
    return FAMILIES[name]


def load_data(config: StudyConfig) -> tuple[ForecastData, ...]:
    """Load a study's data, split and scaled: all folds of a walk-forward split, or the one of any other.

    Raises:
        UnknownNameError: There is no such data set.
        DatasetError: The data cannot be had, or cannot serve this task, context or horizon.
    """
    section = config.data
    if section.path is None and section.data not in DATASETS:
        raise UnknownNameError("data set", section.data, DATASETS)
    request = request_of(section)
    try:
        if section.split == "walk-forward" and section.fold is None:
            return prepare_folds(section.label, request)
        return (prepare(section.label, request),)
    except ValueError as error:
        raise DatasetError(f"data {section.data}: {error}") from error


def groups_of(section: DataSection) -> str | None:
    """What the groups of a catalogue's data set are, such as "store"; None where it has none."""
    return None if section.path is not None else DATASETS[section.data].groups


def request_of(section: DataSection) -> DataRequest:
    """What a study's settings ask of its data."""
    return DataRequest(
        context_length=section.context,
        horizon=section.horizon,
        task=section.task,
        threshold=section.threshold / 100,
        features=section.features,
        split=section.split,
        n_folds=section.folds,
        fold=section.fold,
        groups=section.group_names,
        data_seed=section.data_seed,
        limit=section.limit,
        path=section.path,
        target=section.targets,
        season=section.season,
        time=split_names(section.time),
        time_format=section.time_format,
        time_zone=section.time_zone,
        separator=section.separator,
        decimal=section.decimal,
        encoding=section.encoding,
        missing=split_names(section.missing),
        columns=split_names(section.columns),
        drop=split_names(section.drop),
        frequency=section.frequency,
        series=split_names(section.series),
    )


def shape_of(data: ForecastData, task: Task, covariance: Covariance = "none") -> ForecastShape:
    """What a model needs to know of the data and of its covariance head."""
    return ForecastShape(
        context_length=data.context_length,
        n_channels=data.features.shape[1],
        n_outputs=task.n_outputs(data),
        target_channels=data.table.target_channels,
        covariance=covariance,
    )
