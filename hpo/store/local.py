"""The store of one machine: a JSON a trial, SQLite beside it, locks that die with their holder.

The files are the truth. A trial's intent is on disk before it trains, its result is on disk before the
database is told, and who runs a trial holds its lock.
"""

from typing import Any

from hpo.errors import ConfigError, StorageError
from hpo.store.audit import Difference, compare, compare_trial, mend, read_trial
from hpo.store.database import Database, StoredStudy, check_same, create_study, study_names
from hpo.store.layout import ExperimentFiles
from hpo.store.locks import FileLock
from hpo.store.manifest import stored_rules
from hpo.store.records import write_record
from hpo.store.store import Claim, Propose
from hpo.study.config import RULES, StudyConfig, build_config, read_study_file
from hpo.system.files import move_to_quarantine, remove_leftovers
from hpo.trial.history import History
from hpo.trial.record import TrialRecord


class LocalStore:
    """A study's trial files and its place in the database, at one when it is opened."""

    def __init__(self, study: StoredStudy, files: ExperimentFiles) -> None:
        """Take what belongs together; :func:`open_store` sees to that it does."""
        self.history = History()
        self._study = study
        self._files = files
        self._free: list[int] = []

    def open(self) -> list[Difference]:
        """Bring files and database together, and read all records; returns what differed."""
        remove_leftovers(self._files.folder)
        differences = compare(self._study, self._files)
        mend(self._study, self._files, differences)
        trials = self._study.trials()
        for trial in trials:
            record = trial.record()
            if record is not None:
                self.history.put(record)
        self._free = [trial.number for trial in trials if trial.is_waiting]
        return differences

    def claim(self, propose: Propose) -> Claim | None:
        """As :class:`hpo.store.store.Store`."""
        with FileLock(self._files.claim_lock):
            self.refresh()
            for number in self.history.open_numbers:
                lock = FileLock(self._files.trial_lock(number))
                if lock.try_acquire():
                    try:
                        record = self._still_open(number)
                    except BaseException:
                        lock.release()
                        raise
                    if record is not None:
                        return Claim(record, is_resumed=True, release=lock.release)
                lock.release()
            return self._claim_new(propose)

    def save(self, record: TrialRecord) -> None:
        """As :class:`hpo.store.store.Store`: on disk, then in the database."""
        write_record(self._files, record)
        self._study.put(record)
        self.history.put(record)

    def report(self, number: int, step: int, value: float) -> None:
        """As :class:`hpo.store.store.Store`: in the database; the file waits for the trial's end."""
        self._study.report(number, step, value)

    def refresh(self) -> None:
        """As :class:`hpo.store.store.Store`: reads the files of trials that were open, and of new ones."""
        for number in self.history.open_numbers:
            self._read(number)
        number = len(self.history) + len(self._free)
        while self._files.trial(number).exists():
            self._read(number)
            number += 1

    def _read(self, number: int) -> None:
        """Take in a trial's file; one that cannot be read is left to the next start, which mends it."""
        try:
            self.history.put(read_trial(self._files.trial(number), self._files))
        except StorageError:
            return

    def _still_open(self, number: int) -> TrialRecord | None:
        """The record of a trial without an owner; None if it has ended, and be it only on disk or stored."""
        if number < self._study.n_trials:
            differences = compare_trial(self._files, self._study.trial(number))
            mend(self._study, self._files, differences)
        elif (known := self.history.get(number)) is not None:  # killed between the file and the database
            self._study.put(known)
        trial = self._study.trial(number)
        record = trial.record()
        if record is None or not trial.is_finished:
            return record or self.history.get(number)
        self.history.put(record)
        return None

    def _claim_new(self, propose: Propose) -> Claim | None:
        number = self._next_number()
        record = propose(number)
        if record is None:
            return None
        lock = FileLock(self._files.trial_lock(number))
        if not lock.try_acquire():
            raise StorageError(f"trial {number} is new, yet {self._files.locks} says it runs")
        try:
            if self._files.trial(number).exists():  # torn or foreign: it was not taken in
                move_to_quarantine(self._files.quarantine, self._files.trial(number))
            self.save(record)
        except BaseException:
            lock.release()
            raise
        return Claim(record, is_resumed=False, release=lock.release)

    def _next_number(self) -> int:
        while self._free:
            number = self._free[0]
            if self._study.trial(number).is_waiting:
                return number
            self._free.pop(0)  # another process took it
            self._read(number)
        return self._study.n_trials


def open_store(
    database: Database, config: StudyConfig, files: ExperimentFiles, *, rules: int = RULES
) -> tuple[LocalStore, list[Difference]]:
    """Open the study of a config, or create it.

    Args:
        database: Where it is kept.
        config: The study's settings.
        files: Where its files are.
        rules: By which its trials were run; another number than today's only restores them.

    Returns:
        The store, and what differed between its files and the database and has been mended.

    Raises:
        ConfigError: A study of that name exists, in storage or on disk, and differs in what makes it itself.
    """
    with FileLock(files.claim_lock):
        identity = {**config.identity(), "rules": rules}
        if config.experiment not in study_names(database):
            _check_stored_config(config.experiment, identity, files)
        study = create_study(database, config.experiment, config.objective.direction, identity)
        store = LocalStore(study, files)
        return store, store.open()


def _check_stored_config(experiment: str, identity: dict[str, Any], files: ExperimentFiles) -> None:
    """Trial files may be taken into a new database only if they are of the same study."""
    if not files.study_toml.exists():
        return
    try:
        stored = build_config({}, read_study_file(files.study_toml)).identity()
    except ConfigError:
        move_to_quarantine(files.quarantine, files.study_toml)
        return
    check_same(experiment, identity, {**stored, "rules": stored_rules(files)})
