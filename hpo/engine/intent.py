"""From a trial's point in the space to the record of its intent and to the job that a child trains."""

from dataclasses import asdict
from datetime import datetime

from hpo.cost.memory import MemoryNeed, available_bytes, fit_micro_batch, memory_need
from hpo.data.base import ForecastData
from hpo.engine.context import StudyContext
from hpo.learn.bundle import Bundle
from hpo.learn.describe import describe
from hpo.learn.job import Fold, Job
from hpo.learn.settings import TrainSettings
from hpo.scoring.scorer import Scorer
from hpo.search.plan import TrialSpec
from hpo.search.searcher import Suggestion
from hpo.search.tpe import trial_seed
from hpo.store.view import ORIGIN
from hpo.study.catalogue import groups_of, request_of
from hpo.trial.events import Failed
from hpo.trial.flags import LEAKS
from hpo.trial.record import Architecture, FoldScore, Naive, Resources, Training, TrialRecord
from hpo.trial.state import State


def intent_record(
    context: StudyContext, number: int, suggestion: Suggestion, started: datetime
) -> TrialRecord:
    """The record written before a trial trains.

    Args:
        context: What all trials share.
        number: The trial's.
        suggestion: Its point in the space.
        started: When, UTC.
    """
    origin = suggestion.origin
    spec = context.plan.resolve(suggestion.params, origin)
    config = context.config
    references = context.references
    return TrialRecord(
        experiment=config.experiment,
        study_name=config.experiment,
        trial_number=number,
        state=State.RUNNING,
        value=None,
        objective=config.objective,
        origin=origin,
        params=dict(suggestion.params),
        distributions={name: dict(fields) for name, fields in suggestion.distributions.items()},
        intermediate_values={},
        constraints={},
        user_attrs={ORIGIN: origin},
        system_attrs={},
        architecture=_architecture(context, spec),
        training=Training(
            learning_rate=spec.learning_rate,
            weight_decay=spec.weight_decay,
            dropout=spec.model.dropout,
            batch_size=spec.batch_size,
            micro_batch=max(1, micro_batch_of(context, spec)),
            normalisation=spec.model.normalisation,
            loss=context.loss.name,
            epochs_planned=config.training.epochs,
            epochs_run=0,
            best_epoch=None,
            stopped_because=None,
            precision=context.precision,
            threads=context.threads,
        ),
        seed=trial_seed(config.study.seed, number),
        datetime_start=started,
        datetime_complete=None,
        duration_seconds=None,
        resumed=0,
        learning_curve=[],
        metrics=None,
        naive=Naive(name=references.naive, metrics=references.metrics[references.naive], skill=None),
        references=references.metrics,
        confusion_matrix=None,
        split=context.parts[-1],
        folds=_fold_scores(context) if len(context.folds) > 1 else [],
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
    )


def another_attempt(context: StudyContext, previous: TrialRecord) -> TrialRecord:
    """The intent of a trial that was interrupted and goes on.

    Its threads, micro-batch and precision stay, because they change the numbers; references and code are
    today's.
    """
    suggestion = Suggestion(
        params=previous.params, distributions=previous.distributions, origin=previous.origin
    )
    fresh = intent_record(context, previous.trial_number, suggestion, previous.datetime_start)
    kept = ("micro_batch", "precision", "threads")
    training = fresh.training.updated(**{name: getattr(previous.training, name) for name in kept})
    stored = ("intermediate_values", "user_attrs", "system_attrs", "study_name")
    return fresh.updated(
        training=training,
        resumed=previous.resumed + 1,
        **{name: getattr(previous, name) for name in stored},
    )


def _fold_scores(context: StudyContext) -> list[FoldScore]:
    """The folds before they are trained on."""
    objective, references = context.config.objective, context.references
    naive = [objective.score(scores[references.naive]) for scores in references.by_fold]
    return [
        FoldScore(fold=i, value=None, naive=score or 0.0, best_epoch=None, epochs_run=0, split=parts)
        for i, (score, parts) in enumerate(zip(naive, context.parts, strict=True))
    ]


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
    """What a trial would take; a GPU holds one fold at a time."""
    folds = [
        _n_rows(data) * (data.features[0].nbytes + data.target_values[0].nbytes) for data in context.folds
    ]
    return memory_need(
        context.plan.family,
        spec.model,
        context.plan.shape,
        param_count=spec.param_count,
        precision=context.precision,
        epochs=context.config.training.epochs,
        data_bytes=sum(folds) if context.device == "cpu" else max(folds),
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


def _n_rows(data: ForecastData) -> int:
    """Rows up to the last that a training or validation target looks at: no trial sees later ones."""
    return int(max(data.splits.train.max(), data.splits.val.max())) + max(data.table.target_offsets) + 1


def _fold(data: ForecastData, scorer: Scorer) -> Fold:
    task, train, n_rows = scorer.task, data.splits.train, _n_rows(data)
    return Fold(
        features=data.features[:n_rows],
        targets=data.target_values[:n_rows],
        scorer=scorer,
        offset=task.constant(data.targets_at(train), task.n_outputs(data)),
        train_ends=train,
        val_ends=data.splits.val,
    )


def _least_improvement(context: StudyContext) -> float:
    """The least improvement that counts, in the objective's own values; min_delta is a share."""
    references, objective = context.references, context.config.objective
    score = objective.score(references.metrics[references.naive])
    return 0.0 if score is None else objective.step(context.config.training.min_delta, score)


def make_job(context: StudyContext, record: TrialRecord, beats: float | None) -> Job:
    """The job of a trial, from its intent record; its weights are kept if its value betters ``beats``."""
    config, table = context.config, context.data.table
    spec = context.plan.resolve(record.params, record.origin)
    return Job(
        family=context.plan.family.name,
        model=spec.model,
        shape=context.plan.shape,
        task=context.task,
        target_offsets=table.target_offsets,
        folds=tuple(map(_fold, context.folds, context.references.scorers)),
        objective=config.objective,
        loss=context.loss,
        settings=TrainSettings(
            learning_rate=record.training.learning_rate,
            weight_decay=record.training.weight_decay,
            batch_size=record.training.batch_size,
            micro_batch=record.training.micro_batch,
            epochs=record.training.epochs_planned,
            patience=config.training.patience,
            min_delta=_least_improvement(context),
            clip_norm=config.training.clip_norm,
            precision=record.training.precision,
            seed=record.seed,
        ),
        seed=record.seed,
        device=context.device,
        threads=record.training.threads,
        weights=context.files.weights(record.trial_number),
        beats=beats,
        checkpoint=context.files.checkpoint(record.trial_number),
        quarantine=context.files.quarantine,
        checkpoint_seconds=config.study.checkpoint_seconds,
        max_seconds=config.study.trial_timeout_seconds,
        bundle=_bundle(context, record, spec),
    )


def _bundle(context: StudyContext, record: TrialRecord, spec: TrialSpec) -> Bundle:
    """What the trial's weights, those of the last fold, forecast with."""
    section = context.config.data
    return describe(
        context.data,
        request_of(section),
        context.references.scorers[-1],
        groups=groups_of(section),
        model=spec.model,
        shape=context.plan.shape,
        experiment=record.experiment,
        trial_number=record.trial_number,
        family=context.plan.family.name,
        precision=record.training.precision,
        parameter_budget=spec.budget,
        param_count=spec.param_count,
        code=context.code,
    )
