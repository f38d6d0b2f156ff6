"""A study's records in memory: what a search asks of them costs the same however many there are."""

import bisect
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hpo.trial.record import TrialRecord
from hpo.trial.state import State


class History:
    """Records by trial number, with what is asked of them at every epoch and every trial kept up.

    A trial may be put again as long as it runs; what has ended stays as it is. Threads may share one.
    """

    def __init__(self, records: Iterable[TrialRecord] = ()) -> None:
        """Take the records that are known."""
        self._mutex = threading.RLock()
        self._records: dict[int, TrialRecord] = {}
        self._numbers: list[int] = []
        self._open: set[int] = set()
        self._ranked: dict[int | None, list[TrialRecord]] = defaultdict(list)
        self._scores: dict[tuple[int, int], list[float]] = defaultdict(list)
        self._like: dict[Any, list[TrialRecord]] = defaultdict(list)
        for record in records:
            self.put(record)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[TrialRecord]:
        """All records, by trial number, as they are now."""
        with self._mutex:
            return iter([self._records[number] for number in self._numbers])

    def get(self, number: int) -> TrialRecord | None:
        """The record of a trial; None where it is not known."""
        return self._records.get(number)

    def put(self, record: TrialRecord) -> None:
        """Take in a record: a new one, or a running trial's next."""
        with self._mutex:
            number = record.trial_number
            if number not in self._records:
                bisect.insort(self._numbers, number)
            elif number not in self._open:
                return
            self._records[number] = record
            if not record.state.is_finished:
                self._open.add(number)
                return
            self._open.discard(number)
            self._like[_likeness(record)].append(record)
            if record.state == State.COMPLETE and record.value is not None:
                self._put_complete(record)

    def _put_complete(self, record: TrialRecord) -> None:
        budget = record.architecture.parameter_budget
        for key in (None, budget):
            bisect.insort(self._ranked[key], record, key=_order)
        for step, value in record.intermediate_values.items():
            bisect.insort(self._scores[budget, step], value)

    @property
    def open_numbers(self) -> list[int]:
        """The numbers of trials that have begun and not ended."""
        with self._mutex:
            return sorted(self._open)

    @property
    def n_finished(self) -> int:
        """Trials that have ended."""
        return len(self._numbers) - len(self._open)

    @property
    def finished(self) -> list[TrialRecord]:
        """The records of trials that have ended, by trial number."""
        return [record for record in self if record.state.is_finished]

    def best(self, budget: int | None = None) -> TrialRecord | None:
        """The best completed trial, of all or of one parameter budget; ties go to the earlier trial."""
        return next(iter(self.leaders(1, budget)), None)

    def leaders(self, n: int, budget: int | None = None) -> list[TrialRecord]:
        """The n best completed trials, of all or of one budget, best first; ties go to the earlier trial."""
        with self._mutex:
            return self._ranked.get(budget, [])[:n]

    def scores_at(self, budget: int, step: int) -> Sequence[float]:
        """The objective of a budget's completed trials at a step, ascending."""
        with self._mutex:
            return tuple(self._scores.get((budget, step), ()))

    def alike(self, record: TrialRecord) -> list[TrialRecord]:
        """The ended trials of the same architecture (but for dropout) and batch size."""
        with self._mutex:
            return list(self._like.get(_likeness(record), ()))


def _order(record: TrialRecord) -> tuple[float, int]:
    return record.objective.sign * (record.value or 0.0), record.trial_number


def _likeness(record: TrialRecord) -> Any:
    config = {**record.architecture.config, "dropout": None}
    return record.architecture.family, repr(sorted(config.items())), record.training.batch_size
