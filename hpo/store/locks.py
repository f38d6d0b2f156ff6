"""Locks that the system takes back when their holder dies, however it dies."""

import fcntl
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_TRIES = 5
_TRY_SECONDS = 0.01


def is_locked(path: Path) -> bool:
    """Whether a living process holds a lock; nothing is created."""
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class FileLock:
    """An exclusive lock on a file, held until released or until the process is gone.

    The empty file stays behind; that means nothing.
    """

    def __init__(self, path: Path) -> None:
        """Name the lock; nothing is taken yet."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a")

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it; who only asks about it (:func:`is_locked`) is waited for."""
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                time.sleep(_TRY_SECONDS)
        return False

    def release(self) -> None:
        """Give the lock back."""
        self._file.close()

    def __enter__(self) -> Self:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
