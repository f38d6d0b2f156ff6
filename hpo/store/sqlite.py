"""What can be checked of an SQLite file without writing to it."""

import contextlib
import sqlite3
from pathlib import Path

import sqlalchemy
from sqlalchemy.engine import make_url

from hpo.errors import ConfigError, StorageError

TIMEOUT_SECONDS = 60.0
"""How long a process waits for another's write."""

_SQLITE_HEADER = b"SQLite format 3\x00"
_FIRST_TABLES = {"studies", "version_info"}
_TABLES = {*_FIRST_TABLES, "trials"}
_OWN_PREFIXES = ("studies", "version_info", "study_", "trials", "trial_", "alembic_version")
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
            f"must be a database URL such as sqlite:///outputs/studies.db, got {url!r}", key="storage"
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
        with contextlib.closing(sqlite3.connect(path, timeout=TIMEOUT_SECONDS)) as connection:
            query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
            tables = {name for (name,) in connection.execute(query)}
            # Another process may be creating it at this moment, or was killed then.
            if tables and not (tables >= _TABLES or _is_begun(tables)):
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


def _is_begun(tables: set[str]) -> bool:
    """Whether these are the first of the tables that Optuna creates, and no others."""
    return bool(tables & _FIRST_TABLES) and all(name.startswith(_OWN_PREFIXES) for name in tables)


def _has_log(path: Path) -> bool:
    """Whether pages of a database may still be in its write-ahead log."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False
