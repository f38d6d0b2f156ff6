"""A config goes in, a study comes out: what the functions of ``hpo`` and the command line share."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pyarrow as pa

from hpo.api.study import Study
from hpo.engine.context import StudyContext, files_of, make_context
from hpo.engine.coordinator import Coordinator
from hpo.engine.listener import Listener, Listeners, LogFile, Said, StudyEnded, StudyStarted
from hpo.errors import ConfigError, StorageError
from hpo.execute.executors import make_executor
from hpo.report.preview import Preview, make_preview
from hpo.search.searcher import Searcher
from hpo.search.searchers import SearchSettings, make_searcher
from hpo.store.database import open_storage
from hpo.store.frame import keep
from hpo.store.layout import ExperimentFiles
from hpo.store.local import open_store
from hpo.store.manifest import write_manifest
from hpo.store.sqlite import check_storage
from hpo.store.windows import windows_of, write_reference_losses, write_windows
from hpo.study.catalogue import get_family
from hpo.study.config import StudyConfig
from hpo.system.files import write_bytes
from hpo.system.retry import is_passing
from hpo.system.stop import StopFlag

logger = logging.getLogger(__name__)

SILENT = Listeners(())
"""A listener that nobody hears."""


def run_study(
    config: StudyConfig,
    command: list[str],
    *,
    listener: Listener = SILENT,
    stop: StopFlag | None = None,
    frame: pa.Table | None = None,
) -> Study:
    """Run a study to its total number of trials, or go on with one that was begun.

    Everything that can be wrong is checked before anything is written.

    Args:
        config: The study's settings.
        command: The command line or the call, for the manifest.
        listener: Told what happens.
        stop: When set, by another thread or a signal, the running trials are left to go on next time.
        frame: A data frame's columns, to be kept where the config says the data are.

    Raises:
        HpoError: The input is wrong; nothing was written.
    """
    stop = stop or StopFlag()
    check_storage(config.storage_url)
    get_family(config.model.model)
    executor = make_executor(config.study.executor)
    files = files_of(config)
    told = Listeners([listener, LogFile(files.log)])
    with ExitStack() as opened:
        with _kept(frame, files):
            context = make_context(config)
            searcher = _searcher(context)
            _check_output(files)
            database = opened.enter_context(open_storage(config.storage_url))
            with _no_traceback(config):
                store, differences = open_store(database, config, files)
        _write_settings(context, command, told)
        n_finished = store.history.n_finished
        told.told(StudyStarted(experiment=config.experiment, n_trials=config.n_trials, n_finished=n_finished))
        for difference in differences:
            told.told(Said(f"{difference.kind}: {difference.text}"))
        coordinator = Coordinator(
            context=context,
            store=store,
            searcher=searcher,
            executor=executor,
            listener=told,
            stop=stop,
        )
        records = coordinator.run()
        interrupted = stop.is_set() and not coordinator.gave_up
        told.told(StudyEnded(n_finished=len(records), interrupted=interrupted))
        if records:
            from hpo.report.summary import write_summary  # matplotlib and scipy: not while a user waits

            _try_to("the summary", lambda: write_summary(files, records), told)
    return Study(files=files, records=tuple(records), interrupted=interrupted)


def plan_study(config: StudyConfig) -> Preview:
    """Size and cost what :func:`run_study` would do; nothing is written.

    Raises:
        HpoError: The input is wrong.
    """
    return make_preview(make_context(config))


@contextmanager
def _kept(frame: pa.Table | None, files: ExperimentFiles) -> Iterator[None]:
    """Keep a data frame in the study's folder; nothing is left of it if what follows is refused."""
    if frame is None:
        yield
        return
    new = [folder for folder in (files.folder, *files.folder.parents) if not folder.exists()]
    written = False
    try:
        try:
            written = keep(files.frame, frame)
        except OSError as error:
            raise ConfigError(
                f"cannot keep the data frame in {files.folder} ({error.strerror})", key="out"
            ) from error
        yield
    except BaseException:
        if written:
            files.frame.unlink()
        with suppress(OSError):  # it was not there, or holds more
            for folder in new:
                folder.rmdir()
        raise


def _searcher(context: StudyContext) -> Searcher:
    search = context.config.search
    settings = SearchSettings(
        plan=context.plan,
        direction=context.config.objective.direction,
        seed=context.config.study.seed,
        n_startup_trials=search.startup_trials,
        prune_warmup=search.prune_warmup if search.prune else None,
    )
    return make_searcher(search.sampler, settings)


@contextmanager
def _no_traceback(config: StudyConfig) -> Iterator[None]:
    """Turn a disk that is full from the start into an error of one line."""
    try:
        yield
    except Exception as error:
        if is_passing(error):
            raise StorageError(f"cannot write to {config.study.out}: is the disk full? ({error})") from error
        raise


def _write_settings(context: StudyContext, command: list[str], listener: Listener) -> None:
    """Config, manifest, and what the evidence needs; a full disk costs them, not the study."""
    config, files = context.config, context.files
    _try_to("the windows", lambda: write_windows(files, windows_of(context.folds)), listener)
    losses = "the references' losses"
    _try_to(losses, lambda: write_reference_losses(files, context.references), listener)
    _try_to("study.toml", lambda: write_bytes(files.study_toml, config.to_toml().encode()), listener)
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
        listener,
    )


def _try_to(what: str, write: Callable[[], object], listener: Listener) -> None:
    """Write something that the trials do not depend on."""
    try:
        write()
    except Exception as error:  # a bug in a plot must not cost the study its exit
        logger.debug("%s: not written", what, exc_info=True)
        again = "the same command, or `hpo summary`, writes it"
        listener.told(Said(f"{what}: not written ({error}); {again}"))


def _check_output(files: ExperimentFiles) -> None:
    """Refuse an output folder that cannot be written, before anything else is."""
    folder = files.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"out: cannot write to {folder} ({error.strerror})") from error
