"""An experiment's summary written again, from storage or from its trial files alone."""

import logging
from pathlib import Path

from hpo.errors import StorageError
from hpo.report.summary import write_summary
from hpo.store.database import load_records, load_study, open_existing
from hpo.store.layout import ExperimentFiles
from hpo.store.records import read_records

logger = logging.getLogger(__name__)


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
        with open_existing(storage_url) as database:
            records = load_records(load_study(database, experiment))
    finished = [record for record in records if record.state.is_finished]
    if not finished:
        raise StorageError(f"experiment {experiment} has no finished trial to sum up")
    return write_summary(files, finished)
