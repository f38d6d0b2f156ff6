"""The study runner: claims trials, has them trained, and keeps every result before it goes on.

The order is what makes a kill harmless: a trial's intent is on disk before it trains, its result is on
disk before the storage is told, and who runs a trial holds its lock, which dies with the holder.
"""

import contextlib
import logging
import math
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from hpo.engine.context import StudyContext
from hpo.engine.intent import intent_record, make_job, refused
from hpo.engine.listener import EpochEnded, Listener, Said, TrialEnded, TrialStarted
from hpo.engine.outcome import final_record
from hpo.errors import StorageError
from hpo.execute.local import run_in_child
from hpo.search.pruning import is_pruned
from hpo.search.tpe import TrialSeededTPESampler, to_distributions
from hpo.store.audit import compare_trial, mend
from hpo.store.locks import FileLock
from hpo.store.records import write_record
from hpo.store.results import drop, write_results
from hpo.store.view import FINISHED, ORIGIN, attach_record, finish_trial, record_of
from hpo.study.config import StudyConfig
from hpo.system.retry import Patience
from hpo.system.stop import InterruptedTrialError, StopFlag
from hpo.trial.events import EpochResult, Failed
from hpo.trial.record import TrialRecord, rank

logger = logging.getLogger(__name__)

MAX_KILLS = 2
"""A child that is killed (out of memory, say) gets one more try."""

SAME_FAILURES = 5
"""The study stops after so many identical failures in a row."""

ROWS_EVERY_SECONDS = 10.0
ROWS_ALWAYS_UP_TO = 200


@dataclass(frozen=True)
class Claim:
    """A trial this process runs, and the lock that says so."""

    trial: Trial
    lock: FileLock


@dataclass
class _Running:
    """A trial that trains here.

    Attributes:
        trial: As storage has it.
        intent: Its record so far.
        reported: Steps whose values storage has.
        curve: The epochs of this attempt and of those it goes on from.
        pruned: Whether the pruner ended it.
    """

    trial: Trial
    intent: TrialRecord
    reported: set[int]
    curve: list[EpochResult] = field(default_factory=list)
    pruned: bool = False


