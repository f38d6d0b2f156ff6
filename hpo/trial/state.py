"""The states of a trial, Optuna's own."""

from enum import StrEnum


class State(StrEnum):
    """COMPLETE finished or stopped early; PRUNED was ended, or could not be trained; FAIL broke."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"
    RUNNING = "RUNNING"

    @property
    def is_finished(self) -> bool:
        """Whether the trial ended, however."""
        return self is not State.RUNNING

    @property
    def in_words(self) -> str:
        """As a participle: "12 completed"."""
        words = {"COMPLETE": "completed", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}
        return words[self]
