"""A study that fails alike again and again stops by itself: the rest would fail, too."""

from hpo.trial.record import TrialRecord
from hpo.trial.state import State

SAME_FAILURES = 5
"""So many identical failures in a row stop the study."""


class FailureRun:
    """The failures since a trial last ended otherwise."""

    def __init__(self) -> None:
        self._failures: list[str] = []

    def add(self, record: TrialRecord) -> str | None:
        """Take note of how a trial ended; why the study stops now, or None."""
        failure = record.failure
        if record.state != State.FAIL or failure is None:
            self._failures.clear()
            return None
        self._failures.append(f"{failure.type}: {failure.message}")
        last = self._failures[-SAME_FAILURES:]
        if len(last) == SAME_FAILURES and len(set(last)) == 1:
            return f"{SAME_FAILURES} trials in a row failed alike ({last[0]})"
        return None
