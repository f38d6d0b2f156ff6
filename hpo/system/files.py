"""Where an experiment's files are, and how they are written so that a crash cannot tear them."""

import contextlib
import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from hpo.errors import StorageError

MAX_JSON_BYTES = 50_000_000
"""A record of 100,000 epochs has 20 MB."""


@dataclass(frozen=True)
class ExperimentFiles:
    """The files of one experiment.

    Attributes:
        out: The output folder, shared by all experiments.
        experiment: The experiment's name, already validated.
    """

    out: Path
    experiment: str

    @property
    def folder(self) -> Path:
        """The experiment's own folder."""
        return self.out / self.experiment

    @property
    def trials(self) -> Path:
        """One JSON a trial."""
        return self.folder / "trials"

    @property
    def plots(self) -> Path:
        """The summary's pictures."""
        return self.folder / "plots"

    @property
    def locks(self) -> Path:
        """Locks held by living processes; empty files, safe to delete when nothing runs."""
        return self.folder / "locks"

    @property
    def quarantine(self) -> Path:
        """Torn or foreign files found among the trials."""
        return self.folder / "quarantine"

    @property
    def study_toml(self) -> Path:
        """The resolved config."""
        return self.folder / "study.toml"

    @property
    def manifest(self) -> Path:
        """Versions, commit, data hash, hardware, seeds, command line."""
        return self.folder / "manifest.json"

    @property
    def log(self) -> Path:
        """What happened, one line an event."""
        return self.folder / "hpo.log"

    @property
    def stop(self) -> Path:
        """Its presence asks the run to stop after the current epoch."""
        return self.folder / "STOP"

    @property
    def all_trials(self) -> Path:
        """Compact rows, best first."""
        return self.folder / f"{self.experiment}_all_trials.json"

    @property
    def summary_json(self) -> Path:
        """The study's summary for programs."""
        return self.folder / f"{self.experiment}_study_summary.json"

    @property
    def summary_md(self) -> Path:
        """The study's summary for people."""
        return self.folder / f"{self.experiment}_study_summary.md"

    def trial(self, number: int) -> Path:
        """The record of one trial."""
        return self.trials / f"trial_{number:04d}.json"

    def trial_lock(self, number: int) -> Path:
        """Held by the process that runs the trial."""
        return self.locks / f"trial_{number:04d}"

    @property
    def claim_lock(self) -> Path:
        """Held while a trial is claimed, and while files and storage are brought together."""
        return self.locks / "claim"

    @property
    def results_lock(self) -> Path:
        """Held while results and summary are written, so that the last one written is the newest."""
        return self.locks / "results"

    def weights(self, number: int) -> Path:
        """The best weights of one trial."""
        return self.folder / "checkpoints" / f"trial_{number:04d}" / "best.safetensors"

    def checkpoint(self, number: int) -> Path:
        """Where an unfinished trial goes on from."""
        return self.folder / "checkpoints" / f"trial_{number:04d}" / "resume.safetensors"

    def best(self, budget: str | None = None) -> Path:
        """The best trial's record: of the whole study, or of one budget."""
        middle = f"_{budget}" if budget else ""
        return self.folder / f"{self.experiment}{middle}_best.json"


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file whole or not at all.

    The data go to a temporary file beside the target, are flushed to the disk, and take the
    target's name in one step; whoever reads sees the old file or the new one.

    Args:
        path: The file to replace; its folder is made if it is missing.
        data: The new content.

    Raises:
        OSError: The disk is full or read-only; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def move_to_quarantine(quarantine: Path, path: Path) -> Path:
    """Move a torn or foreign file out of the way, under a name that is free; returns where it is now."""
    quarantine.mkdir(parents=True, exist_ok=True)
    names = (f"{path.name}{f'.{i}' if i else ''}" for i in itertools.count())
    target = next(quarantine / name for name in names if not (quarantine / name).exists())
    return path.rename(target)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; a living writer's stay."""
    for path in folder.rglob(".*.tmp"):
        writer = path.name.removesuffix(".tmp").rpartition(".")[2]
        if writer.isascii() and writer.isdigit() and not psutil.pid_exists(int(writer)):
            path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN, no infinity), UTF-8, whole or not at all.

    Raises:
        ValueError: The value holds a number that JSON has no word for.
        OSError: The disk is full or read-only; the old file is untouched.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1)
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StorageError: The file is missing, torn, huge or not JSON; the message names it.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise StorageError(f"{path}: larger than any file of ours ({path.stat().st_size:,} bytes)")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{path}: cannot be read as JSON ({error})") from error
