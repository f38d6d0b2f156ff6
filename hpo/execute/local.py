"""One trial in a process of its own, so that a crash in it costs that trial and nothing else.

The child trains and reports each epoch; the parent answers whether to go on. Children are forked from a
server that has torch loaded, and end by themselves when their parent is gone.
"""

import math
import signal
import time
from multiprocessing.connection import wait

from hpo.execute.executor import Events
from hpo.execute.server import Child, start_child, start_server
from hpo.learn.job import Job
from hpo.search.searcher import Verdict
from hpo.system.stop import StopFlag
from hpo.trial.events import EpochResult, Event, Failed, Finished, Interrupted

_POLL_SECONDS = 0.2
_EXIT_SECONDS = 5.0
_GRACE_SECONDS = 60.0
"""A trial over its time limit ends after its batch; one that hangs in a batch is killed after so long."""


class LocalExecutor:
    """A child process a trial."""

    def __init__(self) -> None:
        """Start the server that children come from, so that its imports overlap with other work."""
        start_server()

    def run(self, job: Job, stop: StopFlag) -> Events:
        """As :class:`hpo.execute.executor.Executor`.

        When ``stop`` is set, the child finishes its batch, writes its checkpoint and ends.
        """
        child = start_child(job)
        try:
            yield from _listen(job, child, stop)
        finally:
            child.join(_EXIT_SECONDS)
            if child.is_alive():
                child.kill()
                child.join()
            child.close()


def _listen(job: Job, child: Child, stop: StopFlag) -> Events:
    """What the child says, until its outcome or its end."""
    deadline = math.inf
    if job.max_seconds is not None:  # what comes after a fold's last epoch is not counted
        deadline = time.monotonic() + job.max_seconds + _GRACE_SECONDS * len(job.folds)

    def tell_to_stop() -> None:
        if stop.is_set():  # told again and again: a child that has just begun may not listen yet
            child.terminate()

    while True:
        wait([child.connection, child.sentinel], timeout=_POLL_SECONDS)
        tell_to_stop()
        if not child.connection.poll():
            if not child.is_alive():
                yield _ended(child.exitcode, stop)
                return
            if time.monotonic() > deadline:
                yield _out_of_time(job)
                return
            continue
        try:
            message: Event = child.connection.recv()
            if isinstance(message, Interrupted):
                stop.wait(_EXIT_SECONDS)  # a signal to the whole group may reach the child first
                message = _ended(-signal.SIGTERM, stop)
            verdict = yield message
            if isinstance(message, Finished | Failed | Interrupted):
                return
            if isinstance(message, EpochResult):
                tell_to_stop()  # before it begins another epoch
                child.connection.send(verdict is not Verdict.STOP)
        except (EOFError, ConnectionError):
            child.join(_EXIT_SECONDS)
            yield _ended(child.exitcode, stop)
            return


def _ended(exit_code: int | None, stop: StopFlag) -> Failed | Interrupted:
    """A child that ended without an outcome: told to, or killed."""
    return Interrupted() if stop.is_set() else _killed(exit_code)


def _out_of_time(job: Job) -> Failed:
    """A child that does not even come to the end of a batch."""
    return Failed(
        kind="time limit",
        type="TimeLimit",
        message=f"no answer {_GRACE_SECONDS:.0f} s after the limit of {job.max_seconds:g} s",
        traceback=None,
    )


def _killed(exit_code: int | None) -> Failed:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return Failed(
            kind="killed",
            type=name,
            message=f"the trial's process was ended by {name}",
            traceback=None,
        )
    return Failed(
        kind="killed",
        type="ProcessExit",
        message=f"the trial's process left with exit code {exit_code} and no result",
        traceback=None,
    )
