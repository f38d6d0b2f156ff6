"""The study runner: claims trials, has them trained, and keeps every result before it goes on.

The order is what makes a kill harmless: a trial's intent is on disk before it trains, its result is on
disk before the storage is told, and who runs a trial holds its lock, which dies with the holder.
"""

import logging
import math
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from hpo.config import StudyConfig
from hpo.errors import StorageError
from hpo.locks import FileLock
from hpo.progress import Display
from hpo.pruning import is_pruned
from hpo.records import TrialRecord, rank, read_record, write_record
from hpo.results import write_results
from hpo.space import TrialSeededTPESampler, to_distributions
from hpo.storage import FINISHED, ORIGIN, attach_record, check_identity, record_of, stored_fields
from hpo.train import EpochResult
from hpo.trial import DIRECTION, StudyContext, final_record, intent_record, make_job, refused
from hpo.worker import Failed, InterruptedTrialError, run_in_child

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
class Runner:
    """Runs one study to its total number of trials.

    Attributes:
        context: What all trials share.
        study: The Optuna study, prepared by :func:`prepare_study`.
        display: What the user sees.
        stop: When set, running trials are ended and will run again next time.
        gave_up: Whether the study stopped by itself, after too many identical failures.
    """

    context: StudyContext
    study: Study
    display: Display
    stop: threading.Event
    gave_up: bool = False
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
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(self.config.study.workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():  # a join without a timeout would hold back Ctrl-C
                worker.join(0.2)
        if self._crash is not None:
            raise self._crash
        self._refresh()
        self._write_results(at_end=True)
        return [self._records[number] for number in sorted(self._records)]

    def _work(self) -> None:
        try:
            while not self._should_stop() and (claim := self._claim()) is not None:
                try:
                    self._run_trial(claim)
                except InterruptedTrialError:
                    logger.info("trial %d interrupted; it will run again", claim.trial.number)
                finally:
                    claim.lock.release()
        except BaseException as error:  # re-raised by run(): a thread would swallow it
            self._crash = error
            self.stop.set()

    def _should_stop(self) -> bool:
        if self.config.files.stop.exists():
            logger.info("STOP file found")
            self.display.message("STOP file found: stopping")
            self.config.files.stop.unlink(missing_ok=True)
            self.stop.set()
        return self.stop.is_set()

    def _claim(self) -> Claim | None:
        """The next trial to run: an interrupted one first, else a new one, else None."""
        with FileLock(self.config.files.locks / "claim"):
            for stored in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                lock = FileLock(self.config.files.locks / f"trial_{stored.number:04d}")
                # Its owner may have ended it since it was listed: what counts is what is stored now.
                if not lock.try_acquire() or not self._is_open(stored) or self._already_done(stored):
                    lock.release()
                else:
                    return Claim(self._ask(stored), lock)
            begun = [t for t in self.study.get_trials(deepcopy=False) if t.state is not TrialState.WAITING]
            if len(begun) >= self.config.n_trials:
                return None
            trial = self._ask(None)
            lock = FileLock(self.config.files.locks / f"trial_{trial.number:04d}")
            if not lock.try_acquire():
                raise StorageError(f"trial {trial.number} is new, yet {self.config.files.locks} says it runs")
            return Claim(trial, lock)

    def _is_open(self, stored: FrozenTrial) -> bool:
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

    def _already_done(self, stored: FrozenTrial) -> bool:
        """Tell storage a result that is on disk, where a kill came between the two."""
        path = self.config.files.trial(stored.number)
        if not path.exists():
            return False
        try:
            record = read_record(path)
        except StorageError as error:
            logger.warning("%s; the trial runs again", error)
            return False
        if record.state == "RUNNING":
            return False
        self._tell(Trial(self.study, stored._trial_id), record)
        logger.info("trial %d: its result was on disk; storage is told", stored.number)
        return True

    def _run_trial(self, claim: Claim) -> None:
        trial, files = claim.trial, self.config.files
        stored = self._stored(trial)
        intent = intent_record(self.context, stored, self.study.study_name, record_of(stored))
        write_record(files, intent)
        attach_record(self.study, trial._trial_id, intent)
        self.display.trial_started(intent)
        logger.info("trial %d started: %s", trial.number, intent.origin)
        for attempt in range(1, MAX_KILLS + 1):
            curve: list[EpochResult] = []
            pruned = threading.Event()

            def on_epoch(row: EpochResult) -> bool:
                curve.append(row)  # noqa: B023  (used up within this round of the loop)
                return self._on_epoch(trial, intent, row, curve, pruned)  # noqa: B023

            outcome = refused(self.context, intent) or run_in_child(
                make_job(self.context, intent, self._best_value()), on_epoch, self.stop
            )
            if not (isinstance(outcome, Failed) and outcome.kind == "killed") or attempt == MAX_KILLS:
                break
            self.display.message(f"trial {trial.number}: {outcome.message}; trying once more")
            logger.warning("trial %d: %s; trying once more", trial.number, outcome.message)
        with self._mutex:
            record = final_record(intent, curve, outcome, pruned.is_set(), list(self._records.values()))
            self._finish(trial, record)

    def _on_epoch(
        self,
        trial: Trial,
        intent: TrialRecord,
        row: EpochResult,
        curve: list[EpochResult],
        pruned: threading.Event,
    ) -> bool:
        """Store an epoch's score; False ends the trial."""
        with self._mutex:
            if row.epoch not in self._stored(trial).intermediate_values:
                trial.report(row.val_loss, row.epoch)
            best = self._best()
            self.display.epoch_ended(intent, row.epoch, row.val_loss, best.value if best else None)
            if self._should_stop():
                raise InterruptedTrialError
            search = self.config.search
            scores = [past.val_loss for past in curve]
            if search.prune and is_pruned(intent, scores, self._records.values(), search.prune_warmup):
                pruned.set()
                return False
        return True

    def _finish(self, trial: Trial, record: TrialRecord) -> None:
        """Keep a result: for the dashboard, on disk, in storage, in the study's files; in this order."""
        for name, value in _dashboard_attrs(record).items():
            trial.set_user_attr(name, value)
        for name, violation in record.constraints.items():
            trial.set_constraint(name, violation)
        stored = stored_fields(self._stored(trial))
        kept = {key: stored[key] for key in ("user_attrs", "system_attrs", "constraints")}
        record = record.model_copy(update=kept)
        write_record(self.config.files, record)
        self._tell(trial, record)
        self._records[record.trial_number] = record
        self._refresh()
        self._write_results(at_end=False)
        self._stop_after_same_failures(record)
        self.display.trial_ended(record, len(self._records), self._best())
        logger.info("trial %d %s: %s", record.trial_number, record.state, record.value)

    def _tell(self, trial: Trial, record: TrialRecord) -> None:
        attach_record(self.study, trial._trial_id, record)
        state = TrialState[record.state]
        self.study.tell(trial, record.value if state is TrialState.COMPLETE else None, state=state)

    def _stored(self, trial: Trial) -> FrozenTrial:
        return self.study._storage.get_trial(trial._trial_id)

    def _refresh(self) -> None:
        """Take in trials that other processes, or earlier runs, finished."""
        for stored in self.study.get_trials(deepcopy=False, states=FINISHED):
            if stored.number not in self._records and (record := record_of(stored)) is not None:
                self._records[stored.number] = record

    def _best(self) -> TrialRecord | None:
        ranked = rank(list(self._records.values()))
        return ranked[0] if ranked else None

    def _best_value(self) -> float:
        with self._mutex:
            best = self._best()
        return math.inf if best is None or best.value is None else best.value

    def _write_results(self, at_end: bool) -> None:
        now, n = time.monotonic(), len(self._records)
        rows = at_end or n <= ROWS_ALWAYS_UP_TO or now - self._rows_written > ROWS_EVERY_SECONDS
        self._rows_written = now if rows else self._rows_written
        write_results(self.config.files, self.config.budgets, list(self._records.values()), rows)

    def _stop_after_same_failures(self, record: TrialRecord) -> None:
        failure = record.failure
        if record.state != "FAIL" or failure is None:
            self._failures.clear()
            return
        self._failures.append(f"{failure.type}: {failure.message}")
        last = self._failures[-SAME_FAILURES:]
        if len(last) == SAME_FAILURES and len(set(last)) == 1:
            self.display.message(f"stopping: {SAME_FAILURES} trials in a row failed alike ({last[0]})")
            self.gave_up = True
            self.stop.set()


def _dashboard_attrs(record: TrialRecord) -> dict[str, Any]:
    """What the dashboard shows of a trial beside its params and value."""
    a = record.architecture
    attrs = {
        "param_count": a.param_count,
        "d_model": a.d_model,
        "n_layers": a.n_layers,
        "skill": record.naive.skill,
        "flags": record.flags,
        "failure": record.failure.message if record.failure else None,
        "constraints": record.constraints or None,
    }
    return {name: value for name, value in attrs.items() if value not in (None, [])}


def prepare_study(storage: optuna.storages.RDBStorage, context: StudyContext) -> Study:
    """Open the study of a config, or create it with its forced configs queued in their order.

    Raises:
        ConfigError: A study of that name exists and differs in what makes it itself.
    """
    config = context.config
    with FileLock(config.files.locks / "claim"):
        study = optuna.create_study(
            storage=storage,
            study_name=config.experiment,
            direction=DIRECTION,
            sampler=TrialSeededTPESampler(config.study.seed, config.search.startup_trials),
            pruner=optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        check_identity(study, config.identity())
        queued = {trial.user_attrs.get(ORIGIN) for trial in study.get_trials(deepcopy=False)}
        for forced in context.plan.forced:
            if forced.origin not in queued:
                study.enqueue_trial(forced.params, user_attrs={ORIGIN: forced.origin})
    return study
