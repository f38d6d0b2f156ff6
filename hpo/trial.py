"""From a trial's point in the space to the job a child trains, and from its outcome to its record."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from hpo.config import StudyConfig
from hpo.data.base import ForecastData
from hpo.hardware import n_cores, precision_of
from hpo.losses import LossSettings, constant_output, default_loss
from hpo.memory import MemoryNeed, available_bytes, fit_micro_batch, memory_need
from hpo.metrics import COLLAPSED_RANGE, objective_metric
from hpo.plan import Plan, TrialSpec
from hpo.records import (
    Architecture,
    ClassCounts,
    Code,
    ConfusionMatrix,
    DataSource,
    Epoch,
    Failure,
    Metrics,
    Naive,
    Objective,
    Part,
    Resources,
    State,
    Training,
    TrialRecord,
)
from hpo.references import References, skill
from hpo.space import trial_seed
from hpo.stored import ORIGIN, FrozenTrial, constraint_attrs, stored_fields, to_utc
from hpo.train import EpochResult, TrainSettings
from hpo.worker import Failed, Finished, Job

DIRECTION: Literal["minimize"] = "minimize"

_NEAR_DROPOUT = 0.08
_NEAR_RATIO = 1.25


@dataclass(frozen=True, kw_only=True)
class StudyContext:
    """What all trials of a study share.

    Attributes:
        config: The study's settings.
        plan: Its search space and forced configs.
        data: Its data, split and scaled.
        device: Resolved: "cpu" or "cuda".
        references: The reference forecasts and their validation metrics.
        code: The code that runs.
        parts: The split, for the records.
    """

    config: StudyConfig
    plan: Plan
    data: ForecastData
    device: str
    references: References
    code: Code
    parts: dict[str, Part]

    @property
    def source(self) -> DataSource:
        """Which data the trials see."""
        return DataSource(name=self.data.name, sha256=self.data.table.sha256)

    @property
    def loss(self) -> LossSettings:
        """The training loss."""
        return loss_of(self.config, self.data.table.task)

    @property
    def threads(self) -> int:
        """CPU threads of a new trial."""
        return self.config.study.threads or max(1, n_cores() // self.config.study.workers)


def loss_of(config: StudyConfig, task: str) -> LossSettings:
    """The training loss of a study."""
    training = config.training
    return LossSettings(
        name=training.loss or default_loss(task),
        focal_gamma=training.focal_gamma,
        focal_alpha=training.focal_alpha,
        huber_delta=training.huber_delta,
        positive_weight=training.positive_weight,
    )


def split_parts(data: ForecastData) -> dict[str, Part]:
    """Rows, windows and dates of each part."""
    stamps = data.table.timestamps
    parts = {}
    for name, ends in (("train", data.splits.train), ("val", data.splits.val), ("test", data.splits.test)):
        ranges = data.splits.rows[name]
        parts[name] = Part(
            rows=sum(stop - start for start, stop in ranges),
            windows=len(ends),
            start=str(stamps[ranges[0][0]].astype("datetime64[s]")),
            end=str(stamps[ranges[-1][1] - 1].astype("datetime64[s]")),
        )
    return parts


def intent_record(
    context: StudyContext,
    trial: FrozenTrial,
    study_name: str,
    previous: TrialRecord | None,
) -> TrialRecord:
    """The record written before a trial trains.

    Args:
        context: What all trials share.
        trial: The trial as stored.
        study_name: The study it belongs to.
        previous: The record of an earlier attempt that was interrupted; its threads and micro-batch
            stay, because they change the numbers.
    """
    origin = str(trial.user_attrs[ORIGIN])
    spec = context.plan.resolve(trial.params, origin)
    config = context.config
    assert trial.datetime_start is not None
    references = context.references
    return TrialRecord(
        experiment=config.experiment,
        study_name=study_name,
        objective=Objective(name=config.search.objective, direction=DIRECTION),
        origin=origin,
        architecture=_architecture(context, spec),
        training=Training(
            learning_rate=spec.learning_rate,
            weight_decay=spec.weight_decay,
            dropout=spec.model.dropout,
            batch_size=spec.batch_size,
            micro_batch=previous.training.micro_batch if previous else max(1, micro_batch_of(context, spec)),
            normalisation=spec.model.normalisation,
            loss=context.loss.name,
            epochs_planned=config.training.epochs,
            epochs_run=0,
            best_epoch=None,
            stopped_because=None,
            precision=previous.training.precision if previous else precision_of(context.device),
            threads=previous.training.threads if previous else context.threads,
        ),
        seed=trial_seed(config.study.seed, trial.number),
        datetime_start=to_utc(trial.datetime_start),
        datetime_complete=None,
        duration_seconds=None,
        resumed=previous.resumed + 1 if previous else 0,
        learning_curve=[],
        metrics=None,
        naive=Naive(name=references.naive, metrics=references.metrics[references.naive], skill=None),
        references=references.metrics,
        confusion_matrix=None,
        split=context.parts,
        flags=[LEAKS] if context.data.splits.leaks else [],
        resources=Resources(
            device=context.device,
            peak_memory_bytes=None,
            flops_per_step=None,
            total_flops=None,
            steps=0,
            samples_per_second=None,
        ),
        failure=None,
        data=context.source,
        code=context.code,
        **stored_fields(trial),
    )


def micro_batch_of(context: StudyContext, spec: TrialSpec) -> int:
    """Windows held at once: the user's limit or the whole batch, or fewer where memory is short.

    0 if not even one window fits.
    """
    wanted = min(spec.batch_size, context.config.training.micro_batch or spec.batch_size)
    return fit_micro_batch(memory_of(context, spec), wanted, _available(context))


def refused(context: StudyContext, record: TrialRecord) -> Failed | None:
    """The outcome of a trial that this machine cannot hold, before anything is allocated; None if it can."""
    spec = context.plan.resolve(record.params, record.origin)
    if micro_batch_of(context, spec) > 0:
        return None
    need = memory_of(context, spec)
    return Failed(
        kind="out of memory",
        type="MemoryError",
        message=(
            f"a micro-batch of 1 would take about {need.at(1) / 1e9:.1f} GB, of which "
            f"{need.state_bytes / 1e9:.1f} GB are weights, gradients and moments, and "
            f"{_available(context) / 1e9:.1f} GB are free for a trial"
        ),
        traceback=None,
    )


def _available(context: StudyContext) -> int:
    return available_bytes(context.device) // context.config.study.workers


def memory_of(context: StudyContext, spec: TrialSpec) -> MemoryNeed:
    """What a trial would take."""
    data = context.data
    return memory_need(
        context.plan.family,
        spec.model,
        context.plan.shape,
        param_count=spec.param_count,
        precision=precision_of(context.device),
        epochs=context.config.training.epochs,
        data_bytes=data.features.nbytes + data.target_values.nbytes,
    )


def _architecture(context: StudyContext, spec: TrialSpec) -> Architecture:
    model = spec.model
    return Architecture(
        family=context.plan.family.name,
        d_model=model.d_model,
        n_layers=model.n_layers,
        n_heads=getattr(model, "n_heads", None),
        d_ff=getattr(model, "d_ff", None),
        param_count=spec.param_count,
        parameter_budget=spec.budget,
        budget_deviation=spec.deviation,
        canonical=spec.canonical,
        config=asdict(model),
    )


def make_job(context: StudyContext, record: TrialRecord, beats: float) -> Job:
    """The job of a trial, from its intent record."""
    config, data = context.config, context.data
    spec = context.plan.resolve(record.params, record.origin)
    return Job(
        family=context.plan.family.name,
        model=spec.model,
        shape=context.plan.shape,
        task=data.table.task,
        features=data.features,
        targets=data.target_values,
        target_offsets=data.table.target_offsets,
        scorer=context.references.scorer,
        offset=constant_output(data.table.task, data.targets_at(data.splits.train), data.n_outputs),
        train_ends=data.splits.train,
        val_ends=data.splits.val,
        loss=context.loss,
        settings=TrainSettings(
            learning_rate=record.training.learning_rate,
            weight_decay=record.training.weight_decay,
            batch_size=record.training.batch_size,
            micro_batch=record.training.micro_batch,
            epochs=record.training.epochs_planned,
            patience=config.training.patience,
            min_delta=config.training.min_delta,
            clip_norm=config.training.clip_norm,
            precision=record.training.precision,
            seed=record.seed,
        ),
        seed=record.seed,
        device=context.device,
        threads=record.training.threads,
        weights=config.files.weights(record.trial_number),
        beats=beats,
        checkpoint=config.files.checkpoint(record.trial_number),
        quarantine=config.files.quarantine,
        checkpoint_seconds=config.study.checkpoint_seconds,
        max_seconds=config.study.trial_timeout_seconds,
    )


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
        "learning_curve": [Epoch(**asdict(row)) for row in curve],
        "intermediate_values": {row.epoch: row.val_loss for row in curve},
        "datetime_complete": now,
        "duration_seconds": seconds,
    }
    training: dict[str, Any] = {"epochs_run": len(curve)}
    if isinstance(outcome, Failed):
        changes |= _failed_fields(outcome, curve)
        training["stopped_because"] = outcome.kind
    else:
        changes |= _finished_fields(intent, curve, outcome, pruned)
        training["best_epoch"] = outcome.best_epoch
        training["stopped_because"] = "pruned" if pruned else outcome.stopped_because
    record = intent.model_copy(update={**changes, "training": intent.training.model_copy(update=training)})
    record = record.model_copy(update={"flags": _flags(record, earlier)})
    return record.model_copy(update=_attrs(record))


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


def _confusion(counts: dict[str, Any] | None) -> ConfusionMatrix | ClassCounts | None:
    if counts is None:
        return None
    return ClassCounts(**counts) if "class_names" in counts else ConfusionMatrix(**counts)


def _failed_fields(outcome: Failed, curve: Sequence[EpochResult]) -> dict[str, Any]:
    """Divergence and out-of-memory are the config's outcome, for the sampler to learn; the rest are bugs."""
    infeasible = outcome.kind in ("diverged", "out of memory")
    state: State = "PRUNED" if infeasible or outcome.kind == "time limit" else "FAIL"
    return {
        "state": state,
        "value": curve[-1].val_loss if state == "PRUNED" and curve else None,
        "constraints": {outcome.kind.replace(" ", "_"): 1.0} if infeasible else {},
        "failure": Failure(type=outcome.type, message=outcome.message, traceback=outcome.traceback),
    }


