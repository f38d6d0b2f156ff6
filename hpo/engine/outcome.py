"""From how a trial ended to its record: state, value, metrics, flags."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import mean, stdev
from typing import Any

import numpy as np

from hpo.engine.intent import LEAKS
from hpo.scoring.metrics import COLLAPSED_RANGE
from hpo.scoring.references import mean_metrics
from hpo.store.view import constraint_attrs
from hpo.trial.events import EpochResult, Failed, Finished, FoldResult
from hpo.trial.record import (
    ClassCounts,
    ConfusionMatrix,
    Epoch,
    Failure,
    FoldScore,
    Metrics,
    Resources,
    State,
    TrialRecord,
)

WORSE = "worse_than_naive"

_NEAR_DROPOUT = 0.08
_NEAR_RATIO = 1.25


def final_record(
    intent: TrialRecord,
    curve: Sequence[EpochResult],
    outcome: Finished | Failed,
    pruned: bool,
    earlier: Sequence[TrialRecord],
    seconds: float,
) -> TrialRecord:
    """The record of a trial that ended.

    Args:
        intent: What was written before it trained.
        curve: The epochs it reported.
        outcome: How it ended.
        pruned: Whether the pruner ended it.
        earlier: The finished trials, to find near-duplicates among.
        seconds: How long it took, by a clock that does not jump; without the time between attempts.
    """
    # The machine's clock may have been set back since.
    now = max(datetime.now(UTC), intent.datetime_start)
    changes: dict[str, Any] = {
        "learning_curve": [_epoch(row) for row in curve],
        "intermediate_values": {intent.training.step_of(row.fold, row.epoch): row.value for row in curve},
        "datetime_complete": now,
        "duration_seconds": seconds,
    }
    training: dict[str, Any] = {"epochs_run": len(curve)}
    if isinstance(outcome, Failed):
        changes |= _failed_fields(outcome, curve)
        training["stopped_because"] = outcome.kind
    else:
        changes |= _finished_fields(intent, curve, outcome, pruned)
        training["best_epoch"] = outcome.folds[-1].best_epoch
        training["stopped_because"] = "pruned" if pruned else outcome.stopped_because
    record = intent.model_copy(update={**changes, "training": intent.training.model_copy(update=training)})
    record = record.model_copy(update={"flags": _flags(record, earlier)})
    return record.model_copy(update=_attrs(record))


def _epoch(row: EpochResult) -> Epoch:
    fields = asdict(row)
    del fields["value"]  # it stands in intermediate_values
    return Epoch(**fields)


def _attrs(record: TrialRecord) -> dict[str, Any]:
    """What storage keeps of a trial that ended: what the dashboard shows, and its constraints."""
    a = record.architecture
    shown = {
        "param_count": a.param_count,
        "d_model": a.d_model,
        "n_layers": a.n_layers,
        "skill": record.naive.skill,
        "flags": record.flags,
        "failure": record.failure.message if record.failure else None,
        "constraints": record.constraints or None,
    }
    shown = {name: value for name, value in shown.items() if value not in (None, [])}
    return {
        "user_attrs": {**record.user_attrs, **shown},
        "system_attrs": {**record.system_attrs, **constraint_attrs(record.constraints)},
    }


def _naive_value(intent: TrialRecord, n_folds: int) -> float | None:
    """What the naive forecast scores on the folds that were trained on."""
    if intent.folds:
        return mean(fold.naive for fold in intent.folds[:n_folds])
    return intent.objective.score(intent.naive.metrics)


def _folds(intent: TrialRecord, results: Sequence[FoldResult]) -> list[FoldScore]:
    ended = [
        fold.model_copy(
            update={
                "value": result.best_value,
                "best_epoch": result.best_epoch,
                "epochs_run": len(result.curve),
            }
        )
        for fold, result in zip(intent.folds, results, strict=False)
    ]
    return [*ended, *intent.folds[len(ended) :]]


def _confusion(folds: Sequence[Mapping[str, Any] | None]) -> ConfusionMatrix | ClassCounts | None:
    """The counts of all folds together."""
    counts = [fold for fold in folds if fold is not None]
    if not counts:
        return None
    first = counts[0]
    if "class_names" not in first:
        return ConfusionMatrix(**{name: sum(fold[name] for fold in counts) for name in first})
    total = np.sum([fold["counts"] for fold in counts], axis=0)
    return ClassCounts(class_names=first["class_names"], counts=total.tolist())


def _failed_fields(outcome: Failed, curve: Sequence[EpochResult]) -> dict[str, Any]:
    """Divergence and out-of-memory are the config's outcome, for the sampler to learn; the rest are bugs."""
    infeasible = outcome.kind in ("diverged", "out of memory")
    state: State = "PRUNED" if infeasible or outcome.kind == "time limit" else "FAIL"
    return {
        "state": state,
        "value": curve[-1].value if state == "PRUNED" and curve else None,
        "constraints": {outcome.kind.replace(" ", "_"): 1.0} if infeasible else {},
        "failure": Failure(type=outcome.type, message=outcome.message, traceback=outcome.traceback),
    }


