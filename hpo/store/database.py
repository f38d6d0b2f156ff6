"""The study's storage: Optuna over SQLite, set up so that several processes can share it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import Study
from sqlalchemy import event
from sqlalchemy.engine import make_url

from hpo.errors import ConfigError, StorageError, UnknownNameError
from hpo.store.locks import FileLock
from hpo.study.config import StudyConfig

__all__ = ["RDBStorage", "Study"]
"""Optuna's own types, for modules that only name them."""

IDENTITY = "hpo:identity"
"""Study attribute: what makes the study itself."""

_SQLITE_HEADER = b"SQLite format 3\x00"
_TABLES = {"studies", "trials", "version_info"}
_TIMEOUT_SECONDS = 60.0
_ADVICE = "Move it away; `hpo rebuild` makes a new one from the trial files"


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for a database of another kind.

    Raises:
        ConfigError: It is no URL.
    """
    try:
        parsed = make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise ConfigError(
            f"storage: not a database URL such as sqlite:///outputs/studies.db, got {url!r}"
        ) from error
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def check_storage(url: str) -> None:
    """Check what can be checked of a database without writing to it.

    Raises:
        ConfigError: It is no URL.
        StorageError: It names a file that is no SQLite database, is damaged, or is another program's.
    """
    path = sqlite_file(url)
    if path is None:
        return
    try:
        if not path.exists() or path.stat().st_size == 0:
            return
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_HEADER))
    except (OSError, ValueError) as error:
        raise StorageError(f"storage {url}: cannot be read ({error})") from error
    if head != _SQLITE_HEADER:
        raise StorageError(f"storage {url}: {path} is no SQLite database. {_ADVICE}")
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_TIMEOUT_SECONDS)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            if tables and not tables >= _TABLES:
                raise StorageError(f"storage {url}: {path} is the database of another program")
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (page_size,) = connection.execute("PRAGMA page_size").fetchone()
            # A page that is there in part passes as whole, its rest as zeros.
            if state == "ok" and path.stat().st_size % page_size and not _has_log(path):
                state = "its last page is cut"
    except sqlite3.OperationalError as error:
        raise StorageError(
            f"storage {url}: {path} cannot be opened ({error}): is its folder read-only or the disk full?"
        ) from error
    except sqlite3.Error as error:
        raise StorageError(f"storage {url}: {path} cannot be read ({error}). {_ADVICE}") from error
    if state != "ok":
        raise StorageError(f"storage {url}: {path} is damaged ({' '.join(state.split())}). {_ADVICE}")


def _has_log(path: Path) -> bool:
    """Whether pages of a database may still be in its write-ahead log."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def open_storage(url: str) -> Iterator[RDBStorage]:
    """Open or create the database.

    Raises:
        StorageError: It cannot be opened, is no database, or is one of another program or version.
    """
    check_storage(url)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = sqlite_file(url)
    try:
        if path is None:
            storage = RDBStorage(url)
        else:
            # Processes that start together would each create the tables.
            with FileLock(path.with_name(f".{path.name}.lock")):
                arguments = {"isolation_level": None, "timeout": _TIMEOUT_SECONDS}
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
        # same waiting trial and pop it twice.
        event.listen(storage.engine, "connect", _configure_connection)
        event.listen(storage.engine, "begin", _begin_immediate)
        storage.engine.dispose()
    try:
        yield storage
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
def open_existing(url: str) -> Iterator[RDBStorage]:
    """Open a database that must already be there; nothing is created.

    Raises:
        StorageError: There is none.
    """
    path = sqlite_file(url)
    if path is not None and not path.is_file():
        raise StorageError(f"no study database at {path}: run a study first, or give --storage")
    with open_storage(url) as storage:
        yield storage


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
    # A setting younger than the study: it ran with what is now the default.
    check_same(study.study_name, identity, {**StudyConfig().identity(), **stored})


def check_same(experiment: str, identity: dict[str, Any], stored: dict[str, Any]) -> None:
    """Check that a config is of the same study as a stored one.

    Raises:
        ConfigError: It is not; the message says in what they differ.
    """
    differing = [
        f"{key.replace('_', '-')} is {identity.get(key)!r} and was {stored.get(key)!r}"
        for key in sorted(identity.keys() | stored.keys())
        if identity.get(key) != stored.get(key)
    ]
    if differing:
        raise ConfigError(
            f"experiment {experiment!r} exists with other settings: {'; '.join(differing)}. "
            "Give --experiment a new name, or the stored settings to go on with it"
        )
