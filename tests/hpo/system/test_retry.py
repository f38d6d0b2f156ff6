import errno
import sqlite3

import pytest

from hpo.system.retry import Retry, is_passing
from hpo.system.stop import StopFlag, StoppedError


@pytest.fixture
def told():
    return []


@pytest.fixture
def retry(told, monkeypatch, tmp_path):
    monkeypatch.setattr("hpo.system.retry._RETRY_SECONDS", 0.0)
    return Retry(told.append, StopFlag(), tmp_path)


def full():
    raise OSError(errno.ENOSPC, "No space left on device")


def fails(times):
    left = [times]

    def write():
        left[0] -= 1
        if left[0] >= 0:
            full()
        return "written"

    return write


def test_it_tries_until_it_is_written_and_tells_once(retry, told):
    assert retry.until_done("a result", fails(50)) == "written"
    assert len(told) == 2
    assert "cannot write a result (" in told[0]
    assert "No space left" in told[0]
    assert "again" in told[1]


def test_while_the_disk_is_nearly_full_it_stays_told_once(retry, told, monkeypatch):
    """Small files find a place where large ones do not: the trouble is not over yet."""
    monkeypatch.setattr("hpo.system.retry._ROOM_BYTES", 2**62)
    for _ in range(5):
        retry.once("a checkpoint", full)
        retry.until_done("a result", lambda: None)
    assert len(told) == 1
    monkeypatch.undo()
    retry.until_done("a result", lambda: None)
    assert len(told) == 2


def test_what_can_wait_is_left(retry, told):
    assert not retry.once("a score", full)
    assert not retry.once("a score", full)
    assert retry.once("a score", lambda: None)
    assert len(told) == 1


def test_a_stop_ends_the_waiting(told, tmp_path):
    stop = StopFlag()
    stop.set()
    with pytest.raises(StoppedError):
        Retry(told.append, stop, tmp_path).until_done("a result", full)


@pytest.mark.parametrize("error", [ValueError("a bug"), PermissionError(errno.EACCES, "denied")])
def test_another_error_is_an_error(retry, told, error):
    def broken():
        raise error

    for tried in (retry.once, retry.until_done):
        with pytest.raises(type(error)):
            tried("x", broken)
    assert told == []


def test_what_passes():
    wrapped = RuntimeError("storage")
    wrapped.__cause__ = sqlite3.OperationalError("database or disk is full")
    assert is_passing(wrapped)
    assert not is_passing(sqlite3.OperationalError("no such table: trials"))
    assert not is_passing(sqlite3.DatabaseError("database disk image is malformed"))
