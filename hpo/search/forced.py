"""The forced configs that cover each budget's extremes.

Source of the table: the project's phase-1 plan of 18 configs (750k, 2M, 20M, 200M).
"""

import math
from dataclasses import dataclass

from hpo.system.counts import format_budget
from hpo.trial.origin import Origin

DEFAULT_DROPOUT = 0.5
DEFAULT_LEARNING_RATE = 1e-4
DEFAULT_WEIGHT_DECAY = 1e-3


@dataclass(frozen=True, kw_only=True)
class ForcedConfig:
    """One config that is tried whatever the sampler thinks.

    Attributes:
        budget: Its parameter budget.
        group: "architecture", "dropout", "learning_rate" or "weight_decay": what it is the extreme of.
        name: Its own name, unique in its group.
        n_layers: The depth.
        n_heads: The heads, for families that have them.
        canonical_d_model: The published width, which PatchTST and iTransformer take verbatim at the
            four published budgets; None elsewhere.
        dropout: Its dropout.
        learning_rate: Its peak learning rate.
        weight_decay: Its weight decay.
    """

    budget: int
    group: str
    name: str
    n_layers: int
    n_heads: int
    canonical_d_model: int | None
    dropout: float = DEFAULT_DROPOUT
    learning_rate: float = DEFAULT_LEARNING_RATE
    weight_decay: float = DEFAULT_WEIGHT_DECAY

    @property
    def origin(self) -> Origin:
        """How a trial's record names it."""
        return Origin.forced(self.group, self.name)


@dataclass(frozen=True)
class _Pattern:
    """The forced configs of one published budget: (d_model, n_layers, n_heads) and the extremes."""

    shallow: tuple[int | None, int, int]
    deep: tuple[int | None, int, int]
    dropout: tuple[float, ...] = ()
    learning_rate: tuple[float, ...] = ()
    weight_decay: tuple[float, ...] = ()


_PATTERNS = {
    750_000: _Pattern((192, 2, 4), (128, 4, 4)),
    2_000_000: _Pattern((320, 2, 4), (192, 5, 4), (0.1, 0.3, 0.7), (1e-5, 1e-3), (0.0, 1e-2)),
    20_000_000: _Pattern((768, 3, 8), (384, 12, 8), learning_rate=(1e-5,)),
    200_000_000: _Pattern((1536, 8, 16), (768, 28, 16), dropout=(0.1,), weight_decay=(0.0,)),
    2_000_000_000: _Pattern((None, 8, 16), (None, 28, 16)),
}


def _nearest_pattern(budget: int) -> tuple[int, _Pattern]:
    published = min(_PATTERNS, key=lambda known: abs(math.log(known / budget)))
    return published, _PATTERNS[published]


def forced_configs(budgets: tuple[int, ...]) -> list[ForcedConfig]:
    """The forced configs of the given budgets in their fixed order.

    Shapes of all budgets come first, then dropout, learning rate and weight decay, each changed alone on
    its budget's shallow shape. A budget outside the table takes the pattern of the nearest one (log scale).
    """
    configs = []
    for budget in budgets:
        published, pattern = _nearest_pattern(budget)
        for style, (d_model, n_layers, n_heads) in (("shallow", pattern.shallow), ("deep", pattern.deep)):
            configs.append(
                ForcedConfig(
                    budget=budget,
                    group="architecture",
                    name=f"{format_budget(budget)}-{style}",
                    n_layers=n_layers,
                    n_heads=n_heads,
                    canonical_d_model=d_model if budget == published else None,
                )
            )
    for group in ("dropout", "learning_rate", "weight_decay"):
        for budget in budgets:
            published, pattern = _nearest_pattern(budget)
            d_model, n_layers, n_heads = pattern.shallow
            for value in getattr(pattern, group):
                changed: dict[str, float] = {group: value}
                configs.append(
                    ForcedConfig(
                        budget=budget,
                        group=group,
                        name=f"{format_budget(budget)}-{value:g}",
                        n_layers=n_layers,
                        n_heads=n_heads,
                        canonical_d_model=d_model if budget == published else None,
                        **changed,
                    )
                )
    return configs
