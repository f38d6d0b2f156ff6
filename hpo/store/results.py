"""The files that show a study's results while it runs: the best trials, and a row for each trial."""

import contextlib
from pathlib import Path
from typing import Any

from hpo.errors import StorageError
from hpo.store.layout import ExperimentFiles
from hpo.system.counts import format_budget
from hpo.system.files import read_json, write_json
from hpo.trial.columns import row_values
from hpo.trial.record import TrialRecord, rank
from hpo.trial.state import State


def write_rows(files: ExperimentFiles, finished: list[TrialRecord]) -> None:
    """Rewrite the rows of all finished trials: completed ones best first, then the others."""
    write_json(files.all_trials, all_rows(finished))


def all_rows(finished: list[TrialRecord]) -> list[dict[str, Any]]:
    """The rows of finished trials: completed ones best first, then the others."""
    rest = [record for record in finished if record.state != State.COMPLETE]
    return [row_values(record) for record in rank(finished) + rest]


def write_best(files: ExperimentFiles, best: TrialRecord, budget: int | None = None) -> None:
    """Rewrite the best trial's record: of the whole study, or of one parameter budget."""
    path = files.best(None if budget is None else format_budget(budget))
    write_json(path, best.model_dump(mode="json"))


def drop_kept(files: ExperimentFiles, number: int) -> None:
    """Remove a trial's weights and what they forecast with."""
    drop(files.bundle(number))
    drop(files.weights(number))


def drop(path: Path) -> None:
    """Remove a file that is needed no more, and its folder if that is empty now."""
    if path.parent.is_dir():
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def stored_verdict(files: ExperimentFiles, n_trials: int | None = None) -> dict[str, Any] | None:
    """The verdict as the last summary has it; None where there is none.

    Args:
        files: Of the experiment.
        n_trials: Of so many trials it must be.
    """
    try:
        summary = read_json(files.summary_json)
        found, trials = summary.get("verdict"), summary["overview"]["trials"]
    except (StorageError, AttributeError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) and n_trials in (None, trials) else None
