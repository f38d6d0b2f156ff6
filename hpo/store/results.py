"""The files that show a study's results while it runs: the best trials, and a row for each trial."""

import contextlib
from pathlib import Path
from typing import Any

from hpo.store.layout import ExperimentFiles
from hpo.system.counts import format_budget
from hpo.system.files import write_json
from hpo.trial.record import TrialRecord, rank


def write_rows(files: ExperimentFiles, finished: list[TrialRecord]) -> None:
    """Rewrite the compact rows of all finished trials: completed ones best first, then the others."""
    rest = [record for record in finished if record.state != "COMPLETE"]
    write_json(files.all_trials, [compact_row(record) for record in rank(finished) + rest])


def write_best(files: ExperimentFiles, best: TrialRecord, budget: int | None = None) -> None:
    """Rewrite the best trial's record: of the whole study, or of one parameter budget."""
    path = files.best(None if budget is None else format_budget(budget))
    write_json(path, best.model_dump(mode="json"))


def drop(path: Path) -> None:
    """Remove a file that is needed no more, and its folder if that is empty now."""
    if path.parent.is_dir():
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def compact_row(record: TrialRecord) -> dict[str, Any]:
    """One row of ``<experiment>_all_trials.json``."""
    a, t = record.architecture, record.training
    return {
        "trial_number": record.trial_number,
        "state": record.state,
        "value": record.value,
        "skill": record.naive.skill,
        "origin": record.origin,
        "parameter_budget": a.parameter_budget,
        "param_count": a.param_count,
        "budget_deviation": a.budget_deviation,
        "family": a.family,
        "d_model": a.d_model,
        "n_layers": a.n_layers,
        "n_heads": a.n_heads,
        "learning_rate": t.learning_rate,
        "weight_decay": t.weight_decay,
        "dropout": t.dropout,
        "batch_size": t.batch_size,
        "normalisation": t.normalisation,
        "epochs_run": t.epochs_run,
        "duration_seconds": record.duration_seconds,
        "flags": record.flags,
    }
