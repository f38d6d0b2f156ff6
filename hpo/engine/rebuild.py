"""Storage from trial files and trial files from storage, for every experiment of an output folder."""

from collections.abc import Sequence
from pathlib import Path

from hpo.errors import StorageError, UnknownNameError
from hpo.store.audit import Difference, compare, mend
from hpo.store.database import Database, load_study, open_existing, open_storage, study_names
from hpo.store.layout import ExperimentFiles
from hpo.store.local import open_store
from hpo.store.locks import FileLock
from hpo.store.manifest import stored_rules
from hpo.store.sqlite import sqlite_file
from hpo.study.config import read_own_config
from hpo.study.settings import NAME_PATTERN
from hpo.system.files import remove_leftovers


def audit(out: Path, storage_url: str, experiment: str | None = None) -> dict[str, list[Difference]]:
    """What differs between the trial files and the storage of each experiment; nothing is changed.

    Raises:
        HpoError: There is no such experiment, or the database cannot be read.
    """
    if not _is_there(storage_url):
        names = _chosen(_on_disk(out), experiment)
        return {name: compare(None, ExperimentFiles(out=out, experiment=name)) for name in names}
    with open_existing(storage_url) as database:
        stored = study_names(database)
        return {
            name: compare(
                load_study(database, name) if name in stored else None,
                ExperimentFiles(out=out, experiment=name),
            )
            for name in _chosen([*stored, *_on_disk(out)], experiment)
        }


def rebuild(out: Path, storage_url: str, experiment: str | None = None) -> dict[str, list[Difference]]:
    """Bring trial files and storage together, each from the other.

    Returns:
        What differed, by experiment; all is mended but for what is of kind "disagree".

    Raises:
        HpoError: There is no such experiment, its study.toml is gone, or the database cannot be opened.
    """
    on_disk = _on_disk(out)
    if not on_disk and not _is_there(storage_url):
        raise StorageError(f"no trial files in {out} and no study database at {storage_url}")
    with open_storage(storage_url) as database:
        names = _chosen([*study_names(database), *on_disk], experiment)
        return {name: _rebuild(database, ExperimentFiles(out=out, experiment=name)) for name in names}


def _rebuild(database: Database, files: ExperimentFiles) -> list[Difference]:
    if files.experiment not in study_names(database):
        if not files.study_toml.exists():
            raise StorageError(
                f"{files.study_toml} is gone: the study's own command, run again, takes in the trial files"
            )
        # The folder may have been moved since: where it is now counts.
        place = {"out": files.out, "experiment": files.experiment, "storage": database.url}
        config = read_own_config(files.folder, **place)
        return open_store(database, config, files, rules=stored_rules(files))[1]
    study = load_study(database, files.experiment)
    with FileLock(files.claim_lock):
        remove_leftovers(files.folder)
        differences = compare(study, files)
        mend(study, files, differences)
    return differences


def _on_disk(out: Path) -> list[str]:
    """Experiments with trial files."""
    folders = out.iterdir() if out.is_dir() else iter(())
    return [f.name for f in folders if (f / "trials").is_dir() and NAME_PATTERN.fullmatch(f.name)]


def _chosen(names: Sequence[str], experiment: str | None) -> list[str]:
    if experiment is not None and experiment not in names:
        raise UnknownNameError("experiment", experiment, names)
    return [experiment] if experiment is not None else sorted(set(names))


def _is_there(storage_url: str) -> bool:
    path = sqlite_file(storage_url)
    return path is None or path.is_file()
