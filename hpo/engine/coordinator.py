"""The loop of a study: claims trials, has them trained, and keeps every result before it goes on."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from hpo.engine.context import StudyContext
from hpo.engine.failures import FailureRun
from hpo.engine.intent import another_attempt, intent_record, make_job, refused
from hpo.engine.listener import EpochEnded, Listener, Said, TrialEnded, TrialStarted
from hpo.engine.outcome import final_record
from hpo.engine.scoreboard import Scoreboard
from hpo.execute.executor import Executor, follow
from hpo.search.searcher import RunningTrial, Searcher, Verdict
from hpo.store.store import Claim, Store
from hpo.store.windows import write_losses
from hpo.study.config import StudyConfig
from hpo.system.retry import Retry
from hpo.system.stop import StopFlag, StoppedError
from hpo.trial.events import (
    EpochResult,
    Event,
    Failed,
    Finished,
    Interrupted,
    Outcome,
    Resumed,
    Trouble,
    Unwritten,
)
from hpo.trial.history import History
from hpo.trial.record import TrialRecord
from hpo.trial.state import State

MAX_KILLS = 2
"""A trial whose process is killed (out of memory, say) gets one more try."""


@dataclass
class _Attempt:
    """A trial that trains here.

    Attributes:
        intent: Its record so far.
        curve: The epochs of this attempt and of those it goes on from.
        earlier_seconds: What the epochs took that it goes on from.
        pruned: Whether the searcher ended it.
    """

    intent: TrialRecord
    curve: list[EpochResult] = field(default_factory=list)
    earlier_seconds: float = 0.0
    pruned: bool = False


@dataclass
class Coordinator:
    """Runs one study to its total number of trials.

    Attributes:
        context: What all trials share.
        store: Keeps the records.
        searcher: Says what to try next.
        executor: Trains it.
        listener: Told what happens.
        stop: When set, running trials are ended and will go on next time.
        gave_up: Why the study stopped by itself, after too many identical failures.
    """

    context: StudyContext
    store: Store
    searcher: Searcher
    executor: Executor
    listener: Listener
    stop: StopFlag
    gave_up: str | None = None
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _failures: FailureRun = field(default_factory=FailureRun)
    _crash: BaseException | None = None
    _n_working: int = 0
    _idle: threading.Event = field(default_factory=threading.Event)

    @property
    def config(self) -> StudyConfig:
        """The study's settings."""
        return self.context.config

    @property
    def history(self) -> History:
        """The records that are known."""
        return self.store.history

    @cached_property
    def _retry(self) -> Retry:
        return Retry(self._say, self.stop, self.config.study.out)

    @cached_property
    def _scoreboard(self) -> Scoreboard:
        return Scoreboard(self.context.files, self.config.budgets, self.history, self.config.study.keep)

    def run(self) -> list[TrialRecord]:
        """Run trials until the total is reached or the study is told to stop.

        Returns:
            The finished trials' records, in order of trial number.
        """
        self._scoreboard.begin()
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(self.config.study.workers)]
        self._n_working = len(workers)
        for worker in workers:
            worker.start()
        try:
            self._idle.wait()
        except KeyboardInterrupt:  # from a host that has no handler of its own
            if not self.stop.is_set():
                self.stop.set()
                self._idle.wait()
            raise
        if self._crash is not None:
            raise self._crash
        with contextlib.suppress(StoppedError):
            self._retry.until_done("the results", self._write_all)
        return self.history.finished

    def _say(self, text: str) -> None:
        self.listener.told(Said(text))

    def _work(self) -> None:
        try:
            while not self._should_stop():
                claim = self._retry.until_done("a new trial", lambda: self.store.claim(self._propose))
                if claim is None:
                    return
                try:
                    self._run_trial(claim)
                finally:
                    claim.release()
        except StoppedError:
            return  # what was running goes on next time
        except BaseException as error:  # re-raised by run(): a thread would swallow it
            self._crash = error
            self.stop.set()
        finally:
            with self._mutex:
                self._n_working -= 1
                if self._n_working == 0:  # an interrupted join() takes a thread for ended that is not
                    self._idle.set()

    def _should_stop(self) -> bool:
        if self.context.files.stop.exists():
            self._say("STOP file found: stopping")
            self.context.files.stop.unlink(missing_ok=True)
            self.stop.set()
        return self.stop.is_set()

    def _propose(self, number: int) -> TrialRecord | None:
        """The intent of a new trial; None where the study has its total."""
        if len(self.history) >= self.config.n_trials:
            return None
        suggestion = self.searcher.suggest(number, self.history)
        if suggestion is None:
            return None
        return intent_record(self.context, number, suggestion, datetime.now(UTC))

    def _run_trial(self, claim: Claim) -> None:
        intent, number = claim.record, claim.record.trial_number
        if claim.is_resumed:
            intent = another_attempt(self.context, intent)
            self._retry.until_done(f"trial {number}", lambda: self.store.save(intent))
        self.listener.told(TrialStarted(record=intent))
        started, attempt = time.monotonic(), _Attempt(intent)
        outcome = self._train(attempt)
        if isinstance(outcome, Interrupted):
            raise StoppedError
        seconds = attempt.earlier_seconds + time.monotonic() - started
        alike = self.history.alike(intent)
        record = final_record(intent, attempt.curve, outcome, attempt.pruned, alike, seconds)
        if isinstance(outcome, Finished) and record.state == State.COMPLETE:
            self._keep_losses(record.trial_number, outcome)
        self._finish(record)

    def _train(self, attempt: _Attempt) -> Outcome:
        """Have a trial trained, once more if its process is killed."""
        intent = attempt.intent
        refusal = refused(self.context, intent)
        if refusal is not None:
            return refusal
        for tries in range(1, MAX_KILLS + 1):
            attempt.curve.clear()
            leaders = self.history.leaders(self.config.study.keep)
            beats = leaders[-1].value if len(leaders) == self.config.study.keep else None
            job = make_job(self.context, intent, beats)
            outcome = follow(self.executor.run(job, self.stop), lambda event: self._on_event(attempt, event))
            if not (isinstance(outcome, Failed) and outcome.kind == "killed") or tries == MAX_KILLS:
                break
            self._say(f"trial {intent.trial_number}: {outcome.message}; trying once more")
        return outcome

    def _on_event(self, attempt: _Attempt, event: Event) -> Verdict | None:
        number = attempt.intent.trial_number
        match event:
            case EpochResult():
                return self._on_epoch(attempt, event)
            case Resumed(curve=rows):
                attempt.curve[:] = rows
                attempt.earlier_seconds = sum(row.seconds for row in rows)
                self._say(f"trial {number}: goes on after epoch {len(rows)}")
            case Trouble(text=text):
                self._say(f"trial {number}: {text}")
            case Unwritten(what=what, reason=reason):
                self._retry.begin(f"trial {number}'s {what}", reason)
            case _:
                pass
        return None

    def _on_epoch(self, attempt: _Attempt, row: EpochResult) -> Verdict:
        """Keep an epoch's score, and ask whether the trial goes on."""
        attempt.curve.append(row)
        intent = attempt.intent
        step = intent.training.step_of(row.fold, row.epoch)
        self._retry.once("an epoch's score", lambda: self.store.report(intent.trial_number, step, row.value))
        self._should_stop()
        best = self.history.best()
        with self._mutex:
            self.listener.told(EpochEnded(record=intent, row=row, best=best.value if best else None))
        verdict = self.searcher.judge(RunningTrial(intent, attempt.curve), self.history)
        attempt.pruned = verdict is Verdict.STOP
        return verdict

    def _keep_losses(self, number: int, outcome: Finished) -> None:
        """Before the record: a completed trial has them."""
        losses, files = outcome.val_losses, self.context.files
        self._retry.until_done(f"the losses of trial {number}", lambda: write_losses(files, number, losses))

    def _finish(self, record: TrialRecord) -> None:
        """Keep a result before anything else is done with it."""
        name = f"the result of trial {record.trial_number}"
        self._retry.until_done(name, lambda: self.store.save(record))
        self._retry.once("the results", lambda: self._write_results(record))
        with self._mutex:
            self.gave_up = self._failures.add(record) or self.gave_up
            best = self.history.best()
            self.listener.told(TrialEnded(record=record, n_finished=self.history.n_finished, best=best))
        if self.gave_up:
            self._say(f"stopping: {self.gave_up}")
            self.stop.set()

    def _write_results(self, record: TrialRecord) -> None:
        self.store.refresh()
        with self._mutex:
            self._scoreboard.trial_ended(record)

    def _write_all(self) -> None:
        self.store.refresh()
        self._scoreboard.end()
