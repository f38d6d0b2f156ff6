"""One trial in a process of its own, so that a crash in it costs that trial and nothing else.

The child trains and reports each epoch; the parent answers whether to go on. Children come from a fork
server that has torch loaded, and end by themselves when their parent is gone.
"""

import math
import multiprocessing.connection
import signal
import time
from collections.abc import Callable

from hpo.execute.server import start_child
from hpo.learn.job import Job
from hpo.system.stop import InterruptedTrialError, StopFlag
from hpo.trial.events import EpochResult, Failed, Finished, Interrupted, Resumed, Trouble, Unwritten

_POLL_SECONDS = 0.2
_EXIT_SECONDS = 5.0
_GRACE_SECONDS = 60.0
"""A trial over its time limit ends after its batch; one that hangs in a batch is killed after so long."""


def run_in_child(
    job: Job,
    on_epoch: Callable[[EpochResult], bool],
    stop: StopFlag,
    *,
    on_resume: Callable[[list[EpochResult]], None] = lambda _curve: None,
    on_trouble: Callable[[str], None] = lambda _text: None,
    on_unwritten: Callable[[str, str], None] = lambda _what, _reason: None,
) -> Finished | Failed:
    """Train one trial in a child process.

    Args:
        job: What to train.
        on_epoch: Told of each epoch; returns False to end the trial there.
        stop: When set, the child finishes its batch, writes its checkpoint and ends.
        on_resume: Told of the epochs of earlier attempts, if the trial goes on from a checkpoint.
        on_trouble: Told of what could not be used.
        on_unwritten: Told of what could not be written, and why.

    Raises:
        InterruptedTrialError: ``stop`` was set before the trial ended.
    """
    process = start_child(job)
    ours = process.connection
    deadline = math.inf
    if job.max_seconds is not None:  # what comes after a fold's last epoch is not counted
        deadline = time.monotonic() + job.max_seconds + _GRACE_SECONDS * len(job.folds)

    def tell_to_stop() -> None:
        if stop.is_set():  # told again and again: a child that has just begun may not listen yet
            process.terminate()

    try:
        while True:
            multiprocessing.connection.wait([ours, process.sentinel], timeout=_POLL_SECONDS)
            tell_to_stop()
            if not ours.poll():
                if not process.is_alive():
                    return _ended(process.exitcode, stop)
                if time.monotonic() > deadline:
                    return _out_of_time(job)
                continue
            try:
                message = ours.recv()
                if isinstance(message, EpochResult):
                    answer = on_epoch(message)
                    tell_to_stop()  # before it begins another epoch
                    ours.send(answer)
                    continue
            except (EOFError, ConnectionError):
                process.join(_EXIT_SECONDS)
                return _ended(process.exitcode, stop)
            if isinstance(message, Resumed):
                on_resume(message.curve)
            elif isinstance(message, Trouble):
                on_trouble(message.text)
            elif isinstance(message, Unwritten):
                on_unwritten(message.what, message.reason)
            elif isinstance(message, Interrupted):
                stop.wait(_EXIT_SECONDS)  # a signal to the whole group may reach the child first
                return _ended(-signal.SIGTERM, stop)
            else:
                assert isinstance(message, Finished | Failed)
                return message
    finally:
        process.join(_EXIT_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def _ended(exit_code: int | None, stop: StopFlag) -> Failed:
    """A child that ended without an outcome: told to, or killed."""
    if stop.is_set():
        raise InterruptedTrialError
    return _killed(exit_code)


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
