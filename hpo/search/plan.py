"""The plan of a study: every shape that fits its budgets, and every forced config, sized.

Shapes are sampled in relative coordinates: 0 is the shallowest and 1 the deepest network that holds the
budget on this input. Depth follows from the coordinate and the width is solved, so that every point of the
space lies on its budget and none is thrown away.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from hpo.errors import BudgetError
from hpo.models.base import NORMALISATIONS, ForecastShape, ModelConfig, ModelFamily, Normalisation
from hpo.models.sizing import count_params, fit_width, is_feasible, reachable
from hpo.models.space import Choice, Dimension, Float, Space
from hpo.search.forced import ForcedConfig, forced_configs
from hpo.system.counts import format_budget, parse_budget
from hpo.trial.origin import Origin

N_HEADS = (1, 2, 4, 8, 16)
DEFAULT_BATCH_SIZE = 256

TRAINING_SPACE: Space = {
    "learning_rate": Float(1e-5, 1e-2, log=True),
    # A log scale holds no zero: whether there is weight decay is a choice of its own.
    "use_weight_decay": Choice((True, False)),
    "weight_decay": Float(1e-6, 1e-1, log=True),
    "dropout": Float(0.0, 0.7),
    "batch_size": Choice((32, 64, 128, 256, 512)),
    "normalisation": Choice(NORMALISATIONS),
}


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """What one trial builds and how it trains it.

    Attributes:
        model: The family's config, sized.
        budget: Its parameter budget.
        param_count: Its exact number of parameters.
        canonical: Whether the shape is a published one, exempt from the budget's tolerance.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.
        batch_size: Effective batch size.
    """

    model: ModelConfig
    budget: int
    param_count: int
    canonical: bool
    learning_rate: float
    weight_decay: float
    batch_size: int

    @property
    def deviation(self) -> float:
        """How far the parameter count lies from the budget, as a fraction."""
        return self.param_count / self.budget - 1.0


@dataclass(frozen=True, kw_only=True)
class ForcedTrial:
    """A forced config as the storage queues it: its origin, its point in the space, its spec."""

    origin: Origin
    params: dict[str, Any]
    spec: TrialSpec


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a study may try.

    Attributes:
        family: The model family.
        shape: The task's input and output.
        space: The search space, fixed for the study's life.
        depths: The depths that hold each budget, by (budget, n_heads); heads are None for families
            without them.
        forced: The forced configs in their order.
    """

    family: ModelFamily
    shape: ForecastShape
    space: Space
    depths: Mapping[tuple[int, int | None], tuple[int, ...]]
    forced: tuple[ForcedTrial, ...]

    def resolve(self, params: Mapping[str, Any], origin: str = "") -> TrialSpec:
        """Turn a point of the space into the trial's spec.

        Args:
            params: One value a dimension of the space.
            origin: Of a forced config, whose spec the plan already holds.
        """
        for forced in self.forced:
            if forced.origin == origin:
                return forced.spec
        budget = parse_budget(params["budget"])
        n_heads = params.get("n_heads")
        n_layers = depth_at(self.depths[budget, n_heads], params["shape"])
        extras = {name: params[name] for name in self.family.space}
        config = _config(self.family, n_layers, n_heads, params["dropout"], params["normalisation"], extras)
        return _spec(
            self,
            fit_width(self.family, config, self.shape, budget),
            budget,
            learning_rate=params["learning_rate"],
            weight_decay=params["weight_decay"] if params["use_weight_decay"] else 0.0,
            batch_size=params["batch_size"],
        )


def make_plan(family: ModelFamily, shape: ForecastShape, budgets: tuple[int, ...]) -> Plan:
    """Size everything a study may try, before anything is written or trained.

    Raises:
        BudgetError: The family cannot reach one of the budgets on this input; the message says what it can.
    """
    depths = {}
    for budget in budgets:
        for n_heads in N_HEADS if has_heads(family) else (None,):
            feasible = tuple(
                n
                for n in range(1, family.max_layers + 1)
                if all(is_feasible(family, c, shape, budget) for c in _size_variants(family, n, n_heads))
            )
            if feasible:
                depths[budget, n_heads] = feasible
        if not any(key[0] == budget for key in depths):
            raise BudgetError(_unreachable(family, shape, budget), key="budget")
    space: dict[str, Dimension] = {
        "budget": Choice(tuple(format_budget(budget) for budget in budgets)),
        "shape": Float(0.0, 1.0),
    }
    if has_heads(family):
        heads = tuple(h for h in N_HEADS if all((budget, h) in depths for budget in budgets))
        space["n_heads"] = Choice(heads)
    space |= TRAINING_SPACE
    space |= family.space
    bare = Plan(family=family, shape=shape, space=space, depths=depths, forced=())
    return Plan(
        family=family, shape=shape, space=space, depths=depths, forced=_distinct_forced(bare, budgets)
    )


def has_heads(family: ModelFamily) -> bool:
    """Whether heads are part of the family's shape."""
    return any(field.name == "n_heads" for field in fields(family.config))


