"""Parameter budgets, and the forced configs that cover each budget's extremes.

Source of the table: the project's phase-1 plan of 18 configs (750k, 2M, 20M, 200M).
"""

import math
import re
from dataclasses import dataclass

from hpo.errors import BudgetError

_SUFFIXES = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)([kmb]?)", re.IGNORECASE)

DEFAULT_DROPOUT = 0.5
DEFAULT_LEARNING_RATE = 1e-4
DEFAULT_WEIGHT_DECAY = 1e-3


def parse_budget(text: str) -> int:
    """Read a budget such as "750k", "2M", "1.5M" or "2000000".

    Raises:
        BudgetError: It is not a positive number with an optional k, M or B.
    """
    match = _PATTERN.fullmatch(text.strip())
    value = float(match[1]) * _SUFFIXES[match[2].lower()] if match else 0.0
    if value < 1 or value > 1e12:
        raise BudgetError(
            "budget must be a positive number of parameters such as 750k, 2M, 20M, 200M or 1.5M, "
            f"got {text!r}"
        )
    return round(value)


def parse_budgets(text: str) -> tuple[int, ...]:
    """Read one budget or a comma list, smallest first.

    Raises:
        BudgetError: One of them is not a budget, or one is given twice.
    """
    budgets = [parse_budget(part) for part in text.split(",")]
    if len(set(budgets)) < len(budgets):
        raise BudgetError(f"budgets must differ from each other, got {text!r}")
    return tuple(sorted(budgets))


def format_budget(budget: int) -> str:
    """The shortest exact name of a budget: 750k, 2M, 1.5M, 123456."""
    for suffix in ("B", "M", "k"):
        scaled = budget / _SUFFIXES[suffix.lower()]
        text = f"{scaled:.6g}"
        if scaled >= 1 and round(float(text) * _SUFFIXES[suffix.lower()]) == budget and "e" not in text:
            return text + suffix
    return str(budget)


def format_count(count: int) -> str:
    """A parameter count for people, to three digits: 884k, 2.00M, 1.99B, 3.30T."""
    for suffix, unit in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 0.9995 * unit:
            return f"{count / unit:#.3g}".rstrip(".") + suffix
    return str(count)


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
    def origin(self) -> str:
        """How a trial's record names it."""
        return f"forced:{self.group}:{self.name}"


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
