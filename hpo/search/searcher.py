"""The port of a search: what to try next, and whether to go on with what runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from hpo.trial.events import EpochResult
from hpo.trial.history import History
from hpo.trial.origin import Origin
from hpo.trial.record import TrialRecord


class Verdict(Enum):
    """The answer to an epoch."""

    CONTINUE = "continue"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A point of the search space, whole.

    Attributes:
        params: One value a dimension.
        distributions: Each dimension in Optuna's JSON, for the record.
        origin: Where the point comes from, such as "tpe".
    """

    params: Mapping[str, Any]
    distributions: Mapping[str, Mapping[str, Any]]
    origin: Origin


@dataclass(frozen=True)
class RunningTrial:
    """A trial under way: its intent, and the epochs it has reported, those of earlier attempts included."""

    intent: TrialRecord
    curve: Sequence[EpochResult]


class Searcher(Protocol):
    """Decides from records alone: the same arguments give the same answer, in whatever process."""

    def suggest(self, number: int, history: History) -> Suggestion | None:
        """The point that the trial of this number tries; None where there is nothing left to try.

        Args:
            number: Of the trial.
            history: All trials that have begun, whether they have ended or not, without this one.
        """

    def judge(self, trial: RunningTrial, history: History) -> Verdict:
        """Whether a trial goes on after its last epoch."""
