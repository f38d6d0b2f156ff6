"""An experiment's trial files and its storage, held against each other and brought together.

One piece of code for the start of a run, ``hpo rebuild`` and ``hpo audit``. A trial that a living process
works on is left alone. Nothing is ever deleted: what cannot be read, or belongs elsewhere, is moved to
``quarantine/``; where both sides hold a finished trial and differ, it is said and neither is touched.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hpo.errors import StorageError
from hpo.store.database import StoredStudy
from hpo.store.layout import ExperimentFiles
from hpo.store.locks import is_locked
from hpo.store.records import read_record, write_record
from hpo.store.view import StoredTrial
from hpo.store.windows import read_losses, read_windows
from hpo.system.files import move_to_quarantine
from hpo.trial.record import TrialRecord
from hpo.trial.state import State

logger = logging.getLogger(__name__)

Kind = Literal["quarantine", "tell storage", "write file", "rerun", "disagree"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing on which an experiment's files and its storage are not at one.

    Attributes:
        kind: What mends it: "rerun" is that command's, "disagree" needs a person.
        trial_number: Whose it is; None for a file that names no trial.
        text: What is different.
        record: What is missing on the other side.
        path: The file to move away.
    """

    kind: Kind
    trial_number: int | None
    text: str
    record: TrialRecord | None = None
    path: Path | None = None

    @property
    def stays(self) -> bool:
        """Whether :func:`mend` leaves it to a person."""
        return self.kind in ("rerun", "disagree")


def compare(study: StoredStudy | None, files: ExperimentFiles) -> list[Difference]:
    """Hold all trial files against storage; nothing is changed.

    Args:
        study: The experiment in storage; None where storage does not know it.
        files: Its files.
    """
    stored = {trial.number: trial for trial in study.trials()} if study else {}
    found, records = [], {}
    for path in sorted(files.trials.glob("*.json")):
        try:
            records[_number_of(path, files)] = read_trial(path, files)
        except StorageError as error:
            found.append(Difference(kind="quarantine", trial_number=None, text=str(error), path=path))
    for number in sorted(stored.keys() | records.keys()):
        if not is_locked(files.trial_lock(number)):
            found += _compare_trial(files, number, records.get(number), stored.get(number))
    return found + _forced_twice(stored.values()) + _lost_losses(files, records)


def compare_trial(files: ExperimentFiles, trial: StoredTrial) -> list[Difference]:
    """Hold one trial's file against storage; the caller holds its lock."""
    path = files.trial(trial.number)
    if not path.exists():
        return []
    try:
        record = read_trial(path, files)
    except StorageError as error:
        return [Difference(kind="quarantine", trial_number=trial.number, text=str(error), path=path)]
    return _compare_trial(files, trial.number, record, trial)


def mend(study: StoredStudy, files: ExperimentFiles, differences: Sequence[Difference]) -> None:
    """Bring files and storage together; the caller holds the experiment's claim lock.

    Args:
        study: The experiment in storage.
        files: Its files.
        differences: What :func:`compare` found.
    """
    for difference in differences:
        logger.info("%s: %s", difference.kind, difference.text)
        record = difference.record
        if difference.kind == "quarantine" and difference.path is not None:
            move_to_quarantine(files.quarantine, difference.path)
        elif difference.kind == "write file" and record is not None:
            write_record(files, record)
        elif difference.kind == "tell storage" and record is not None:
            # Numbers are given in order. One that neither side knows anything of stays free, to run again.
            for _ in range(study.n_trials, record.trial_number):
                study.add_waiting()
            study.put(record)


def _number_of(path: Path, files: ExperimentFiles) -> int:
    digits = path.stem.removeprefix("trial_")
    if not (digits.isascii() and digits.isdigit() and path == files.trial(int(digits))):
        raise StorageError(f"{path}: not the name of a trial's record")
    return int(digits)


