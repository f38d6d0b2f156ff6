"""From how a trial ended to its record: state, value, metrics, flags."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import mean, stdev
from typing import Any

import numpy as np
from pydantic import ValidationError

from hpo.scoring.metrics import COLLAPSED_RANGE
from hpo.scoring.references import mean_metrics
from hpo.store.view import constraint_attrs
from hpo.trial.events import EpochResult, Failed, Finished, FoldResult
from hpo.trial.flags import COLLAPSED, WORSE_THAN_NAIVE, Flag
from hpo.trial.record import TrialRecord, explain
from hpo.trial.state import State

_NEAR_DROPOUT = 0.08
_NEAR_RATIO = 1.25


def final_record(
    intent: TrialRecord,
    curve: Sequence[EpochResult],
    outcome: Finished | Failed,
    pruned: bool,
    earlier: Iterable[TrialRecord],
    seconds: float,
) -> TrialRecord:
    """The record of a trial that ended; valid whatever the trial answered.

    A metric that is not finite is left out, and a flag says so. An answer that is no record otherwise, such
    as a value that is not a number, makes the trial a failed one that says what was wrong with it.

    Args:
        intent: What was written before it trained.
        curve: The epochs it reported.
        outcome: How it ended.
        pruned: Whether the pruner ended it.
        earlier: The finished trials, to find near-duplicates among.
        seconds: How long it took, by a clock that does not jump; without the time between attempts.
    """
    twin = next((other for other in earlier if _near(intent, other)), None)
    about = [] if twin is None else [Flag.near_duplicate_of(twin.trial_number)]
    try:
        return _ended(intent, curve, _fields_of(intent, curve, outcome, pruned), about, seconds)
    except ValidationError as error:
        invalid = Failed(
            kind="error",
            type="InvalidResult",
            message=f"what it answered is no record: {explain(error)}",
            traceback=None,
        )
        return _ended(intent, curve, _failed_fields(intent, curve, invalid), about, seconds)


def _ended(
    intent: TrialRecord,
    curve: Sequence[EpochResult],
    fields: dict[str, Any],
    about: Sequence[Flag],
    seconds: float,
) -> TrialRecord:
    """The intent with the fields of its end.

    Raises:
        ValidationError: They are no record.
    """
    steps = {intent.training.step_of(row.fold, row.epoch): row.value for row in curve}
    common = {
        "flags": [*intent.flags, *fields["flags"], *about],
        "learning_curve": [_epoch(row) for row in curve],
        "intermediate_values": {step: value for step, value in steps.items() if math.isfinite(value)},
        # The machine's clock may have been set back since.
        "datetime_complete": max(datetime.now(UTC), intent.datetime_start),
        "duration_seconds": seconds,
    }
    record = intent.updated(**{**fields, **common})
    return record.updated(**_attrs(record))


def _epoch(row: EpochResult) -> dict[str, Any]:
    fields = asdict(row)
    del fields["value"]  # it stands in intermediate_values
    for name in ("train_loss", "val_loss"):
        fields[name] = fields[name] if math.isfinite(fields[name]) else None
    return fields


def _attrs(record: TrialRecord) -> dict[str, Any]:
    """What storage keeps of a trial that ended: what the dashboard shows, and its constraints."""
    a = record.architecture
    shown = {
        "param_count": a.param_count,
        "d_model": a.d_model,
        "n_layers": a.n_layers,
        "skill": record.naive.skill,
        "flags": list(map(str, record.flags)),
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


def _folds(intent: TrialRecord, results: Sequence[FoldResult]) -> list[dict[str, Any]]:
    ended = [
        {
            **dict(fold),
            "value": result.best_value,
            "best_epoch": result.best_epoch,
            "epochs_run": len(result.curve),
        }
        for fold, result in zip(intent.folds, results, strict=False)
    ]
    return [*ended, *map(dict, intent.folds[len(ended) :])]


def _confusion(folds: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """The counts of all folds together."""
    counts = [fold for fold in folds if fold is not None]
    if not counts:
        return None
    first = counts[0]
    if "class_names" not in first:
        return {name: sum(fold[name] for fold in counts) for name in first}
    total = np.sum([fold["counts"] for fold in counts], axis=0)
    return {"class_names": first["class_names"], "counts": total.tolist()}


def _fields_of(
    intent: TrialRecord, curve: Sequence[EpochResult], outcome: Finished | Failed, pruned: bool
) -> dict[str, Any]:
    if isinstance(outcome, Failed):
        return _failed_fields(intent, curve, outcome)
    return _finished_fields(intent, curve, outcome, pruned)


def _failed_fields(intent: TrialRecord, curve: Sequence[EpochResult], outcome: Failed) -> dict[str, Any]:
    """Divergence and out-of-memory are the config's outcome, for the sampler to learn; the rest are bugs."""
    infeasible = outcome.kind in ("diverged", "out of memory")
    state = State.PRUNED if infeasible or outcome.kind == "time limit" else State.FAIL
    return {
        "state": state,
        "value": curve[-1].value if state == State.PRUNED and curve else None,
        "constraints": {outcome.kind.replace(" ", "_"): 1.0} if infeasible else {},
        "failure": {"type": outcome.type, "message": outcome.message, "traceback": outcome.traceback},
        "training": {
            **dict(intent.training),
            "epochs_run": len(curve),
            "stopped_because": outcome.kind,
        },
        "flags": [],
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
    train = mean_metrics([fold.train_metrics for fold in outcome.folds])
    val = mean_metrics([fold.val_metrics for fold in outcome.folds])
    return {
        "state": State.PRUNED if pruned or out_of_time else State.COMPLETE,
        "value": value,
        "value_std": stdev(values) if len(values) > 1 else None,
        "metrics": {"train": _finite(train), "val": _finite(val)},
        "naive": {**dict(intent.naive), "skill": None if naive is None else objective.skill(best, naive)},
        "flags": _flags(train, val, worse=naive is not None and objective.is_better(naive, than=best)),
        "confusion_matrix": _confusion([fold.confusion for fold in outcome.folds]),
        "folds": _folds(intent, outcome.folds),
        "training": {
            **dict(intent.training),
            "epochs_run": len(curve),
            "best_epoch": outcome.folds[-1].best_epoch,
            "stopped_because": "pruned" if pruned else outcome.stopped_because,
        },
        "resources": {
            "device": intent.resources.device,
            "peak_memory_bytes": outcome.peak_memory_bytes,
            "flops_per_step": outcome.flops_per_step,
            "total_flops": outcome.flops_per_step * steps,
            "steps": steps,
            "samples_per_second": outcome.samples_per_second,
        },
    }


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _flags(train: Mapping[str, float], val: Mapping[str, float], worse: bool) -> list[Flag]:
    flags = []
    if val.get("prediction_range", 1.0) < COLLAPSED_RANGE:
        flags.append(COLLAPSED)
    if worse:
        flags.append(WORSE_THAN_NAIVE)
    lost = [name for part in (train, val) for name, value in part.items() if not math.isfinite(value)]
    return [*flags, *map(Flag.not_finite, dict.fromkeys(lost))]


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
