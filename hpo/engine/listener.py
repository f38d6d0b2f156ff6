"""The port through which a study tells what happens: a console, a log, a notebook are listeners."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

from hpo.trial.events import EpochResult
from hpo.trial.record import TrialRecord


@dataclass(frozen=True, kw_only=True)
class StudyStarted:
    """A study begins or goes on: its total number of trials, and how many have ended before."""

    experiment: str
    n_trials: int
    n_finished: int


@dataclass(frozen=True)
class Said:
    """Something worth a line."""

    text: str


@dataclass(frozen=True, kw_only=True)
class TrialStarted:
    """A trial is about to train."""

    record: TrialRecord


@dataclass(frozen=True, kw_only=True)
class EpochEnded:
    """A trial finished an epoch; ``best`` is the study's best value so far."""

    record: TrialRecord
    row: EpochResult
    best: float | None


@dataclass(frozen=True, kw_only=True)
class TrialEnded:
    """A trial ended; ``best`` is the best so far, this one included."""

    record: TrialRecord
    n_finished: int
    best: TrialRecord | None


@dataclass(frozen=True, kw_only=True)
class StudyEnded:
    """No more trials in this run; what follows is the summary."""

    n_finished: int
    interrupted: bool


StudyEvent: TypeAlias = StudyStarted | Said | TrialStarted | EpochEnded | TrialEnded | StudyEnded


class Listener(Protocol):
    """Told of each event of a study, one after the other, from the threads that run its trials."""

    def told(self, event: StudyEvent) -> None:
        """Take note of an event; what it raises ends the study."""


class Listeners:
    """Several listeners as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        """Take whom to tell, in their order."""
        self._listeners = tuple(listeners)

    def told(self, event: StudyEvent) -> None:
        """Tell them all."""
        for listener in self._listeners:
            listener.told(event)


class LogFile:
    """The experiment's log, one line an event; a full disk silences it, and nothing worse.

    It is a file of its own and no handler of ``logging``: a host's loggers are the host's.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; it is opened for each line, so that it may be moved away."""
        self._path = path

    def told(self, event: StudyEvent) -> None:
        """Append a line; epochs stand in the records."""
        line = _line(event)
        if line is not None:
            moment = datetime.now().astimezone().isoformat(sep=" ", timespec="milliseconds")
            with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as file:
                file.write(f"{moment} {line}\n")


def _line(event: StudyEvent) -> str | None:
    match event:
        case StudyStarted():
            return f"run started: {event.n_finished} of {event.n_trials} trials are done"
        case Said():
            return event.text
        case TrialStarted(record=record):
            return f"trial {record.trial_number} started: {record.origin}"
        case TrialEnded(record=record):
            return f"trial {record.trial_number} {record.state}: {record.value}"
        case StudyEnded():
            return f"run ended: {event.n_finished} trials finished{', stopped' * event.interrupted}"
        case EpochEnded():
            return None
