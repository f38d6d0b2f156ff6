"""Counts parameters without allocating them, and solves the width that a budget asks for.

The parameter count of every family is an exact polynomial: a w^2 + b w + c in its width, plus e f + g w f
where it has a feed-forward width, with coefficients linear in its depth. A few tiny builds give them, so a
200M-parameter model is counted without making it; tests compare with real builds.

Legend: w d_model, f d_ff.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from .base import ForecastShape, ModelConfig, ModelFamily

TOLERANCE = 0.02
"""Largest relative deviation from the budget that a sized config may have."""

MIN_WIDTH = 4
"""Narrower networks are not worth a trial."""

FEED_FORWARD_RATIO = 4
"""d_ff / d_model before the gap to the budget is closed (Vaswani et al. 2017)."""


@dataclass(frozen=True)
class Count:
    """The parameter count as a polynomial in depth, width and feed-forward width.

    Attributes:
        first: Coefficients of 1, w, w^2 and, for a family with d_ff, of f and w f, at one layer.
        layer: The same for each further layer.
        grid: Widths are multiples of this.
    """

    first: tuple[float, ...]
    layer: tuple[float, ...]
    grid: int

    def terms(self, n_layers: int) -> npt.NDArray[np.float64]:
        """The coefficients at a depth."""
        return np.asarray(np.array(self.first) + (n_layers - 1) * np.array(self.layer))

    def at(self, n_layers: int, width: int, d_ff: int = 0) -> int:
        """The exact count at a depth and a width on the grid."""
        terms = self.terms(n_layers)
        return round(float(terms @ _monomials(width, d_ff)[: len(terms)]))

    @property
    def has_d_ff(self) -> bool:
        """Whether the feed-forward width is free."""
        return len(self.first) == 5


def _monomials(width: int, d_ff: int) -> npt.NDArray[np.float64]:
    return np.array([1.0, width, width * width, d_ff, width * d_ff])


def width_grid(config: ModelConfig) -> int:
    """Widths must be multiples of this: twice the heads, so that each head's width is even."""
    n_heads: int | None = getattr(config, "n_heads", None)
    return 2 * n_heads if n_heads else 1


def count_real(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> int:
    """Build the model and count its parameters. Leaves the random generator as it was."""
    with torch.random.fork_rng(devices=[]):
        model = family.build(config, shape)
    return sum(parameter.numel() for parameter in model.parameters())


@lru_cache(maxsize=4096)
def _fitted(family: ModelFamily, config: Any, shape: ForecastShape) -> Count:
    grid = width_grid(config)
    with_d_ff = hasattr(config, "d_ff")
    sizes = [(grid, 0), (2 * grid, 0), (3 * grid, 0)]
    if with_d_ff:
        sizes = [(grid, 2), (2 * grid, 3), (3 * grid, 4), (grid, 7), (3 * grid, 9)]
    matrix = np.array([_monomials(*size)[: len(sizes)] for size in sizes])
    terms = []
    for n_layers in (1, 2):
        counts = []
        for width, d_ff in sizes:
            sized = replace(family.with_width(config, width), n_layers=n_layers)
            counts.append(count_real(family, replace(sized, d_ff=d_ff) if with_d_ff else sized, shape))
        terms.append(np.linalg.solve(matrix, counts))
    return Count(first=tuple(terms[0]), layer=tuple(terms[1] - terms[0]), grid=grid)


def fit_count(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> Count:
    """The parameter count of a config as a function of its depth and widths, from a few tiny builds.

    Args:
        family: The model family.
        config: Heads and extras; its depth and widths do not matter.
        shape: The task's input and output.
    """
    # Depth, widths and dropout do not change the polynomial: leave them out of the cache's key.
    key = replace(family.with_width(config, width_grid(config)), n_layers=1, dropout=0.0)
    return _fitted(family, key, shape)


def count_params(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> int:
    """The exact number of parameters of a config, without building it."""
    count = fit_count(family, config, shape)
    return count.at(config.n_layers, config.d_model, getattr(config, "d_ff", 0))


def fit_width(family: ModelFamily, config: ModelConfig, shape: ForecastShape, budget: int) -> ModelConfig:
    """Solve the width so that the parameter count lies nearest the budget.

    Widths stay on the heads' grid; where the family has a d_ff, it closes the gap that remains.

    Args:
        family: The model family.
        config: Depth, heads and extras; its width does not matter.
        shape: The task's input and output.
        budget: Wanted number of parameters.

    Returns:
        The config at that width. Its deviation may exceed the tolerance where the budget cannot be
        reached at this depth; the caller checks.
    """
    count = fit_count(family, config, shape)
    constant, linear, square, *feed_forward = count.terms(config.n_layers)
    if feed_forward:
        linear += FEED_FORWARD_RATIO * feed_forward[0]
        square += FEED_FORWARD_RATIO * feed_forward[1]
    missing = max(budget - constant, 0.0)
    root = (
        missing / linear
        if square == 0
        else ((math.sqrt(linear * linear + 4 * square * missing) - linear) / (2 * square))
    )
    lower = max(count.grid, math.floor(root / count.grid) * count.grid)
    candidates = [_sized(family, config, count, width, budget) for width in (lower, lower + count.grid)]
    return min(candidates, key=lambda sized: abs(count_params(family, sized, shape) - budget))


def _sized(family: ModelFamily, config: ModelConfig, count: Count, width: int, budget: int) -> ModelConfig:
    sized: ModelConfig = family.with_width(config, width)
    if not count.has_d_ff:
        return sized
    *_, per_unit, per_width = count.terms(config.n_layers)
    d_ff = max(1, round((budget - count.at(config.n_layers, width)) / (per_unit + per_width * width)))
    return cast(ModelConfig, replace(cast(Any, sized), d_ff=d_ff))


def deviation(family: ModelFamily, config: ModelConfig, shape: ForecastShape, budget: int) -> float:
    """How far a config's parameter count lies from the budget, as param_count / budget - 1."""
    return count_params(family, config, shape) / budget - 1.0


def is_feasible(family: ModelFamily, config: ModelConfig, shape: ForecastShape, budget: int) -> bool:
    """Whether this depth and these heads can hold the budget within the tolerance."""
    sized = fit_width(family, config, shape, budget)
    return sized.d_model >= MIN_WIDTH and abs(deviation(family, sized, shape, budget)) <= TOLERANCE


def reachable(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> tuple[int, int]:
    """Smallest and largest parameter count at this depth, for widths from 4 to 65,536."""
    count = fit_count(family, config, shape)
    smallest = -(-MIN_WIDTH // count.grid) * count.grid
    ends = []
    for width in (smallest, 65_536 // count.grid * count.grid):
        ends.append(count.at(config.n_layers, width, FEED_FORWARD_RATIO * width))
    return ends[0], ends[1]