def _finished_fields(
    intent: TrialRecord, curve: Sequence[EpochResult], outcome: Finished, pruned: bool
) -> dict[str, Any]:
    # As in Optuna, the pruner leaves a trial its last value; one that ran out of time keeps its best.
    out_of_time = outcome.stopped_because == "time limit"
    value = curve[-1].val_loss if pruned else outcome.best_value
    assert outcome.param_count == intent.architecture.param_count, (
        f"{intent.architecture.family}: planned {intent.architecture.param_count:,} parameters, "
        f"built {outcome.param_count:,}"
    )
    naive_score = intent.naive.metrics[objective_metric(intent.naive.metrics)]
    return {
        "state": "PRUNED" if pruned or out_of_time else "COMPLETE",
        "value": value,
        "metrics": Metrics(train=outcome.train_metrics, val=outcome.val_metrics),
        "naive": intent.naive.model_copy(update={"skill": skill(outcome.best_value, naive_score)}),
        "confusion_matrix": _confusion(outcome.confusion),
        "resources": Resources(
            device=intent.resources.device,
            peak_memory_bytes=outcome.peak_memory_bytes,
            flops_per_step=outcome.flops_per_step,
            total_flops=outcome.flops_per_step * outcome.steps,
            steps=outcome.steps,
            samples_per_second=outcome.samples_per_second,
        ),
    }


LEAKS = "leaking_protocol"
"""The split is one of old, in which the test rows leak into training: no evidence of anything."""


def _flags(record: TrialRecord, earlier: Sequence[TrialRecord]) -> list[str]:
    flags = [flag for flag in record.flags if flag == LEAKS]
    if record.metrics and record.metrics.val.get("prediction_range", 1.0) < COLLAPSED_RANGE:
        flags.append("collapsed_predictions")
    if record.naive.skill is not None and record.naive.skill < 0:
        flags.append("worse_than_naive")
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
