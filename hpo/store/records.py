"""Trial records as files: one JSON a trial."""

from pathlib import Path

from pydantic import ValidationError

from hpo.errors import StorageError
from hpo.store.layout import ExperimentFiles
from hpo.system.files import read_json, write_json
from hpo.trial.record import TrialRecord, explain


def write_record(files: ExperimentFiles, record: TrialRecord) -> None:
    """Write one trial's record, whole or not at all."""
    write_json(files.trial(record.trial_number), record.model_dump(mode="json"))


def read_record(path: Path) -> TrialRecord:
    """Read one trial's record.

    Raises:
        StorageError: The file is torn, not JSON, or not a trial's record; the message names it.
    """
    try:
        return TrialRecord.model_validate(read_json(path))
    except ValidationError as error:
        raise StorageError(f"{path}: not a trial's record: {explain(error)}") from error


def read_records(files: ExperimentFiles) -> tuple[list[TrialRecord], list[StorageError]]:
    """Read all records of an experiment, in order of trial number.

    Returns:
        The good records, and one error for each file that is not one.
    """
    records, errors = [], []
    for path in sorted(files.trials.glob("trial_*.json")):
        try:
            records.append(read_record(path))
        except StorageError as error:
            errors.append(error)
    return sorted(records, key=lambda record: record.trial_number), errors
