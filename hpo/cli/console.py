"""What the user sees while a study runs: a live display on a terminal, plain lines elsewhere."""

import abc
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from hpo.api.study import Study
from hpo.data import fetch
from hpo.engine.listener import (
    EpochEnded,
    Said,
    StudyEnded,
    StudyEvent,
    StudyStarted,
    TrialEnded,
    TrialStarted,
)
from hpo.system.counts import format_count
from hpo.system.stop import StopFlag
from hpo.trial.events import EpochResult
from hpo.trial.record import TrialRecord
from hpo.trial.state import State

_PLAIN_SECONDS = 10.0


def describe(record: TrialRecord) -> str:
    """A trial's config in one line."""
    a, t = record.architecture, record.training
    heads = f" h{a.n_heads}" if a.n_heads else ""
    return (
        f"{record.origin} | {a.family} {a.d_model}x{a.n_layers}{heads}, "
        f"{format_count(a.param_count)} params, lr {t.learning_rate:.2g}, wd {t.weight_decay:.2g}, "
        f"dropout {t.dropout:.2g}, batch {t.batch_size}, {t.normalisation}"
    )


def outcome_line(record: TrialRecord, best: TrialRecord | None) -> str:
    """How a trial ended, in one line."""
    value = "no value" if record.value is None else f"{record.objective.name} {record.value:.4f}"
    skill = ""
    # A pruned trial's value is its last.
    if record.state == State.COMPLETE and record.naive.skill is not None:
        skill = f", skill {record.naive.skill:+.1%} over {record.naive.name}"
    reason = f" ({record.failure.type}: {record.failure.message})" if record.failure else ""
    best_text = ""
    if best is not None:
        best_text = (
            ", the best so far"
            if best.trial_number == record.trial_number
            else (f", best {best.value:.4f} (trial {best.trial_number})")
        )
    seconds = record.duration_seconds or 0.0
    return (
        f"trial {record.trial_number} {record.state.lower()}: {value}{skill}, "
        f"{record.training.epochs_run} epochs in {seconds:.1f} s{best_text}{reason}"
    )


class _Display(abc.ABC):
    """Shows the events of a study; a context in which it is shown."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def told(self, event: StudyEvent) -> None:
        """Show an event."""
        match event:
            case StudyStarted():
                self.study_started(event.n_trials, event.n_finished)
                if event.n_finished:
                    done = f"{event.n_finished} of {event.n_trials} trials are done"
                    self.message(f"resuming {event.experiment}: {done}")
            case Said():
                self.message(event.text)
            case TrialStarted():
                self.trial_started(event.record)
            case EpochEnded():
                self.epoch_ended(event.record, event.row, event.best)
            case TrialEnded():
                self.trial_ended(event.record, event.n_finished, event.best)
            case StudyEnded():
                pass

    @abc.abstractmethod
    def study_started(self, n_trials: int, n_finished: int) -> None:
        """A run begins, with so many trials asked for and so many ended before it."""

    @abc.abstractmethod
    def message(self, text: str) -> None:
        """Something worth a line."""

    @abc.abstractmethod
    def trial_started(self, record: TrialRecord) -> None:
        """A trial is about to train."""

    @abc.abstractmethod
    def epoch_ended(self, record: TrialRecord, row: EpochResult, best: float | None) -> None:
        """A trial finished an epoch."""

    @abc.abstractmethod
    def trial_ended(self, record: TrialRecord, n_finished: int, best: TrialRecord | None) -> None:
        """A trial ended."""


class PlainDisplay(_Display):
    """One line an event, for logs and pipes."""

    def __init__(self) -> None:
        self._n_trials = self._first = 0
        self._started = self._last_line = time.monotonic()

    def study_started(self, n_trials: int, n_finished: int) -> None:
        """Begin to count and to measure."""
        self._n_trials, self._first = n_trials, n_finished
        self._started = self._last_line = time.monotonic()

    def message(self, text: str) -> None:
        """Print it."""
        print(text, flush=True)
        self._last_line = time.monotonic()

    def trial_started(self, record: TrialRecord) -> None:
        """Print the trial's config."""
        again = f", attempt {record.resumed + 1}" if record.resumed else ""
        self.message(f"trial {record.trial_number} of {self._n_trials}{again}: {describe(record)}")

    def epoch_ended(self, record: TrialRecord, row: EpochResult, best: float | None) -> None:
        """Print at most one line every ten seconds."""
        if time.monotonic() - self._last_line > _PLAIN_SECONDS:
            self.message(
                f"trial {record.trial_number}{_fold(record, row)} "
                f"epoch {row.epoch}/{record.training.epochs_planned}: {_epoch_note(record, row, best)}"
            )

    def trial_ended(self, record: TrialRecord, n_finished: int, best: TrialRecord | None) -> None:
        """Print how it ended and the time left."""
        here = n_finished - self._first
        rate = (time.monotonic() - self._started) / max(1, here)
        left = max(0, self._n_trials - n_finished) * rate
        self.message(
            f"{outcome_line(record, best)} | {n_finished}/{self._n_trials}, about {_clock(left)} left"
        )


