"""Where every study stands."""

import statistics
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from hpo.errors import HpoError
from hpo.store.database import Database, load_records, load_study, open_existing, study_names
from hpo.store.layout import ExperimentFiles
from hpo.store.locks import is_locked
from hpo.store.results import stored_verdict
from hpo.study.config import StudyConfig, build_config, read_study_file
from hpo.trial.record import TrialRecord, rank, ranked_references
from hpo.trial.state import State


class StudyStatus(BaseModel):
    """One study.

    Attributes:
        experiment: Its name.
        complete: Trials that finished or stopped early.
        pruned: Trials that were ended, or could not be trained.
        failed: Trials that broke.
        running: Trials that a living process works on.
        interrupted: Trials that the next run takes up again.
        n_trials: The total asked for; None where the study's config is not there.
        best_value: The best value so far.
        best_trial: Its trial.
        skill: Of the best trial over the naive forecast.
        toughest: The reference with the best score so far; None before the first trial.
        toughest_value: Its score.
        verdict: As the last summary has it; None where there is none yet.
        seconds_a_trial: Median duration.
        seconds_left: At that rate, with one worker.
    """

    model_config = ConfigDict(frozen=True)

    experiment: str
    complete: int
    pruned: int
    failed: int
    running: int
    interrupted: int
    n_trials: int | None
    best_value: float | None
    best_trial: int | None
    skill: float | None
    toughest: str | None
    toughest_value: float | None
    verdict: dict[str, Any] | None
    seconds_a_trial: float | None
    seconds_left: float | None

    @property
    def finished(self) -> int:
        """Trials that ended, however."""
        return self.complete + self.pruned + self.failed


def read_status(storage_url: str, out: Path) -> list[StudyStatus]:
    """The status of every study in a storage; nothing is written.

    Raises:
        StorageError: There is no database.
    """
    with open_existing(storage_url) as database:
        return [_status(database, name, out) for name in study_names(database)]


def _status(database: Database, name: str, out: Path) -> StudyStatus:
    records = load_records(load_study(database, name))
    files = ExperimentFiles(out=out, experiment=name)
    count = {state: [r for r in records if r.state == state] for state in State}
    running = [r for r in count[State.RUNNING] if is_locked(files.trial_lock(r.trial_number))]
    ranked = rank(records)
    best: TrialRecord | None = ranked[0] if ranked else None
    durations = [r.duration_seconds for r in records if r.duration_seconds is not None]
    seconds = statistics.median(durations) if durations else None
    n_trials = _planned(files)
    references = ranked_references(best or records[-1]) if records else []
    n_finished = len(records) - len(count[State.RUNNING])
    left = None
    if n_trials is not None and seconds is not None:
        left = max(0, n_trials - n_finished) * seconds
    return StudyStatus(
        experiment=name,
        complete=len(count[State.COMPLETE]),
        pruned=len(count[State.PRUNED]),
        failed=len(count[State.FAIL]),
        running=len(running),
        interrupted=len(count[State.RUNNING]) - len(running),
        n_trials=n_trials,
        best_value=best.value if best else None,
        best_trial=best.trial_number if best else None,
        skill=best.naive.skill if best else None,
        toughest=references[0][0] if references else None,
        toughest_value=references[0][1] if references else None,
        verdict=stored_verdict(files),
        seconds_a_trial=seconds,
        seconds_left=left,
    )


def _planned(files: ExperimentFiles) -> int | None:
    """The total of the study's last run; None where its config is not there or is torn."""
    try:
        config: StudyConfig = build_config({}, read_study_file(files.study_toml))
    except HpoError:
        return None
    return config.n_trials
