"""A study in Python: what it found, and where everything of it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo.api.winner import BestTrial
from hpo.report.evidence import find_evidence
from hpo.store.layout import ExperimentFiles
from hpo.store.results import all_rows, stored_verdict
from hpo.trial.record import TrialRecord, rank


@dataclass(frozen=True, kw_only=True, repr=False)
class Study:
    """What a study found so far.

    Attributes:
        files: Where its files are.
        records: Its finished trials, by number.
        interrupted: Whether the run that gave it was told to stop; the same run again goes on.
    """

    files: ExperimentFiles
    records: tuple[TrialRecord, ...]
    interrupted: bool = False

    @property
    def experiment(self) -> str:
        """Its name."""
        return self.files.experiment

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self.files.folder

    @property
    def summary_path(self) -> Path:
        """The page to read, in Markdown; written when a run ends, if a trial finished."""
        return self.files.summary_md

    @property
    def best(self) -> BestTrial | None:
        """The best completed trial's record, which can forecast; None if no trial completed."""
        ranked = rank(list(self.records))
        return BestTrial.of(ranked[0], self.files) if ranked else None

    @property
    def verdict(self) -> dict[str, Any] | None:
        """Whether the best trial is better than the toughest reference, by how much and how surely.

        The keys are those of :class:`hpo.scoring.evidence.Verdict`; None where no trial completed, or where
        the study kept no losses a window, as those of older versions.
        """
        known = stored_verdict(self.files, len(self.records))
        if known is not None:
            return known
        evidence = find_evidence(self.files, self.records)
        return evidence.verdict.model_dump() if evidence else None

    @property
    def references(self) -> dict[str, dict[str, float]]:
        """Metrics of each reference forecast on the validation rows, by its name; empty without trials."""
        return dict(self.records[0].references) if self.records else {}

    @property
    def trials(self) -> pd.DataFrame:
        """A row for each finished trial, completed ones best first: the columns of the JSON of all trials."""
        return pd.DataFrame(all_rows(list(self.records)))

    def __repr__(self) -> str:
        best = self.best
        found = "none completed"
        if best is not None:
            found = f"best {best.objective.name} {best.value:.4g} (trial {best.trial_number})"
        return f"<hpo.Study {str(self.folder)!r}: {len(self.records)} trials, {found}>"
