"""A whole study: check everything, then write, then run, then sum up."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from hpo.cli.console import make_display
from hpo.engine.coordinator import Runner
from hpo.engine.intent import StudyContext, loss_of, split_parts
from hpo.engine.prepare import prepare_study
from hpo.errors import ConfigError, StorageError
from hpo.execute.local import start_fork_server
from hpo.scoring.losses import covariance_of, loss_function
from hpo.scoring.references import compute_references
from hpo.search.plan import make_plan
from hpo.store.database import check_storage, load_study, open_existing, open_storage
from hpo.store.locks import FileLock
from hpo.store.manifest import code_version, stored_references, write_manifest
from hpo.store.view import finished_records, load_records
from hpo.study.catalogue import get_family, load_data, shape_of
from hpo.study.config import StudyConfig
from hpo.system.files import ExperimentFiles, write_bytes
from hpo.system.hardware import resolve_device
from hpo.system.retry import is_passing
from hpo.system.stop import StopFlag
from hpo.trial.record import TrialRecord, rank, read_records

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
    with open_storage(config.storage_url) as storage:
        files = config.files
        with _log_to(files.log), _stop_on_signals() as stop:
            with _no_traceback(config):
                study, differences = prepare_study(storage, context)
            _write_settings(context, command)
            n_finished = len(finished_records(study))
            with make_display(config.n_trials, n_finished) as display:
                if n_finished:
                    display.message(
                        f"resuming {config.experiment}: {n_finished} of {config.n_trials} trials are done"
                    )
                for difference in differences:
                    display.message(f"{difference.kind}: {difference.text}")
                runner = Runner(context=context, study=study, display=display, stop=stop)
                records = runner.run()
            interrupted = stop.is_set() and not runner.gave_up
            if records:
                _try_to("the summary", lambda: write_summary(files, finished_records(study)))
            logger.info("run ended: %d trials finished%s", len(records), ", stopped" * interrupted)
    return StudyOutcome(records=records, files=files, storage_url=config.storage_url, interrupted=interrupted)


@contextmanager
def _no_traceback(config: StudyConfig) -> Iterator[None]:
    """Turn a disk that is full from the start into an error of one line."""
    try:
        yield
    except Exception as error:
        if is_passing(error):
            raise StorageError(f"cannot write to {config.study.out}: is the disk full? ({error})") from error
        raise


def _write_settings(context: StudyContext, command: list[str]) -> None:
    """Config and manifest; a full disk costs them, not the study."""
    config, files = context.config, context.config.files
    _try_to("study.toml", lambda: write_bytes(files.study_toml, config.to_toml().encode()))
    _try_to(
        "the manifest",
        lambda: write_manifest(
            files,
            data=context.source,
            parts=context.parts[-1],
            references=context.references,
            seed=config.study.seed,
            command=command,
        ),
    )


def _try_to(what: str, write: Callable[[], object]) -> None:
    """Write something that the trials do not depend on."""
    try:
        write()
    except Exception as error:  # a bug in a plot must not cost the study its exit
        logger.exception("%s: not written", what)
        print(
            f"{what}: not written ({error}); the same command, or `hpo summary`, writes it", file=sys.stderr
        )


def make_context(config: StudyConfig) -> StudyContext:
    """Resolve a config into what its trials share, with all checks and without writing.

    Raises:
        HpoError: A name is unknown, the data cannot be had, or a budget cannot be reached.
    """
    family = get_family(config.model.model)
    device = resolve_device(config.study.device)
    folds = load_data(config)
    data = folds[-1]
    loss = loss_of(config, data.table.task)
    loss_function(loss, data.table.task)
    covariance = covariance_of(loss, data.n_outputs)
    references = stored_references(config.files, folds) or compute_references(
        folds, config.objective, gaussian=covariance != "none"
    )
    return StudyContext(
        config=config,
        plan=make_plan(family, shape_of(data, covariance), config.budgets),
        folds=folds,
        device=device,
        references=references,
        code=code_version(),
        parts=tuple(split_parts(data) for data in folds),
    )


def write_summary(files: ExperimentFiles, records: list[TrialRecord]) -> Path:
    """Sum up an experiment; matplotlib and scipy are imported now, not while a user waits for the start."""
    from hpo.report import summary

    with FileLock(files.results_lock):
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
    reference = best.objective.score(best.naive.metrics)
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
def _stop_on_signals() -> Iterator[StopFlag]:
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


class _PatientFileHandler(logging.FileHandler):
    """A log that a full disk silences, and nothing worse."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's own name)
        """Say nothing: what cannot be written is told once elsewhere."""


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    handler = _PatientFileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("hpo")
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        with suppress(OSError):
            handler.close()