@dataclass
class Runner:
    """Runs one study to its total number of trials.

    Attributes:
        context: What all trials share.
        study: The Optuna study, prepared by :func:`prepare_study`.
        listener: Told what happens.
        stop: When set, running trials are ended and will run again next time.
        gave_up: Why the study stopped by itself, after too many identical failures.
    """

    context: StudyContext
    study: Study
    listener: Listener
    stop: StopFlag
    gave_up: str | None = None
    _records: dict[int, TrialRecord] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _rows_written: float = -math.inf
    _failures: list[str] = field(default_factory=list)
    _crash: BaseException | None = None

    @property
    def config(self) -> StudyConfig:
        """The study's settings."""
        return self.context.config

    def run(self) -> list[TrialRecord]:
        """Run trials until the total is reached or the study is told to stop.

        Returns:
            The finished trials' records, in order of trial number.
        """
        self._refresh()
        self._drop_checkpoints()
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(self.config.study.workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():  # a join without a timeout would hold back Ctrl-C
                worker.join(0.2)
        if self._crash is not None:
            raise self._crash
        with contextlib.suppress(InterruptedTrialError):
            self._patience.until_done("the results", lambda: self._write_results(at_end=True))
        return self._sorted()

    @cached_property
    def _patience(self) -> Patience:
        return Patience(self._say, self.stop, self.config.study.out)

    def _say(self, text: str) -> None:
        self.listener.told(Said(text))

    def _work(self) -> None:
        try:
            while not self._should_stop():
                claim = self._patience.until_done("a new trial", self._claim)
                if claim is None:
                    return
                try:
                    self._run_trial(claim)
                finally:
                    claim.lock.release()
        except InterruptedTrialError:
            logger.info("interrupted; what was running goes on next time")
        except BaseException as error:  # re-raised by run(): a thread would swallow it
            self._crash = error
            self.stop.set()

    def _should_stop(self) -> bool:
        if self.context.files.stop.exists():
            self._say("STOP file found: stopping")
            self.context.files.stop.unlink(missing_ok=True)
            self.stop.set()
        return self.stop.is_set()

    def _claim(self) -> Claim | None:
        """The next trial to run: an interrupted one first, else a new one, else None."""
        with FileLock(self.context.files.claim_lock):
            for stored in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                lock = FileLock(self.context.files.trial_lock(stored.number))
                # Its owner may have ended it since it was listed: what counts is what is stored now.
                if lock.try_acquire() and self._is_open(stored):
                    return self._locked(stored, lock)
                lock.release()
            begun = [t for t in self.study.get_trials(deepcopy=False) if t.state is not TrialState.WAITING]
            if len(begun) >= self.config.n_trials:
                return None
            trial = self._ask(None)
            lock = FileLock(self.context.files.trial_lock(trial.number))
            if not lock.try_acquire():
                raise StorageError(
                    f"trial {trial.number} is new, yet {self.context.files.locks} says it runs"
                )
            return Claim(trial, lock)

    def _locked(self, stored: FrozenTrial, lock: FileLock) -> Claim:
        try:
            return Claim(self._ask(stored), lock)
        except BaseException:
            lock.release()
            raise

    def _is_open(self, stored: FrozenTrial) -> bool:
        """Whether a trial without an owner is unfinished, its result not even on disk."""
        now = self.study._storage.get_trial(stored._trial_id)
        if now.state is TrialState.RUNNING:
            mend(self.study, self.context.files, compare_trial(self.context.files, now))
        return self.study._storage.get_trial(stored._trial_id).state is TrialState.RUNNING

    def _ask(self, stored: FrozenTrial | None) -> Trial:
        """A new trial, or a stored one taken up again under its own number; with all its params."""
        distributions = to_distributions(self.context.plan.space)
        sampler = self.study.sampler
        assert isinstance(sampler, TrialSeededTPESampler)
        kind = "startup" if sampler.is_startup(self.study) else "tpe"
        if stored is None:
            trial = self.study.ask(distributions)
        else:
            trial = Trial(self.study, stored._trial_id)
            for name, distribution in distributions.items():
                trial._suggest(name, distribution)
        if ORIGIN not in trial.user_attrs:
            trial.set_user_attr(ORIGIN, kind)
        return trial

    def _run_trial(self, claim: Claim) -> None:
        trial, number = claim.trial, claim.trial.number
        intent = self._patience.until_done(f"trial {number}", lambda: self._write_intent(trial))
        self.listener.told(TrialStarted(record=intent))
        started, seconds_before = time.monotonic(), 0.0
        running = _Running(trial, intent, set(intent.intermediate_values))

        def on_resume(rows: list[EpochResult]) -> None:
            nonlocal seconds_before
            running.curve[:] = rows
            seconds_before = sum(row.seconds for row in rows)
            self._say(f"trial {number}: goes on after epoch {len(rows)}")

        for attempt in range(1, MAX_KILLS + 1):
            running.curve.clear()
            job = make_job(self.context, intent, self._best_value())
            outcome = refused(self.context, intent) or run_in_child(
                job,
                lambda row: self._on_epoch(running, row),
                self.stop,
                on_resume=on_resume,
                on_trouble=lambda text: self._say(f"trial {number}: {text}"),
                on_unwritten=lambda what, why: self._patience.begin(f"trial {number}'s {what}", why),
            )
            if not (isinstance(outcome, Failed) and outcome.kind == "killed") or attempt == MAX_KILLS:
                break
            self._say(f"trial {number}: {outcome.message}; trying once more")
        seconds = seconds_before + time.monotonic() - started
        with self._mutex:
            record = final_record(intent, running.curve, outcome, running.pruned, self._sorted(), seconds)
        self._finish(trial, record)

    def _write_intent(self, trial: Trial) -> TrialRecord:
        stored = self._stored(trial)
        intent = intent_record(self.context, stored, self.study.study_name, record_of(stored))
        write_record(self.context.files, intent)
        attach_record(self.study, trial._trial_id, intent)
        return intent

    def _on_epoch(self, running: _Running, row: EpochResult) -> bool:
        """Store an epoch's score; False ends the trial."""
        running.curve.append(row)
        self._patience.once("an epoch's score", lambda: self._report(running, row))
        self._should_stop()
        intent, search = running.intent, self.config.search
        with self._mutex:
            best = self._best()
            self.listener.told(EpochEnded(record=intent, row=row, best=best.value if best else None))
            if search.prune and is_pruned(intent, running.curve, self._records.values(), search.prune_warmup):
                running.pruned = True
                return False
        return True

    def _report(self, running: _Running, row: EpochResult) -> None:
        step = running.intent.training.step_of(row.fold, row.epoch)
        if step not in running.reported:  # else an attempt that was killed came further
            running.trial.report(row.value, step)
            running.reported.add(step)

    def _finish(self, trial: Trial, record: TrialRecord) -> None:
        """Keep a result: on disk, in storage, in the study's files; in this order."""
        files, name = self.context.files, f"the result of trial {record.trial_number}"
        self._patience.until_done(name, lambda: write_record(files, record))
        self._patience.until_done(name, lambda: finish_trial(self.study, trial._trial_id, record))
        drop(files.checkpoint(record.trial_number))
        with self._mutex:
            self._records[record.trial_number] = record
        self._patience.once("the results", lambda: self._write_results(at_end=False))
        self._stop_after_same_failures(record)
        with self._mutex:
            ended = TrialEnded(record=record, n_finished=len(self._records), best=self._best())
            self.listener.told(ended)

    def _stored(self, trial: Trial) -> FrozenTrial:
        return self.study._storage.get_trial(trial._trial_id)

    def _refresh(self) -> None:
        """Take in trials that other processes, or earlier runs, finished."""
        finished = self.study.get_trials(deepcopy=False, states=FINISHED)
        with self._mutex:
            for stored in finished:
                if stored.number not in self._records and (record := record_of(stored)) is not None:
                    self._records[stored.number] = record

    def _drop_checkpoints(self) -> None:
        """Of trials that ended just before a kill."""
        for number in self._records:
            drop(self.context.files.checkpoint(number))

    def _sorted(self) -> list[TrialRecord]:
        return [self._records[number] for number in sorted(self._records)]

    def _best(self) -> TrialRecord | None:
        ranked = rank(list(self._records.values()))
        return ranked[0] if ranked else None

    def _best_value(self) -> float | None:
        with self._mutex:
            best = self._best()
        return None if best is None else best.value

    def _write_results(self, at_end: bool) -> None:
        with FileLock(self.context.files.results_lock):
            self._refresh()
            now, n = time.monotonic(), len(self._records)
            rows = at_end or n <= ROWS_ALWAYS_UP_TO or now - self._rows_written > ROWS_EVERY_SECONDS
            write_results(self.context.files, self.config.budgets, self._sorted(), rows)
            self._rows_written = now if rows else self._rows_written

    def _stop_after_same_failures(self, record: TrialRecord) -> None:
        failure = record.failure
        if record.state != "FAIL" or failure is None:
            self._failures.clear()
            return
        self._failures.append(f"{failure.type}: {failure.message}")
        last = self._failures[-SAME_FAILURES:]
        if len(last) == SAME_FAILURES and len(set(last)) == 1:
            self.gave_up = f"{SAME_FAILURES} trials in a row failed alike ({last[0]})"
            self._say(f"stopping: {self.gave_up}")
            self.stop.set()