def read_trial(path: Path, files: ExperimentFiles) -> TrialRecord:
    """The record in a trial file; an error if the file is torn or is another trial's."""
    record = read_record(path)
    if record.experiment != files.experiment or path != files.trial(record.trial_number):
        raise StorageError(
            f"{path}: the record of trial {record.trial_number} of {record.experiment}, which is another"
        )
    if record.params.keys() != record.distributions.keys():
        raise StorageError(f"{path}: params and distributions do not match")
    return record


def _compare_trial(
    files: ExperimentFiles, number: int, record: TrialRecord | None, trial: StoredTrial | None
) -> list[Difference]:
    try:
        kept = trial.record() if trial is not None else None
    except StorageError as error:
        return [Difference(kind="disagree", trial_number=number, text=str(error))]
    if record is not None and trial is None:
        text = f"trial {number} ({record.state}) is on disk and not in storage"
        return [Difference(kind="tell storage", trial_number=number, text=text, record=record)]
    if trial is None:
        return []
    if record is None:
        if kept is None:
            return _unmade(number, trial)
        text = f"trial {number} ({kept.state}) is in storage and has no file"
        return [Difference(kind="write file", trial_number=number, text=text, record=kept)]
    finished = record.state.is_finished
    if not trial.is_finished:
        if any(record.params.get(name) != value for name, value in trial.params.items()):
            text = f"trial {number} has other params in its file than in storage, where it is still open"
            return [Difference(kind="quarantine", trial_number=number, text=text, path=files.trial(number))]
        if finished:
            text = f"trial {number} ended ({record.state}) and storage was not told"
            return [Difference(kind="tell storage", trial_number=number, text=text, record=record)]
        return []
    if kept is None:
        return _unmade(number, trial)
    if not finished:
        text = f"trial {number} ended ({kept.state}) in storage and is unfinished on disk"
        return [Difference(kind="write file", trial_number=number, text=text, record=kept)]
    fields = _differing(record, kept)
    if not fields:
        return []
    text = f"trial {number} differs between its file and storage in {', '.join(fields)}"
    return [Difference(kind="disagree", trial_number=number, text=text)]


def _unmade(number: int, trial: StoredTrial) -> list[Difference]:
    """A trial without a record: fine while it is open, else not of this program's making."""
    if not trial.is_finished:
        return []
    text = f"trial {number} in storage was not made by hpo"
    return [Difference(kind="disagree", trial_number=number, text=text)]


def _differing(record: TrialRecord, kept: TrialRecord) -> list[str]:
    """Fields in which two records differ; storage may hold more attributes, of the dashboard's."""
    fields = []
    for name in TrialRecord.model_fields:
        ours, theirs = getattr(record, name), getattr(kept, name)
        if name in ("user_attrs", "system_attrs"):
            theirs = _restricted(theirs, ours)
        if ours != theirs:
            fields.append(name)
    return fields


def _restricted(attrs: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: attrs[key] for key in keys if key in attrs}


def _lost_losses(files: ExperimentFiles, records: Mapping[int, TrialRecord]) -> list[Difference]:
    """Completed trials whose losses a window are gone or torn; older versions kept none of any."""
    try:
        n_windows = len(read_windows(files))
    except StorageError:
        return []
    done = [number for number, record in sorted(records.items()) if record.state == State.COMPLETE]
    known = read_losses(files, done, n_windows)
    return [
        Difference(
            kind="rerun",
            trial_number=number,
            text=f"trial {number} has no losses a window: `hpo rerun {files.trial(number)}` writes them",
        )
        for number in done
        if number not in known
    ]


def _forced_twice(trials: Iterable[StoredTrial]) -> list[Difference]:
    first: dict[str, int] = {}
    found = []
    for trial in trials:
        origin = trial.origin
        if not origin.is_forced:
            continue
        if origin in first:
            text = f"trials {first[origin]} and {trial.number} are both {origin}"
            found.append(Difference(kind="disagree", trial_number=trial.number, text=text))
        first.setdefault(origin, trial.number)
    return found
