"""The process that trials are forked from, with torch loaded: what it does, and how the host talks with it.

The standard library's fork server is the host's: it is shared with whatever else the host runs, and each
of its children imports the host's main script again, which then would need a main guard. This one knows
nothing of the host but its import path, is started from any thread, and leaves when the host does, however
that ends.

A request is two file descriptors: the trial's connection, over which the host sends the job and hears of it,
and a pipe on which the server says the child's process id and, when it has ended, its exit code.
"""

import atexit
import contextlib
import importlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

from hpo.learn.job import Job

_PRELOAD = ("hpo.execute.entry", "torch._dynamo", "sklearn.metrics")
"""Optimisers and the flop counter import torch._dynamo when first used: 2 s that each child would pay."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOT_KNOWN = 255
"""The exit code of a child whose server was killed."""

_COMMAND = """\
import sys
sys.path[:] = sys.argv[2:]
from hpo.execute.server import main
main(int(sys.argv[1]))
# In place of multiprocessing.forkserver, whose children would import the host's main script again."""


def main(control_fd: int) -> None:
    """The server's life: load what trials need, fork one for each request, leave with the host."""
    for number in _SIGNALS:  # one to the whole group is for the run and its trials
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a host that ignores it hands that down
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for module in _PRELOAD:
        importlib.import_module(module)
    _serve(socket.socket(fileno=control_fd))


def _serve(control: socket.socket) -> None:
    fork = multiprocessing.get_context("fork")
    children: dict[int, tuple[multiprocessing.process.BaseProcess, Connection]] = {}
    while True:
        for ready in wait([control, *children]):
            if isinstance(ready, int):
                process, status = children.pop(ready)
                process.join()
                _say(status, process.exitcode)
                status.close()
                continue
            _, fds, _, _ = socket.recv_fds(control, 1, 2)
            if not fds:  # the host is gone: its trials see that the server is, and leave
                os._exit(0)
            connection, status = Connection(fds[0]), Connection(fds[1], readable=False)
            not_theirs = [control, status, *(other for _, other in children.values())]
            process = fork.Process(target=_live, args=(connection, not_theirs), daemon=True)
            process.start()
            connection.close()
            _say(status, process.pid)
            children[process.sentinel] = process, status


def _say(status: Connection, number: int | None) -> None:
    with contextlib.suppress(OSError):  # the host does not listen any more
        status.send(number)


def _live(connection: Connection, not_ours: Sequence[socket.socket | Connection]) -> None:
    """A child's life; an end of the server's that it kept open would hide the server's death."""
    from hpo.execute.entry import run_job

    for end in not_ours:
        end.close()
    try:
        folder, job = connection.recv()
    except (EOFError, ConnectionError):
        return
    os.chdir(folder)
    run_job(job, connection)


class Child:
    """A trial's process, as the host sees it: what :class:`multiprocessing.Process` is to its parent.

    Attributes:
        connection: Over which it is talked with; it was sent its job.
        exitcode: Negative for the signal that ended it; None while it lives.
    """

    def __init__(self, connection: Connection, status: Connection) -> None:
        """Take the host's ends."""
        self.connection = connection
        self.exitcode: int | None = None
        self._status = status
        self._pid: int | None = None

    @property
    def sentinel(self) -> Connection:
        """What :func:`multiprocessing.connection.wait` waits for: there is news of its process."""
        return self._status

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        self.join(0.0)
        return self.exitcode is None

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most so many seconds after the last news of it."""
        while self.exitcode is None and self._status.poll(timeout):
            try:
                number: int = self._status.recv()
            except (EOFError, ConnectionError):
                number, self._pid = _NOT_KNOWN, 0
            if self._pid is None:
                self._pid = number
            else:
                self.exitcode = number

    def terminate(self) -> None:
        """Tell it to stop; one that has not begun yet is to be told again."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it; one that has not begun yet finds nobody to get its job from."""
        self.connection.close()
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Forget it."""
        self.connection.close()
        self._status.close()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive() and self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)


class _Server:
    """The server, as the host sees it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        # Deaf to signals from its first instant on, and the host's handlers untouched: a mask is inherited.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND, str(theirs.fileno()), *sys.path],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()
        # One that is still importing would hold our output open after we have left.
        atexit.register(self._kill)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def request(self, connection: Connection, status: Connection) -> None:
        """Have a child forked; a server that died meanwhile drops the request."""
        with contextlib.suppress(ConnectionError):
            socket.send_fds(self._control, [b"\0"], [connection.fileno(), status.fileno()])

    def forget(self) -> None:
        """It is another process's."""
        atexit.unregister(self._kill)
        self._control.close()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()


_mutex = threading.Lock()
_server: _Server | None = None


def start_server() -> None:
    """Start the server, so that its imports overlap with other work; nothing if it runs."""
    with _mutex:
        _running()


def start_child(job: Job) -> Child:
    """Start a trial's process, and the server if it does not run, and send it its job."""
    ours, theirs = Pipe()
    status, their_status = Pipe(duplex=False)
    with theirs, their_status, _mutex:
        _running().request(theirs, their_status)
    with contextlib.suppress(ConnectionError):  # whoever listens to it sees that it has ended
        ours.send((Path.cwd(), job))
    return Child(ours, status)


def _running() -> _Server:
    global _server
    if _server is None or not _server.is_alive:
        if _server is not None:
            _server.forget()
        _server = _Server()
    return _server


def _forked() -> None:
    """In a process that the host forks, the server is the host's and the lock may be held for ever."""
    global _mutex, _server
    _mutex = threading.Lock()
    if _server is not None:
        _server.forget()
        _server = None


os.register_at_fork(after_in_child=_forked)
