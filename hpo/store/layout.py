"""Where the files of an experiment are."""

from dataclasses import dataclass
from pathlib import Path

from hpo.study.data_settings import FRAME

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
"""What the weights need to forecast from raw rows."""
CHECKPOINT = "resume.safetensors"
"""What a trial under way goes on from, beside its weights."""


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
    def frame(self) -> Path:
        """The data frame of a study that was given one in Python."""
        return self.folder / FRAME

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

    @property
    def windows(self) -> Path:
        """What the validation windows are (``hpo/store/windows.py``)."""
        return self.folder / "windows" / "windows.npz"

    @property
    def reference_losses(self) -> Path:
        """The references' losses a validation window."""
        return self.windows.with_name("references.npz")

    def losses(self, number: int) -> Path:
        """A completed trial's losses a validation window."""
        return self.windows.with_name(f"trial_{number:04d}.npy")

    def weights(self, number: int) -> Path:
        """The best weights of one trial, in a folder that can forecast (``hpo/learn/folder.py``)."""
        return self.folder / "checkpoints" / f"trial_{number:04d}" / WEIGHTS

    def bundle(self, number: int) -> Path:
        """What those weights need to forecast from raw rows."""
        return self.weights(number).with_name(CONFIG)

    @property
    def export(self) -> Path:
        """Where `hpo export` writes the winner, unless it is told another folder."""
        return self.folder / "export"

    def checkpoint(self, number: int) -> Path:
        """Where an unfinished trial goes on from."""
        return self.folder / "checkpoints" / f"trial_{number:04d}" / CHECKPOINT

    def best(self, budget: str | None = None) -> Path:
        """The best trial's record: of the whole study, or of one budget."""
        middle = f"_{budget}" if budget else ""
        return self.folder / f"{self.experiment}{middle}_best.json"
