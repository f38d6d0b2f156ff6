"""The files that show a study's results while it runs: the best trials, and a row for each trial."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpo.store.layout import ExperimentFiles
from hpo.system.counts import format_budget
from hpo.system.files import write_json
from hpo.trial.record import TrialRecord, rank


def write_results(
    files: ExperimentFiles, budgets: Sequence[int], records: list[TrialRecord], rows: bool
) -> None:
    """Rewrite the best trial's record, and each budget's where there are several; drop all other weights.

    Args:
        files: Where the experiment's files are.
        budgets: Its parameter budgets.
        records: Its finished trials.
        rows: Whether to rewrite the compact rows of all trials too, which takes longer the more there are.
    """
    ranked = rank(records)
    if rows:
        rest = [record for record in records if record.state != "COMPLETE"]
        write_json(files.all_trials, [compact_row(record) for record in ranked + rest])
    if not ranked:
        return
    write_json(files.best(), ranked[0].model_dump(mode="json"))
    if len(budgets) > 1:
        for budget in budgets:
            best = next((r for r in ranked if r.architecture.parameter_budget == budget), None)
            if best is not None:
                write_json(files.best(format_budget(budget)), best.model_dump(mode="json"))
    _drop_weights(files, [r.trial_number for r in records if r.trial_number != ranked[0].trial_number])


def _drop_weights(files: ExperimentFiles, numbers: Sequence[int]) -> None:
    """Of the finished trials only the best keeps its weights; a running one's may yet become the best."""
    for number in numbers:
        drop(files.weights(number))


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