def _finished_fields(
    intent: TrialRecord, curve: Sequence[EpochResult], outcome: Finished, pruned: bool
) -> dict[str, Any]:
    # As in Optuna, the pruner leaves a trial its last value; one that ran out of time keeps its best.
    out_of_time = outcome.stopped_because == "time limit"
    values = [fold.best_value for fold in outcome.folds]
    value = curve[-1].value if pruned else mean(values)
    assert outcome.param_count == intent.architecture.param_count, (
        f"{intent.architecture.family}: planned {intent.architecture.param_count:,} parameters, "
        f"built {outcome.param_count:,}"
    )
    steps = sum(fold.steps for fold in outcome.folds)
    objective, best, naive = intent.objective, mean(values), _naive_value(intent, len(values))
    worse = naive is not None and objective.is_better(naive, than=best)
    return {
        "state": "PRUNED" if pruned or out_of_time else "COMPLETE",
        "value": value,
        "value_std": stdev(values) if len(values) > 1 else None,
        "metrics": Metrics(
            train=mean_metrics([fold.train_metrics for fold in outcome.folds]),
            val=mean_metrics([fold.val_metrics for fold in outcome.folds]),
        ),
        "naive": intent.naive.model_copy(
            update={"skill": None if naive is None else objective.skill(best, naive)}
        ),
        "flags": [*intent.flags, *([WORSE] if worse else [])],
        "confusion_matrix": _confusion([fold.confusion for fold in outcome.folds]),
        "folds": _folds(intent, outcome.folds),
        "resources": Resources(
            device=intent.resources.device,
            peak_memory_bytes=outcome.peak_memory_bytes,
            flops_per_step=outcome.flops_per_step,
            total_flops=outcome.flops_per_step * steps,
            steps=steps,
            samples_per_second=outcome.samples_per_second,
        ),
    }


def _flags(record: TrialRecord, earlier: Sequence[TrialRecord]) -> list[str]:
    flags = [flag for flag in record.flags if flag == LEAKS]
    if record.metrics and record.metrics.val.get("prediction_range", 1.0) < COLLAPSED_RANGE:
        flags.append("collapsed_predictions")
    if WORSE in record.flags:
        flags.append(WORSE)
    twin = next((other for other in earlier if _near(record, other)), None)
    if twin is not None:
        flags.append(f"near_duplicate_of {twin.trial_number}")
    return flags


def _near(record: TrialRecord, other: TrialRecord) -> bool:
    """Same architecture and training settings, but for a dropout within 0.08 and rates within 25 %."""
    a, b = record.training, other.training
    return (
        record.trial_number != other.trial_number
        and {**record.architecture.config, "dropout": 0} == {**other.architecture.config, "dropout": 0}
        and a.batch_size == b.batch_size
        and abs(a.dropout - b.dropout) <= _NEAR_DROPOUT
        and _close(a.learning_rate, b.learning_rate)
        and _close(a.weight_decay, b.weight_decay)
    )


def _close(a: float, b: float) -> bool:
    return a == b or (min(a, b) > 0 and max(a, b) / min(a, b) <= _NEAR_RATIO)
