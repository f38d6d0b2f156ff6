"""What the user sees while a study runs: a live display on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hpo.learn.loop import EpochResult
from hpo.search.forced import format_count
from hpo.trial.record import TrialRecord

_PLAIN_SECONDS = 10.0


class Display(Protocol):
    """Told what happens in a study."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""

    def message(self, text: str) -> None:
        """Something worth a line."""

    def trial_started(self, record: TrialRecord) -> None:
        """A trial is about to train."""

    def epoch_ended(self, record: TrialRecord, row: EpochResult, best: float | None) -> None:
        """A trial finished an epoch; ``best`` is the study's best value so far."""

    def trial_ended(self, record: TrialRecord, n_finished: int, best: TrialRecord | None) -> None:
        """A trial ended."""


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
    if record.state == "COMPLETE" and record.naive.skill is not None:  # a pruned trial's value is its last
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


class PlainDisplay:
    """One line an event, for logs and pipes."""

    def __init__(self, n_trials: int, n_finished: int) -> None:
        """Take the total number of trials and how many have ended before this run."""
        self._n_trials = n_trials
        self._first = n_finished
        self._started = time.monotonic()
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

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


class LiveDisplay:
    """A bar for the study and one for each running trial."""

    def __init__(self, n_trials: int, n_finished: int) -> None:
        """Take the total number of trials and how many have ended before this run."""
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
        self._study = self._progress.add_task("trials", total=n_trials, completed=n_finished, note="")
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
        self._progress.update(self._study, completed=n_finished, note=note)


def make_display(n_trials: int, n_finished: int) -> Display:
    """A live display on a terminal, plain lines elsewhere."""
    if sys.stdout.isatty():
        return LiveDisplay(n_trials, n_finished)
    return PlainDisplay(n_trials, n_finished)


def _epoch_note(record: TrialRecord, row: EpochResult, best: float | None) -> str:
    return f"{record.objective.name} {row.value:.4f}" + (f", best {best:.4f}" if best is not None else "")


def _fold(record: TrialRecord, row: EpochResult) -> str:
    return f" fold {row.fold + 1}/{len(record.folds)}" if record.folds else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