class LiveDisplay(_Display):
    """A bar for the study and one for each running trial."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(highlight=False),
        )
        self._study: TaskID | None = None
        self._trials: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._trials.values():
            self._progress.remove_task(task)
        self._progress.stop()

    def study_started(self, n_trials: int, n_finished: int) -> None:
        """Give the study its bar."""
        self._study = self._progress.add_task("trials", total=n_trials, completed=n_finished, note="")

    def message(self, text: str) -> None:
        """Print it above the bars."""
        self._progress.console.print(text, markup=False)

    def trial_started(self, record: TrialRecord) -> None:
        """Print the trial's config and give it a bar of epochs."""
        again = f", attempt {record.resumed + 1}" if record.resumed else ""
        self.message(f"trial {record.trial_number}{again}: {describe(record)}")
        self._trials[record.trial_number] = self._progress.add_task(
            f"trial {record.trial_number} epochs",
            total=record.training.epochs_planned * max(1, len(record.folds)),
            note="",
        )

    def epoch_ended(self, record: TrialRecord, row: EpochResult, best: float | None) -> None:
        """Move the trial's bar."""
        step = record.training.step_of(row.fold, row.epoch)
        note = _epoch_note(record, row, best) + _fold(record, row)
        self._progress.update(self._trials[record.trial_number], completed=step, note=note)

    def trial_ended(self, record: TrialRecord, n_finished: int, best: TrialRecord | None) -> None:
        """Take the trial's bar away, print how it ended, move the study's bar."""
        task = self._trials.pop(record.trial_number, None)
        if task is not None:
            self._progress.remove_task(task)
        self.message(outcome_line(record, best))
        note = f"best {best.value:.4f} (trial {best.trial_number})" if best else ""
        if self._study is not None:
            self._progress.update(self._study, completed=n_finished, note=note)


@contextmanager
def _bar(name: str) -> Iterator[fetch.Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda here, total: progress.update(task, completed=here, total=total)


def show_fetches() -> None:
    """Show a data set that is being fetched as a bar on stderr."""
    fetch.show = _bar


def make_display() -> PlainDisplay | LiveDisplay:
    """A live display on a terminal, plain lines elsewhere."""
    return LiveDisplay() if sys.stdout.isatty() else PlainDisplay()


def _epoch_note(record: TrialRecord, row: EpochResult, best: float | None) -> str:
    return f"{record.objective.name} {row.value:.4f}" + (f", best {best:.4f}" if best is not None else "")


def _fold(record: TrialRecord, row: EpochResult) -> str:
    return f" fold {row.fold + 1}/{len(record.folds)}" if record.folds else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """A flag that Ctrl-C and SIGTERM set; a second one ends the program at once."""
    stop = StopFlag()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        text = f"{signal.Signals(number).name}: stopping after this batch; once more leaves at once\n"
        with suppress(OSError):
            os.write(sys.stderr.fileno(), text.encode())  # print() must not run within another print()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def show_answer(study: Study) -> None:
    """What a run found, in a line or two."""
    print(f"{study.experiment}: {naive_line(study)}")
    if (verdict := study.verdict) is not None:
        print(f"verdict    {verdict['text']}")


def naive_line(study: Study) -> str:
    """The best trial beside its naive baseline, in one line."""
    best = study.best
    if best is None:
        return "no trial completed"
    skill = "" if best.naive.skill is None else f", skill {best.naive.skill:+.1%}"
    reference = best.objective.score(best.naive.metrics)
    return (
        f"best: trial {best.trial_number} with {best.objective.name} {best.value:.4f}; "
        f"{best.naive.name} scores {reference:.4f}{skill}"
    )
