"""A whole study: check everything, then write, then run, then sum up."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from hpo.config import StudyConfig
from hpo.errors import ConfigError, StorageError
from hpo.files import ExperimentFiles, write_bytes
from hpo.hardware import resolve_device
from hpo.losses import loss_function
from hpo.manifest import code_version, stored_references, write_manifest
from hpo.metrics import objective_metric
from hpo.plan import make_plan
from hpo.progress import make_display
from hpo.records import TrialRecord, rank, read_records
from hpo.references import compute_references
from hpo.registry import get_family, load_data, shape_of
from hpo.runner import Runner, prepare_study
from hpo.storage import (
    RDBStorage,
    Study,
    check_storage,
    load_records,
    load_study,
    open_existing,
    open_storage,
)
from hpo.trial import StudyContext, split_parts
from hpo.worker import start_fork_server

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """How a run of a study ended.

    Attributes:
        records: All finished trials.
        files: Where everything is.
        storage_url: The database.
        interrupted: Whether it was told to stop.
    """

    records: list[TrialRecord]
    files: ExperimentFiles
    storage_url: str
    interrupted: bool

    @property
    def best(self) -> TrialRecord | None:
        """The best completed trial."""
        ranked = rank(self.records)
        return ranked[0] if ranked else None


def run_study(config: StudyConfig, command: list[str]) -> StudyOutcome:
    """Run a study to its total number of trials, or go on with one that was begun.

    Everything that can be wrong is checked before anything is written.

    Args:
        config: The study's settings.
        command: The command line, for the manifest.

    Raises:
        HpoError: The input is wrong; nothing was written.
    """
    check_storage(config.storage_url)
    get_family(config.model.model)
    start_fork_server()
    context = make_context(config)
    _check_output(config)
    with _storage_for(config) as storage:
        study = prepare_study(storage, context)
        files = config.files
        write_bytes(files.study_toml, config.to_toml().encode())
        write_manifest(
            files,
            data=context.source,
            parts=context.parts,
            references=context.references,
            seed=config.study.seed,
            command=command,
        )
        with _log_to(files.log), _stop_on_signals() as stop:
            n_finished = len(load_records_finished(study))
            with make_display(config.n_trials, n_finished) as display:
                if n_finished:
                    display.message(
                        f"resuming {config.experiment}: {n_finished} of {config.n_trials} trials are done"
                    )
                runner = Runner(context=context, study=study, display=display, stop=stop)
                records = runner.run()
            interrupted = stop.is_set() and not runner.gave_up
            if records:
                write_summary(files, records)
            logger.info("run ended: %d trials finished%s", len(records), ", stopped" * interrupted)
    return StudyOutcome(records=records, files=files, storage_url=config.storage_url, interrupted=interrupted)


def load_records_finished(study: Study) -> list[TrialRecord]:
    """The records of trials that ended."""
    return [record for record in load_records(study) if record.state != "RUNNING"]


def make_context(config: StudyConfig) -> StudyContext:
    """Resolve a config into what its trials share, with all checks and without writing.

    Raises:
        HpoError: A name is unknown, the data cannot be had, or a budget cannot be reached.
    """
    family = get_family(config.model.model)
    device = resolve_device(config.study.device)
    data = load_data(config)
    task = data.table.task
    if config.training.loss is not None:
        loss_function(config.training.loss, task, config.training.focal_gamma, config.training.focal_alpha)
    return StudyContext(
        config=config,
        plan=make_plan(family, shape_of(data), config.budgets),
        data=data,
        device=device,
        references=stored_references(config.files, data) or compute_references(data),
        code=code_version(),
        parts=split_parts(data),
    )


def write_summary(files: ExperimentFiles, records: list[TrialRecord]) -> Path:
    """Sum up an experiment; matplotlib and scipy are imported now, not while a user waits for the start."""
    from hpo import summary

    return summary.write_summary(files, records)


def rebuild_summary(experiment: str, out: Path, storage_url: str, from_files: bool) -> Path:
    """Write an experiment's summary again, from storage or from its trial files alone.

    Raises:
        HpoError: There is no such experiment, or it has no finished trial.
    """
    files = ExperimentFiles(out=out, experiment=experiment)
    if from_files:
        if not files.trials.is_dir():
            raise StorageError(f"no trial files in {files.trials}")
        records, errors = read_records(files)
        for error in errors:
            logger.warning("left out: %s", error)
    else:
        with open_existing(storage_url) as storage:
            records = load_records(load_study(storage, experiment))
    finished = [record for record in records if record.state != "RUNNING"]
    if not finished:
        raise StorageError(f"experiment {experiment} has no finished trial to sum up")
    return write_summary(files, finished)


def naive_line(outcome: StudyOutcome) -> str:
    """The best trial beside its naive baseline, in one line."""
    best = outcome.best
    if best is None:
        return "no trial completed"
    skill = "" if best.naive.skill is None else f", skill {best.naive.skill:+.1%}"
    reference = best.naive.metrics[objective_metric(best.naive.metrics)]
    return (
        f"best: trial {best.trial_number} with {best.objective.name} {best.value:.4f}; "
        f"{best.naive.name} scores {reference:.4f}{skill}"
    )


def _check_output(config: StudyConfig) -> None:
    """Refuse an output folder that cannot be written, before anything else is."""
    folder = config.files.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"out: cannot write to {folder} ({error.strerror})") from error


@contextmanager
def _storage_for(config: StudyConfig) -> Iterator[RDBStorage]:
    storage = open_storage(config.storage_url)
    try:
        yield storage
    finally:
        storage.engine.dispose()


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the program at once."""
    stop = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        print(f"{signal.Signals(number).name}: stopping, everything finished is saved", file=sys.stderr)
        stop.set()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("hpo")
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
