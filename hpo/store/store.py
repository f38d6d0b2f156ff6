"""The port of a store: where a study's records are kept, and who may run which trial."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from hpo.trial.history import History
from hpo.trial.record import TrialRecord

Propose: TypeAlias = Callable[[int], TrialRecord | None]
"""From a new trial's number to its intent; None where the study has enough trials."""


@dataclass(frozen=True)
class Claim:
    """A trial that is this caller's until it is released, or until its process is gone.

    Attributes:
        record: Its intent, as kept before it trains.
        is_resumed: Whether it was begun before, and interrupted.
        release: Gives it back; whoever claims next may take it up.
    """

    record: TrialRecord
    is_resumed: bool
    release: Callable[[], None]


class Store(Protocol):
    """Keeps records whole: whatever is killed when, a record is there or it is not.

    Several processes, and several threads of each, may share a study. What was kept is never lost.

    Attributes:
        history: The records that are known here; :meth:`claim` and :meth:`refresh` take in those of others.
    """

    history: History

    def claim(self, propose: Propose) -> Claim | None:
        """Take a trial that nobody runs: an interrupted one first, else a new one, else None.

        Args:
            propose: Asked for the intent of a new trial under the next free number, while no other caller
                can claim; the intent is kept, whole, before this returns.
        """

    def save(self, record: TrialRecord) -> None:
        """Keep the record of a claimed trial: the intent of another attempt, or how it ended."""

    def report(self, number: int, step: int, value: float) -> None:
        """Keep an epoch's score of a claimed trial, for who looks on."""

    def refresh(self) -> None:
        """Take in what other processes have kept since."""
