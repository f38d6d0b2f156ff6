"""Second adapters of the ports: they hold no files and train nothing, and pass the same contract suites."""

import contextlib
import threading
from collections import Counter

import numpy as np

from hpo.search.searcher import Verdict
from hpo.search.tpe import Tpe
from hpo.store.store import Claim
from hpo.trial.events import EpochResult, Failed, Finished, FoldResult, Interrupted
from hpo.trial.history import History


class Place:
    """What several stores share, as processes share a folder."""

    def __init__(self):
        self.mutex = threading.RLock()
        self.records = {}
        self.claimed = set()
        self.scores = {}


class MemoryStore:
    """Records in a dictionary; a claim that is not released stays its store's."""

    def __init__(self, place=None):
        self.place = place or Place()
        self.history = History()
        self.refresh()

    def claim(self, propose):
        with self.place.mutex:
            self.refresh()
            for number in self.history.open_numbers:
                if number not in self.place.claimed:
                    return self._claim(self.place.records[number], is_resumed=True)
            record = propose(len(self.place.records))
            if record is None:
                return None
            self.save(record)
            return self._claim(record, is_resumed=False)

    def _claim(self, record, is_resumed):
        number = record.trial_number
        self.place.claimed.add(number)
        return Claim(record, is_resumed, release=lambda: self.place.claimed.discard(number))

    def save(self, record):
        with self.place.mutex:
            self.place.records[record.trial_number] = record
            self.history.put(record)

    def report(self, number, step, value):
        self.place.scores[number, step] = value

    def refresh(self):
        with self.place.mutex:
            for record in self.place.records.values():
                self.history.put(record)


def epochs(values):
    """Epoch results with these scores."""
    return [
        EpochResult(
            epoch=epoch, train_loss=value, val_loss=value, value=value, learning_rate=1e-3, seconds=0.0
        )
        for epoch, value in enumerate(values, start=1)
    ]


class ScriptedExecutor:
    """Plays a script a trial: scores of its epochs, or an outcome; ``jobs`` are those it was given.

    A script takes the seed of a job, which is its trial's own, and how often it was run before.
    """

    def __init__(self, script=lambda seed, before: [0.5, 0.4, 0.3]):
        self.script = script
        self.jobs = []
        self.verdicts = []
        self._runs = Counter()

    def run(self, job, stop):
        self.jobs.append(job)
        played = self.script(job.seed, self._runs[job.seed])
        self._runs[job.seed] += 1
        if not isinstance(played, list):
            yield played
            return
        curve = []
        for row in epochs(played):
            if stop.is_set():
                yield Interrupted()
                return
            curve.append(row)
            verdict = yield row
            self.verdicts.append(verdict)
            if verdict is Verdict.STOP:
                break
        if stop.is_set():
            yield Interrupted()
            return
        yield self.finished(job, curve, "report" if len(curve) < len(played) else "epochs")

    def finished(self, job, curve, reason):
        from hpo.models.sizing import count_params
        from hpo.study.catalogue import get_family

        best = min(curve, key=lambda row: row.value)
        metrics = {"mse": best.value, "rmse": best.value**0.5}
        fold = FoldResult(
            curve=curve,
            best_epoch=best.epoch,
            best_value=best.value,
            steps=len(curve),
            train_metrics=metrics,
            val_metrics=metrics,
            confusion=None,
            val_losses=np.full(len(job.folds[0].val_ends), best.value, dtype=np.float32),
        )
        return Finished(
            folds=[fold] * len(job.folds),
            stopped_because=reason,
            param_count=count_params(get_family(job.family), job.model, job.shape),
            peak_memory_bytes=1,
            flops_per_step=1,
            samples_per_second=1.0,
        )


def follow_all(events):
    """All events of a trial whose every epoch goes on."""
    told = [next(events)]
    with contextlib.suppress(StopIteration):
        while True:
            told.append(events.send(Verdict.CONTINUE) if isinstance(told[-1], EpochResult) else next(events))
    return told


def make_tpe(context, n_startup_trials=5, seed=0):
    """TPE over a study's space."""
    return Tpe(context.plan.space, "minimize", seed, n_startup_trials)


def killed(name="SIGKILL"):
    """A trial whose process is gone."""
    return Failed(kind="killed", type=name, message=f"ended by {name}", traceback=None)


def bug(message="a bug"):
    """A trial that raised."""
    return Failed(kind="error", type="ValueError", message=message, traceback="...")


class Hearer:
    """A listener that keeps what it is told."""

    def __init__(self):
        self.events = []

    def told(self, event):
        self.events.append(event)

    def texts(self):
        return [event.text for event in self.events if hasattr(event, "text")]
