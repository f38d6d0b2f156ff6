"""Writes that outlast a full disk: the user is told once, and what could not be written is written later."""

import errno
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hpo.system.stop import StopFlag, StoppedError

T = TypeVar("T")

_RETRY_SECONDS = 1.0
_ROOM_BYTES = 1_000_000
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE}
_SQLITE_PASSING = ("full", "disk i/o error", "unable to open database file", "locked")


def is_passing(error: BaseException) -> bool:
    """Whether a failed write may succeed later: no space, no file handles, a database that others hold."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.OperationalError):
            return any(words in str(cause).lower() for words in _SQLITE_PASSING)
        if isinstance(cause, OSError):
            return cause.errno in _PASSING
        cause = cause.__cause__ or cause.__context__
    return False


class Retry:
    """Tries writes, and waits where the disk is full; threads may share one."""

    def __init__(self, tell: Callable[[str], None], stop: StopFlag, folder: Path) -> None:
        """Take how to tell the user, the flag that ends all waiting, and the folder that is written to."""
        self._tell = tell
        self._stop = stop
        self._folder = folder
        self._in_trouble = False
        self._mutex = threading.Lock()

    def once(self, what: str, write: Callable[[], object]) -> bool:
        """Write now or leave it; whether it was written."""
        try:
            write()
        except Exception as error:
            if not is_passing(error):
                raise
            self.begin(what, str(_root(error)))
            return False
        return True

    def until_done(self, what: str, write: Callable[[], T]) -> T:
        """Write, as often as it takes.

        Raises:
            StoppedError: The study was told to stop while it waited.
        """
        while True:
            try:
                result = write()
            except Exception as error:
                if not is_passing(error):
                    raise
                self.begin(what, str(_root(error)))
            else:
                self._end()
                return result
            if self._stop.wait(_RETRY_SECONDS):
                raise StoppedError

    def begin(self, what: str, reason: str) -> None:
        """Something cannot be written: tell it, if nothing else has been told since the last success."""
        with self._mutex:
            if not self._in_trouble:
                self._tell(
                    f"cannot write {what} ({reason}): running trials go on training, and what is missing is "
                    "written when there is space again"
                )
            self._in_trouble = True

    def _end(self) -> None:
        """Told when there is room again: on a disk that is nearly full, small files still find a place."""
        with self._mutex:
            if self._in_trouble and shutil.disk_usage(self._folder).free >= _ROOM_BYTES:
                self._tell("writing again: no result was lost")
                self._in_trouble = False


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error