def depth_at(depths: tuple[int, ...], coordinate: float) -> int:
    """The depth at a relative coordinate: even steps on a log scale, from the shallowest to the deepest."""
    wanted = math.log(depths[0]) + coordinate * math.log(depths[-1] / depths[0])
    return min(depths, key=lambda depth: abs(math.log(depth) - wanted))


def coordinate_of(depths: tuple[int, ...], n_layers: int) -> float:
    """The relative coordinate of a depth; its inverse is :func:`depth_at`."""
    if len(depths) == 1:
        return 0.0
    return math.log(n_layers / depths[0]) / math.log(depths[-1] / depths[0])


def _config(
    family: ModelFamily,
    n_layers: int,
    n_heads: int | None,
    dropout: float = 0.0,
    normalisation: Normalisation = "revin",
    extras: Mapping[str, Any] | None = None,
) -> ModelConfig:
    """A config whose width is still to be solved."""
    shape: dict[str, Any] = {"d_model": n_heads or 1, "n_layers": n_layers}
    if n_heads is not None:
        shape["n_heads"] = n_heads
    return family.config(**shape, dropout=dropout, normalisation=normalisation, **(extras or {}))


def _size_variants(family: ModelFamily, n_layers: int, n_heads: int | None) -> list[ModelConfig]:
    """A depth in all variants that change the parameter count: each must hold the budget."""
    choices = {
        name: dimension.values for name, dimension in family.space.items() if isinstance(dimension, Choice)
    }
    return [
        _config(family, n_layers, n_heads, extras=dict(zip(family.size_choices, values, strict=True)))
        for values in itertools.product(*(choices[name] for name in family.size_choices))
    ]


def _spec(plan: Plan, model: ModelConfig, budget: int, **training: Any) -> TrialSpec:
    count = count_params(plan.family, model, plan.shape)
    return TrialSpec(model=model, budget=budget, param_count=count, canonical=False, **training)


def _distinct_forced(plan: Plan, budgets: tuple[int, ...]) -> tuple[ForcedTrial, ...]:
    """The forced configs, sized; one that trains exactly what an earlier one does is left out.

    That happens only where an input leaves a budget a single depth.
    """
    distinct: list[ForcedTrial] = []
    for config in forced_configs(budgets):
        trial = _forced(plan, config)
        if all(trial.spec != earlier.spec for earlier in distinct):
            distinct.append(trial)
    return tuple(distinct)


def _forced(plan: Plan, config: ForcedConfig) -> ForcedTrial:
    n_heads = None
    if has_heads(plan.family):
        offered = plan.space["n_heads"]
        assert isinstance(offered, Choice)
        n_heads = min((int(h) for h in offered.values), key=lambda heads: abs(heads - config.n_heads))
    depths = plan.depths[config.budget, n_heads]
    n_layers = min(depths, key=lambda depth: (abs(depth - config.n_layers), depth))
    params: dict[str, Any] = {
        "budget": format_budget(config.budget),
        "shape": coordinate_of(depths, n_layers),
        "learning_rate": config.learning_rate,
        "use_weight_decay": config.weight_decay > 0,
        # Without weight decay its size means nothing; the space still wants a point.
        "weight_decay": config.weight_decay or 1e-6,
        "dropout": config.dropout,
        "batch_size": DEFAULT_BATCH_SIZE,
    }
    if n_heads is not None:
        params["n_heads"] = n_heads
    defaults = {field.name: field.default for field in fields(plan.family.config)}
    params |= {name: defaults[name] for name in ("normalisation", *plan.family.space)}
    spec = plan.resolve(params)
    if plan.family.canonical and config.canonical_d_model is not None:
        shaped = replace(spec.model, n_layers=config.n_layers)
        model = plan.family.with_width(shaped, config.canonical_d_model)
        spec = replace(
            spec, model=model, param_count=count_params(plan.family, model, plan.shape), canonical=True
        )
    return ForcedTrial(origin=config.origin, params=params, spec=spec)


def size_range(family: ModelFamily, shape: ForecastShape) -> tuple[int, int]:
    """The smallest and the largest parameter count of a family on an input, over all its shapes."""
    n_heads = N_HEADS[0] if has_heads(family) else None
    ends = [
        reachable(family, config, shape)
        for n_layers in (1, family.max_layers)
        for config in _size_variants(family, n_layers, n_heads)
    ]
    return min(end[0] for end in ends), max(end[1] for end in ends)


def _unreachable(family: ModelFamily, shape: ForecastShape, budget: int) -> str:
    smallest, largest = size_range(family, shape)
    where = f"on {shape.context_length} rows x {shape.n_channels} channels"
    if smallest == largest:
        return f"model {family.name} has one size {where}: {smallest:,} parameters; give {smallest}"
    return (
        f"model {family.name} cannot hold a budget of {format_budget(budget)} within 2 % {where}: its sizes "
        f"there go from {smallest:,} to {largest:,} parameters, in steps that miss this budget; "
        "take another budget, another context or other columns"
    )
