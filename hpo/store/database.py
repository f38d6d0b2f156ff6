"""The database of all studies: Optuna over SQLite, set up so that several processes can share it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import event

from hpo.errors import ConfigError, StorageError, UnknownNameError
from hpo.store import view
from hpo.store.locks import FileLock
from hpo.store.sqlite import TIMEOUT_SECONDS, check_storage, sqlite_file
from hpo.store.view import StoredTrial
from hpo.study.config import StudyConfig
from hpo.system.quiet import quiet
from hpo.trial.record import TrialRecord

IDENTITY = "hpo:identity"
"""Study attribute: what makes the study itself."""


@dataclass(frozen=True)
class Database:
    """An open database; ``storage`` is Optuna's own, for who shows it."""

    storage: RDBStorage

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self.storage.url)


@dataclass(frozen=True)
class StoredStudy:
    """One study in the database.

    Attributes:
        storage: The database.
        name: The study's, which is the experiment's.
    """

    storage: RDBStorage
    name: str

    @cached_property
    def study_id(self) -> int:
        """The study's key in the database."""
        return self.storage.get_study_id_from_name(self.name)

    @property
    def identity(self) -> dict[str, Any] | None:
        """What makes the study itself; None for one that was not made by hpo."""
        return self.storage.get_study_user_attrs(self.study_id).get(IDENTITY)

    def set_identity(self, identity: dict[str, Any]) -> None:
        """Make a new study one of hpo's."""
        self.storage.set_study_user_attr(self.study_id, IDENTITY, identity)

    def trials(self) -> list[StoredTrial]:
        """All trials, by number."""
        return [StoredTrial(trial) for trial in self.storage.get_all_trials(self.study_id, deepcopy=False)]

    def trial(self, number: int) -> StoredTrial:
        """One of them."""
        return StoredTrial(self.storage.get_trial(self._key_of(number)))

    @property
    def n_trials(self) -> int:
        """How many trials are stored, waiting ones among them: the next number."""
        return self.storage.get_n_trials(self.study_id)

    def add_waiting(self) -> None:
        """Keep a number free for a trial that nobody knows anything of: it runs again under it."""
        waiting = optuna.trial.create_trial(state=TrialState.WAITING)
        self.storage.create_new_trial(self.study_id, waiting)

    def put(self, record: TrialRecord) -> None:
        """Store a trial whole, in one transaction where it is new; its number is the next or a stored one.

        An interrupted trial that goes on has its new intent stored, one that ended its result.
        """
        if record.trial_number == self.n_trials:
            self.storage.create_new_trial(self.study_id, view.frozen(record))
        else:
            view.bring_up(self.storage, self._key_of(record.trial_number), record)

    def report(self, number: int, step: int, value: float) -> None:
        """Store an epoch's score of a running trial."""
        self.storage.set_trial_intermediate_value(self._key_of(number), step, value)

    def _key_of(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number)


def load_records(study: StoredStudy) -> list[TrialRecord]:
    """All records of a study, from the database alone, in order of trial number.

    Raises:
        StorageError: What is stored is not a record.
    """
    return [record for trial in study.trials() if (record := trial.record()) is not None]


@contextlib.contextmanager
def open_storage(url: str) -> Iterator[Database]:
    """Open or create the database.

    Raises:
        StorageError: It cannot be opened, is no database, or is one of another program or version.
    """
    check_storage(url)
    path = sqlite_file(url)
    try:
        if path is None:
            storage = RDBStorage(url)
        else:
            # Processes that start together would each create the tables.
            with FileLock(path.with_name(f".{path.name}.lock")):
                arguments = {"isolation_level": None, "timeout": TIMEOUT_SECONDS}
                storage = RDBStorage(url, {"connect_args": arguments})
    except (
        sqlalchemy.exc.SQLAlchemyError,
        StorageInternalError,
        RuntimeError,
        ImportError,
        OSError,
    ) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(f"storage {url}: cannot be opened as a study database ({reason})") from error
    if path is not None:
        # Transactions take the write lock when they begin: SQLite otherwise lets two processes read the
        # same state and both write what follows from it.
        event.listen(storage.engine, "connect", _configure_connection)
        event.listen(storage.engine, "begin", _begin_immediate)
        storage.engine.dispose()
    try:
        yield Database(storage)
    finally:
        storage.engine.dispose()


def _configure_connection(connection: Any, _record: object) -> None:
    """Write-ahead log: readers do not block, and a crash leaves a whole database."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _begin_immediate(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextlib.contextmanager
def open_existing(url: str) -> Iterator[Database]:
    """Open a database that must already be there; nothing is created.

    Raises:
        StorageError: There is none.
    """
    path = sqlite_file(url)
    if path is not None and not path.is_file():
        raise StorageError(f"no study database at {path}: run a study first, or give its storage")
    with open_storage(url) as database:
        yield database


def study_names(database: Database) -> list[str]:
    """The names of all studies, sorted."""
    return sorted(study.study_name for study in database.storage.get_all_studies())


def load_study(database: Database, experiment: str) -> StoredStudy:
    """The study of that experiment.

    Raises:
        UnknownNameError: There is none; the nearest is named.
    """
    names = study_names(database)
    if experiment not in names:
        raise UnknownNameError("experiment", experiment, names)
    return StoredStudy(database.storage, experiment)


def create_study(
    database: Database, experiment: str, direction: str, identity: dict[str, Any]
) -> StoredStudy:
    """Open a study, or create it for a config.

    Raises:
        ConfigError: A study of that name exists and is another; the message says in what.
    """
    study = StoredStudy(database.storage, experiment)
    if experiment not in study_names(database):
        with quiet("optuna"):
            database.storage.create_new_study([view.DIRECTIONS[direction]], experiment)
    stored = study.identity
    if stored is not None:
        check_same(experiment, identity, stored)
    elif study.n_trials:
        raise ConfigError(
            f"{experiment!r} in this storage was not made by hpo; give another name", key="experiment"
        )
    else:
        study.set_identity(identity)
    return study


def check_same(experiment: str, identity: dict[str, Any], stored: dict[str, Any]) -> None:
    """Check that a config is of the same study as a stored one.

    Raises:
        ConfigError: It is not; the message says in what they differ.
    """
    if stored.get("rules", 1) != identity["rules"]:
        raise ConfigError(
            f"{experiment!r} was begun by an older version; since then validation windows read inputs from "
            "before their part, and min_delta is a share of the naive score, so that its trials and new ones "
            f"could not be compared. Its summary can still be read; give {f'{experiment}_2'!r} to begin anew",
            key="experiment",
        )
    # A setting younger than the study: it ran with what is now the default.
    stored = {**StudyConfig().identity(), **stored}
    differing = [
        f"{key} is {identity.get(key)!r} and was {stored.get(key)!r}"
        for key in sorted(identity.keys() | stored.keys())
        if identity.get(key) != stored.get(key)
    ]
    if differing:
        raise ConfigError(
            f"{experiment!r} exists with other settings: {'; '.join(differing)}. "
            "Give a new name, or the stored settings to go on with it",
            key="experiment",
        )
