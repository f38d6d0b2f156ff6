"""The study's storage: Optuna over SQLite, set up so that several processes can share it."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import optuna
import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url

from hpo.errors import ConfigError, StorageError, UnknownNameError
from hpo.locks import folder_locked
from hpo.records import TrialRecord

__all__ = ["FrozenTrial", "RDBStorage", "Study"]
"""Optuna's own types, for modules that only name them."""

IDENTITY = "hpo:identity"
"""Study attribute: what makes the study itself."""

RECORD = "hpo:record"
"""Trial attribute: the fields of the record that Optuna has no place for. A system attribute, which the
dashboard does not show."""

ORIGIN = "origin"
"""Trial attribute: where a trial's params come from."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

_SQLITE_HEADER = b"SQLite format 3\x00"

_STORED_ELSEWHERE = frozenset(
    {
        "state",
        "value",
        "params",
        "distributions",
        "intermediate_values",
        "constraints",
        "user_attrs",
        "system_attrs",
        "trial_number",
    }
)


def check_storage(url: str) -> URL:
    """Check what can be checked of a database without touching it.

    Raises:
        ConfigError: It is no URL.
        StorageError: It names a file that is no SQLite database.
    """
    try:
        parsed = make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise ConfigError(
            f"storage: not a database URL such as sqlite:///outputs/studies.db, got {url!r}"
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        path = Path(parsed.database)
        if path.exists():
            try:
                with path.open("rb") as file:
                    head = file.read(len(_SQLITE_HEADER))
            except OSError as error:
                raise StorageError(f"storage {url}: cannot be read ({error.strerror})") from error
            if head not in (b"", _SQLITE_HEADER):
                raise StorageError(f"storage {url}: {path} is no SQLite database")
    return parsed


def open_storage(url: str) -> RDBStorage:
    """Open or create the database.

    Raises:
        StorageError: It cannot be opened, is no database, or is one of another program or version.
    """
    parsed = check_storage(url)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if parsed.get_backend_name() != "sqlite":
            return RDBStorage(url)
        folder = Path(parsed.database or ".").parent
        folder.mkdir(parents=True, exist_ok=True)
        with folder_locked(folder):  # processes that make the tables at the same time trip over each other
            storage = RDBStorage(url, {"connect_args": {"isolation_level": None, "timeout": 60}})
    except (sqlalchemy.exc.SQLAlchemyError, RuntimeError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(f"storage {url}: cannot be opened as a study database ({reason})") from error
    # Transactions take the write lock when they begin: SQLite otherwise lets two processes read the same
    # waiting trial and pop it twice.
    event.listen(storage.engine, "connect", _configure_connection)
    event.listen(storage.engine, "begin", _begin_immediate)
    storage.engine.dispose()
    return storage


def _configure_connection(connection: Any, _record: object) -> None:
    """Write-ahead log: readers do not block, and a crash leaves a whole database."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _begin_immediate(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextlib.contextmanager
def open_existing(url: str) -> Iterator[RDBStorage]:
    """Open a database that must already be there; nothing is created.

    Raises:
        StorageError: There is none.
    """
    parsed = check_storage(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise StorageError(f"no study database at {parsed.database}: run a study first, or give --storage")
    storage = open_storage(url)
    try:
        yield storage
    finally:
        storage.engine.dispose()


def study_names(storage: RDBStorage) -> list[str]:
    """The names of all studies, sorted."""
    return sorted(optuna.get_all_study_names(storage))


def load_study(storage: RDBStorage, experiment: str) -> Study:
    """The study of that experiment.

    Raises:
        UnknownNameError: There is none; the nearest is named.
    """
    names = study_names(storage)
    if experiment not in names:
        raise UnknownNameError("experiment", experiment, names)
    return optuna.load_study(study_name=experiment, storage=storage)


def check_identity(study: Study, identity: dict[str, Any]) -> None:
    """Claim a new study for a config, or check that a stored one is the same.

    Raises:
        ConfigError: The stored study differs; the message says in what.
    """
    stored = study.user_attrs.get(IDENTITY)
    if stored is None:
        if study.get_trials(deepcopy=False):
            raise ConfigError(
                f"study {study.study_name!r} in this storage was not made by hpo; "
                "give --experiment another name"
            )
        study.set_user_attr(IDENTITY, identity)
        return
    differing = [
        f"{key.replace('_', '-')} is {identity.get(key)!r} and was {stored.get(key)!r}"
        for key in sorted(identity.keys() | stored.keys())
        if identity.get(key) != stored.get(key)
    ]
    if differing:
        raise ConfigError(
            f"experiment {study.study_name!r} exists with other settings: {'; '.join(differing)}. "
            "Give --experiment a new name, or the stored settings to go on with it"
        )


def distributions_of(trial: FrozenTrial) -> dict[str, dict[str, Any]]:
    """A trial's distributions as plain JSON."""
    return {
        name: json.loads(distribution_to_json(distribution))
        for name, distribution in trial.distributions.items()
    }


def to_utc(moment: datetime) -> datetime:
    """Optuna's local time without a zone, as UTC."""
    return moment.astimezone(UTC)


def attach_record(study: Study, trial_id: int, record: TrialRecord) -> None:
    """Keep a record's fields with the trial, so that storage alone can give the record back."""
    fields = record.model_dump(mode="json", exclude=set(_STORED_ELSEWHERE))
    study._storage.set_trial_system_attr(trial_id, RECORD, fields)


def record_of(trial: FrozenTrial) -> TrialRecord | None:
    """The record of a stored trial; None for one that has not begun or that hpo did not make."""
    fields = cast(dict[str, Any] | None, trial.system_attrs.get(RECORD))
    if fields is None:
        return None
    return TrialRecord.model_validate({**fields, **stored_fields(trial)})


def stored_fields(trial: FrozenTrial) -> dict[str, Any]:
    """The fields of a record that Optuna itself stores."""
    return {
        "trial_number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "distributions": distributions_of(trial),
        "intermediate_values": trial.intermediate_values,
        "constraints": dict(trial.constraints),
        "user_attrs": trial.user_attrs,
        "system_attrs": {key: value for key, value in trial.system_attrs.items() if key != RECORD},
    }


def load_records(study: Study) -> list[TrialRecord]:
    """All records of a study, from storage alone, in order of trial number."""
    trials = study.get_trials(deepcopy=False)
    return [record for trial in trials if (record := record_of(trial)) is not None]
