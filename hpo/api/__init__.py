"""The way in from Python: settings go in, values come out. Nothing here prints, takes a signal or exits."""

import inspect
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

import hpo.system.notebook  # before Optuna  # noqa: F401
from hpo.api.session import SILENT, plan_study, run_study
from hpo.api.study import Study
from hpo.api.winner import load as load
from hpo.engine.context import files_of
from hpo.engine.listener import Listener
from hpo.errors import ConfigError, StorageError
from hpo.report.preview import Preview
from hpo.store.frame import content_hash, to_table
from hpo.store.layout import ExperimentFiles
from hpo.store.records import read_records
from hpo.study.config import StudyConfig, build_config, check_name, read_study_file, sections
from hpo.system.stop import StopFlag
from hpo.trial.state import State

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _takes_settings(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Name the settings and their defaults in a function's signature, for ``help()`` and completion."""
    signature = inspect.signature(function)
    own = {p.name: p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}
    shared = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=field.default)
        for section in sections().values()
        for key, field in section.model_fields.items()
        if key not in own
    ]
    named = signature.replace(parameters=[*own.values(), *shared])
    function.__signature__ = named  # type: ignore[attr-defined]
    return function


@_takes_settings
def run(
    *,
    data: str | Path | pd.DataFrame | None = None,
    study: str | Path | None = None,
    listener: Listener = SILENT,
    stop: StopFlag | None = None,
    **settings: Any,
) -> Study:
    """Run a study to its total number of trials, or go on with one that was begun.

    The same call again goes on where it stopped; a higher ``trials`` extends it. All that can be wrong with
    the settings is checked before anything is written.

    Args:
        data: A data set's name, the path of a file, or a data frame with a column or an index of times. A
            frame is kept whole in the study's folder, and the default name of the study holds the first
            eight digits of its content's hash: a changed frame is another study.
        study: A study file; the settings win over it.
        listener: Told what happens.
        stop: When another thread sets it, running trials are left to go on next time.
        **settings: The keys of a study file, which are the flags of ``hpo run`` with underscores.

    Raises:
        HpoError: The input is wrong; nothing was written.
        KeyboardInterrupt: Ctrl-C; everything is kept, the same call goes on.
    """
    if not callable(getattr(listener, "told", None)):
        raise ConfigError(f"must have a method told(event), got {listener!r}", key="listener")
    asked = _asked(data, study, settings)
    # A long-lived process may change its folder, even while the study runs.
    config = asked.config(out=asked.config().study.out.absolute())
    if asked.frame is not None:
        config = asked.config(
            out=config.study.out, experiment=config.experiment, data=str(files_of(config).frame)
        )
    return run_study(config, asked.command, listener=listener, stop=stop, frame=asked.frame)


@_takes_settings
def plan(
    *, data: str | Path | pd.DataFrame | None = None, study: str | Path | None = None, **settings: Any
) -> Preview:
    """Size and cost what :func:`run` would do with the same settings; nothing is written.

    Args:
        data: As :func:`run`.
        study: As :func:`run`.
        **settings: As :func:`run`.

    Raises:
        HpoError: The input is wrong.
    """
    asked = _asked(data, study, settings)
    if asked.frame is None:
        return plan_study(asked.config())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / asked.config().data.data
        pyarrow.parquet.write_table(asked.frame, path)
        return plan_study(asked.config(data=str(path)))


def open(path: str | Path) -> Study:
    """The study whose files are in a folder, as they are now.

    Args:
        path: ``outputs/<experiment>``.

    Raises:
        HpoError: There is no study in that folder, or a trial's file cannot be read.
    """
    folder = Path(path).absolute()
    files = ExperimentFiles(out=folder.parent, experiment=check_name(folder.name))
    if not files.trials.is_dir():
        raise StorageError(f"{path}: no study is here: there is no folder {files.trials.name}/ in it")
    records, errors = read_records(files)
    if errors:
        raise StorageError(
            f"{errors[0]}; `hpo rebuild --out {files.out} --experiment {files.experiment}` restores it "
            "from the database"
        )
    return Study(files=files, records=tuple(record for record in records if record.state != State.RUNNING))


@dataclass(frozen=True)
class _Asked:
    """What a caller asked for.

    Attributes:
        settings: The settings, as a study file has them.
        file: The tables of a study file, which the settings win over.
        frame: The columns of a data frame; the settings then hold a file's name, to be placed somewhere.
    """

    settings: dict[str, Any]
    file: dict[str, Any] | None
    frame: pa.Table | None = None

    def config(self, **more: Any) -> StudyConfig:
        """The config, with some settings changed."""
        return build_config({**self.settings, **more}, self.file)

    @property
    def command(self) -> list[str]:
        """The call, for the manifest."""
        given = {key: value for key, value in self.settings.items() if value is not None}
        if self.frame is not None:
            given["data"] = self.config().data.label
        return ["hpo.run", *(f"{key}={value!r}" for key, value in given.items())]


def _asked(
    data: str | Path | pd.DataFrame | None, study: str | Path | None, settings: dict[str, Any]
) -> _Asked:
    file = read_study_file(Path(study)) if study is not None else None
    given = {key: _plain(value) for key, value in settings.items()}
    if not isinstance(data, pd.DataFrame):
        return _Asked({"data": _plain(data), **given}, file)
    time = _Asked({"data": "frame.parquet", **given}, file).config().data.time
    frame = to_table(data, time)
    return _Asked({"data": f"frame-{content_hash(frame)[:8]}.parquet", **given}, file, frame)


def _plain(value: Any) -> Any:
    """A setting as a study file has it: lists by commas, paths as text, numpy's numbers as Python's."""
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value
