"""The files that show how a study stands while it runs: its best trials, a row for each, their weights."""

import math
import time

from hpo.store.layout import ExperimentFiles
from hpo.store.locks import FileLock
from hpo.store.results import drop, drop_kept, write_best, write_rows
from hpo.trial.history import History
from hpo.trial.record import TrialRecord

ROWS_EVERY_SECONDS = 10.0
ROWS_ALWAYS_UP_TO = 200
"""All rows are written after each trial up to so many, then at most every ten seconds, and at the end."""


class Scoreboard:
    """Writes what has changed; what a trial's end costs does not grow with the number of trials."""

    def __init__(
        self, files: ExperimentFiles, budgets: tuple[int, ...], history: History, n_kept: int
    ) -> None:
        """Take where to write, the study's parameter budgets, its records and how many keep their weights."""
        self._files = files
        self._budgets = budgets
        self._history = history
        self._n_kept = n_kept
        self._kept: set[int] = set()
        self._shown: dict[int | None, int] = {}
        self._rows_written = -math.inf

    def begin(self) -> None:
        """Drop what a kill between two writes left: checkpoints of ended trials, weights of beaten ones."""
        self._kept = {record.trial_number for record in self._history.leaders(self._n_kept)}
        for record in self._history.finished:
            drop(self._files.checkpoint(record.trial_number))
            if record.trial_number not in self._kept:
                drop_kept(self._files, record.trial_number)

    def trial_ended(self, record: TrialRecord) -> None:
        """Bring the files up to a trial's end; of ended trials only the best few keep their weights."""
        drop(self._files.checkpoint(record.trial_number))
        with FileLock(self._files.results_lock):
            n, now = self._history.n_finished, time.monotonic()
            if n <= ROWS_ALWAYS_UP_TO or now - self._rows_written > ROWS_EVERY_SECONDS:
                self._write_rows()
            self._write_best()
        kept = {leader.trial_number for leader in self._history.leaders(self._n_kept)}
        for beaten in (self._kept | {record.trial_number}) - kept:
            drop_kept(self._files, beaten)
        self._kept = kept

    def end(self) -> None:
        """Write all of them."""
        with FileLock(self._files.results_lock):
            self._write_rows()
            self._write_best()

    def _write_rows(self) -> None:
        write_rows(self._files, self._history.finished)
        self._rows_written = time.monotonic()

    def _write_best(self) -> None:
        """The best of all, and of each budget where there are several, if it is another than is shown."""
        keys: tuple[int | None, ...] = (None, *self._budgets) if len(self._budgets) > 1 else (None,)
        for key in keys:
            best = self._history.best(key)
            if best is None or self._shown.get(key) == best.trial_number:
                continue
            write_best(self._files, best, budget=key)
            self._shown[key] = best.trial_number
