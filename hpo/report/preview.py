"""The dry run: every forced config and the reach of the search space, with sizes and costs."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from hpo.cost.estimate import Cost, Speed, calibrate, estimate
from hpo.engine.context import StudyContext
from hpo.engine.intent import memory_of, micro_batch_of
from hpo.models.space import Choice
from hpo.search.plan import TrialSpec, coordinate_of, depth_at
from hpo.system.counts import format_budget
from hpo.trial.origin import Origin


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlannedTrial(_Fields):
    """One config with its size and its predicted cost; a micro-batch of 0: it does not fit this machine."""

    origin: Origin
    parameter_budget: int
    d_model: int
    n_layers: int
    n_heads: int | None
    d_ff: int | None
    param_count: int
    budget_deviation: float
    canonical: bool
    learning_rate: float
    weight_decay: float
    dropout: float
    batch_size: int
    micro_batch: int
    flops_per_step: int
    predicted_memory_bytes: int
    predicted_seconds: float


class Dimension(_Fields):
    """One dimension of the search space."""

    name: str
    kind: str
    range: str


class Preview(_Fields):
    """What a study would do.

    Attributes:
        experiment: The study's name.
        data: Rows and windows of each part.
        n_trials: Total number of trials.
        forced: The forced configs, in their order.
        shapes: What the search's shapes come to, from the shallowest to the deepest of each budget.
        space: The search space.
        predicted_seconds: Of the whole study, if no trial stops early.
        flops_per_second: Speed of this machine, from a short calibration.
        references: The scores to beat.
        notes: What to know before starting it.
    """

    experiment: str
    family: str
    data: dict[str, Any]
    n_trials: int
    forced: list[PlannedTrial]
    shapes: list[PlannedTrial]
    space: list[Dimension]
    predicted_seconds: float
    flops_per_second: float
    references: dict[str, dict[str, float]]
    notes: list[str]


def make_preview(context: StudyContext) -> Preview:
    """Size and cost everything a study would try; nothing is written but the calibration's cache."""
    config, plan = context.config, context.plan
    speeds = {
        budget: calibrate(plan.family, plan.shape, budget, context.device, context.threads)
        for budget in config.budgets
    }

    def planned(origin: Origin, spec: TrialSpec) -> PlannedTrial:
        model, cost = spec.model, _cost(context, spec, speeds[spec.budget])
        micro_batch = micro_batch_of(context, spec)
        return PlannedTrial(
            origin=origin,
            parameter_budget=spec.budget,
            d_model=model.d_model,
            n_layers=model.n_layers,
            n_heads=getattr(model, "n_heads", None),
            d_ff=getattr(model, "d_ff", None),
            param_count=spec.param_count,
            budget_deviation=spec.deviation,
            canonical=spec.canonical,
            learning_rate=spec.learning_rate,
            weight_decay=spec.weight_decay,
            dropout=model.dropout,
            batch_size=spec.batch_size,
            micro_batch=micro_batch,
            flops_per_step=cost.flops_per_step,
            predicted_memory_bytes=memory_of(context, spec).at(max(1, micro_batch)),
            predicted_seconds=cost.seconds,
        )

    forced = [planned(trial.origin, trial.spec) for trial in plan.forced]
    shapes = [planned(origin, spec) for origin, spec in _shapes(context)]
    n_forced = min(len(forced), config.n_trials)
    mean = sum(shape.predicted_seconds for shape in shapes) / len(shapes)
    seconds = sum(trial.predicted_seconds for trial in forced[:n_forced]) + mean * (
        config.n_trials - n_forced
    )
    return Preview(
        experiment=config.experiment,
        family=plan.family.name,
        data={name: part.model_dump() for name, part in context.parts[-1].items()},
        n_trials=config.n_trials,
        forced=forced,
        shapes=shapes,
        space=_dimensions(context),
        predicted_seconds=seconds / config.study.workers,
        flops_per_second=max(speed.flops_per_second for speed in speeds.values()),
        references=context.references.metrics,
        notes=_notes(context),
    )


def _notes(context: StudyContext) -> list[str]:
    notes = []
    if len(context.folds) > 1:
        notes.append(
            f"{len(context.folds)} folds a trial, the objective is their mean; the parts above are the last's"
        )
    if context.data.splits.leaks:
        notes.append("this split leaks: its scores are no evidence of anything, every trial is flagged so")
    return notes


def _cost(context: StudyContext, spec: TrialSpec, speed: Speed) -> Cost:
    costs = [
        estimate(
            context.plan.family,
            spec.model,
            context.plan.shape,
            batch_size=spec.batch_size,
            n_train=len(data.splits.train),
            n_val=len(data.splits.val),
            epochs=context.config.training.epochs,
            speed=speed,
        )
        for data in context.folds
    ]
    return Cost(flops_per_step=costs[0].flops_per_step, seconds=sum(cost.seconds for cost in costs))


def _shapes(context: StudyContext) -> list[tuple[Origin, TrialSpec]]:
    """The default settings at every few depths of each budget, with the forced configs' heads."""
    plan = context.plan
    base = dict(plan.forced[0].params)
    rows = []
    for budget in context.config.budgets:
        depths = plan.depths[budget, base.get("n_heads")]
        for depth in _spread(depths):
            params = {**base, "budget": format_budget(budget), "shape": coordinate_of(depths, depth)}
            rows.append((Origin(f"shape {params['shape']:.2f}"), plan.resolve(params)))
    return rows


def _spread(depths: tuple[int, ...]) -> list[int]:
    """The shallowest, the deepest, and three between, evenly by position on the log scale."""
    return sorted({depth_at(depths, quarter / 4) for quarter in range(5)})


def _dimensions(context: StudyContext) -> list[Dimension]:
    rows = []
    for name, dimension in context.plan.space.items():
        if isinstance(dimension, Choice):
            text = ", ".join(map(str, dimension.values))
            rows.append(Dimension(name=name, kind="choice", range=text))
        else:
            kind = "log" if dimension.log else "linear"
            rows.append(Dimension(name=name, kind=kind, range=f"{dimension.low:g} to {dimension.high:g}"))
    return rows
