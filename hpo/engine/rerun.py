"""One trial again from its record: does it reproduce?"""

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.engine.context import make_context
from hpo.engine.intent import make_job
from hpo.errors import ConfigError
from hpo.execute.executor import follow
from hpo.execute.executors import make_executor
from hpo.search.searcher import Verdict
from hpo.store.layout import ExperimentFiles
from hpo.store.records import read_record
from hpo.store.windows import read_losses, write_losses
from hpo.study.config import read_own_config
from hpo.system.files import write_bytes
from hpo.system.stop import StopFlag
from hpo.trial.events import EpochResult, Event, Failed, Finished
from hpo.trial.record import TrialRecord
from hpo.trial.state import State


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """A trial's learning curve, recorded and again.

    Attributes:
        record: The trial.
        recorded: Validation losses by epoch, from the record.
        again: The same, now.
        problems: What makes a difference likely: other data, another device, other code.
        restored: Where its weights are again, if they were gone and it reproduced; else None.
    """

    record: TrialRecord
    recorded: list[float | None]
    again: list[float]
    problems: list[str]
    restored: Path | None = None

    @property
    def largest_difference(self) -> float:
        """Between two scores of an epoch; infinite where the curves have different lengths."""
        if len(self.recorded) != len(self.again):
            return math.inf
        differences = [abs(a - b) for a, b in zip(self.recorded, self.again, strict=True) if a is not None]
        return max(differences, default=math.inf)

    @property
    def reproduced(self) -> bool:
        """Whether every epoch's score is the same to the bit."""
        return self.largest_difference == 0.0


def rerun_trial(path: Path) -> Rerun:
    """Train a trial again, with its seed, threads and micro-batch.

    Nothing is written but the weights and the losses a window of a completed trial that reproduces, where
    they are gone.

    Args:
        path: ``outputs/<experiment>/trials/trial_0007.json``, beside its ``study.toml``.

    Raises:
        HpoError: There is no such record, or its study's config is gone or has changed.
    """
    record = read_record(path)
    if not record.learning_curve:
        raise ConfigError(f"{path}: the trial has no learning curve to compare with (state {record.state})")
    study = path.parent.parent  # it may have been moved since: where it is now counts
    context = make_context(read_own_config(study, out=study.parent, experiment=record.experiment))
    problems = []
    if context.data.table.sha256 != record.data.sha256:
        problems.append("the data have changed since")
    if context.device != record.resources.device:
        problems.append(f"it ran on {record.resources.device}, now on {context.device}")
    if (context.code.version, context.code.commit) != (record.code.version, record.code.commit):
        problems.append(f"it ran with code {record.code.commit or record.code.version}")
    curve: list[EpochResult] = []
    n_epochs = len(record.learning_curve)

    def on_event(event: Event) -> Verdict:
        if isinstance(event, EpochResult):
            curve.append(event)
        return Verdict.CONTINUE if len(curve) < n_epochs else Verdict.STOP

    job = make_job(context, record, beats=None)
    are_gone = record.state == State.COMPLETE and not context.files.bundle(record.trial_number).is_file()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / context.files.weights(record.trial_number).name
        job = replace(job, weights=weights if are_gone else None, checkpoint=None, max_seconds=None)
        outcome = follow(make_executor(context.config.study.executor).run(job, StopFlag()), on_event)
        if isinstance(outcome, Failed) and len(curve) < n_epochs:
            problems.append(f"it ended early: {outcome.message}")
        rerun = Rerun(
            record=record,
            recorded=[epoch.val_loss for epoch in record.learning_curve],
            again=[row.val_loss for row in curve],
            problems=problems,
        )
        number, files = record.trial_number, context.files
        if rerun.reproduced and record.state == State.COMPLETE and isinstance(outcome, Finished):
            _restore_losses(files, number, outcome)
        if not rerun.reproduced or not weights.is_file():
            return rerun
        return replace(rerun, restored=_restore(context.files, record.trial_number, weights))


def _restore(files: ExperimentFiles, number: int, weights: Path) -> Path:
    """Put weights, and the config beside them, where a trial that keeps them has its own."""
    config = weights.with_name(files.bundle(number).name)
    for source, target in ((weights, files.weights(number)), (config, files.bundle(number))):
        write_bytes(target, source.read_bytes())
    return files.weights(number)


def _restore_losses(files: ExperimentFiles, number: int, outcome: Finished) -> None:
    """Write a trial's losses a window again, where they are gone or torn."""
    if not read_losses(files, [number], len(outcome.val_losses)):
        write_losses(files, number, outcome.val_losses)
