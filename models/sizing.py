"""Counts parameters without allocating them, and solves the width that a budget asks for.

The parameter count of every family is an exact polynomial: a w^2 + b w + c in its width, plus e f + g w f
where it has a feed-forward width; its coefficients are linear in the depth where the layers are alike. A few
tiny builds give them, so a 200M-parameter model is counted without making it; tests compare with real builds.

Legend: w d_model, f d_ff.
"""

import math
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .apart import undisturbed
from .base import ForecastShape, ModelConfig, ModelFamily

TOLERANCE = 0.02
"""Largest relative deviation from the budget that a sized config may have."""

MIN_WIDTH = 4
"""Narrower networks are not worth a trial."""

MAX_WIDTH = 65_536

FEED_FORWARD_RATIO = 4
"""d_ff / d_model before the gap to the budget is closed (Vaswani et al. 2017)."""

Terms = npt.NDArray[np.float64]
"""Coefficients of 1, w, w^2 and, for a family with d_ff, of f and w f."""


def count_real(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> int:
    """Build the model and count its parameters. Leaves the random generator as it was."""
    with undisturbed():
        model = family.build(config, shape)
    return sum(parameter.numel() for parameter in model.parameters())


def count_terms(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> Terms:
    """The parameter count of a config as a polynomial in its widths, from a few tiny builds.

    Args:
        family: The model family.
        config: Depth, heads and extras; its widths do not matter.
        shape: The task's input and output.
    """
    # Most settings do not change the polynomial: leave them out of the cache's key.
    unsized = {name for name in family.space if name not in family.size_choices}
    defaults = {field.name: field.default for field in fields(config) if field.name in unsized}
    key: Any = replace(config, dropout=0.0, **cast(Any, defaults))
    if hasattr(config, "n_heads"):
        key = replace(key, n_heads=1)
    key = family.with_width(key, key.width_multiple)
    settled = family.settled_depth(shape)
    if config.n_layers <= settled:
        return _fitted(family, key, shape)
    first, second = (_fitted(family, replace(key, n_layers=n), shape) for n in (settled, settled + 1))
    return np.asarray(first + (config.n_layers - settled) * (second - first))


def count_params(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> int:
    """The exact number of parameters of a config, without building it."""
    terms = count_terms(family, config, shape)
    return _count(terms, config.d_model, getattr(config, "d_ff", 0))


def fit_width(family: ModelFamily, config: ModelConfig, shape: ForecastShape, budget: int) -> ModelConfig:
    """Solve the width so that the parameter count lies nearest the budget.

    Widths stay on the config's grid; where the family has a d_ff, it closes the gap that remains.

    Args:
        family: The model family.
        config: Depth, heads and extras; its width does not matter.
        shape: The task's input and output.
        budget: Wanted number of parameters.

    Returns:
        The config at that width. Its deviation may exceed the tolerance where the budget cannot be
        reached at this depth; the caller checks.
    """
    terms = count_terms(family, config, shape)
    constant, linear, square, *feed_forward = terms
    if feed_forward:
        linear += FEED_FORWARD_RATIO * feed_forward[0]
        square += FEED_FORWARD_RATIO * feed_forward[1]
    missing = max(budget - constant, 0.0)
    if abs(square) > 0.5:
        root = (math.sqrt(linear * linear + 4 * square * missing) - linear) / (2 * square)
    else:  # without a width at all the family has one size
        root = missing / linear if abs(linear) > 0.5 else MIN_WIDTH
    grid = config.width_multiple
    lowest, highest = _width_range(family, config, shape)
    lower = min(max(lowest, math.floor(root / grid) * grid), highest)
    candidates = [
        _sized(family, config, terms, width, budget) for width in {lower, min(lower + grid, highest)}
    ]
    return min(
        candidates,
        key=lambda sized: (
            abs(_count(terms, sized.d_model, getattr(sized, "d_ff", 0)) - budget),
            sized.d_model,
        ),
    )


def deviation(family: ModelFamily, config: ModelConfig, shape: ForecastShape, budget: int) -> float:
    """How far a config's parameter count lies from the budget, as param_count / budget - 1."""
    return count_params(family, config, shape) / budget - 1.0


def is_feasible(family: ModelFamily, config: ModelConfig, shape: ForecastShape, budget: int) -> bool:
    """Whether this depth and these heads can hold the budget within the tolerance."""
    sized = fit_width(family, config, shape, budget)
    return sized.d_model >= MIN_WIDTH and abs(deviation(family, sized, shape, budget)) <= TOLERANCE


def reachable(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> tuple[int, int]:
    """Smallest and largest parameter count at this depth, over all widths."""
    terms = count_terms(family, config, shape)
    lowest, highest = (
        _count(terms, width, FEED_FORWARD_RATIO * width) for width in _width_range(family, config, shape)
    )
    return lowest, highest


def _width_range(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> tuple[int, int]:
    grid = config.width_multiple
    lowest = -(-MIN_WIDTH // grid) * grid
    highest = MAX_WIDTH if family.max_width is None else family.max_width(config, shape)
    return lowest, max(lowest, highest // grid * grid)


def _sized(family: ModelFamily, config: ModelConfig, terms: Terms, width: int, budget: int) -> ModelConfig:
    sized: ModelConfig = family.with_width(config, width)
    if not hasattr(config, "d_ff"):
        return sized
    *_, per_unit, per_width = terms
    d_ff = max(1, round((budget - _count(terms, width, 0)) / (per_unit + per_width * width)))
    return cast(ModelConfig, replace(cast(Any, sized), d_ff=d_ff))


def _count(terms: Terms, width: int, d_ff: int) -> int:
    return round(float(terms @ _monomials(width, d_ff)[: len(terms)]))


def _monomials(width: int, d_ff: int) -> Terms:
    return np.array([1.0, width, width * width, d_ff, width * d_ff])


@lru_cache(maxsize=4096)
def _fitted(family: ModelFamily, config: Any, shape: ForecastShape) -> Terms:
    grid = config.width_multiple
    with_d_ff = hasattr(config, "d_ff")
    sizes = [(grid, 0), (2 * grid, 0), (3 * grid, 0)]
    if with_d_ff:
        sizes = [(grid, 2), (2 * grid, 3), (3 * grid, 4), (grid, 7), (3 * grid, 9)]
    matrix = np.array([_monomials(*size)[: len(sizes)] for size in sizes])
    counts = []
    for width, d_ff in sizes:
        sized = family.with_width(config, width)
        counts.append(count_real(family, replace(sized, d_ff=d_ff) if with_d_ff else sized, shape))
    return np.asarray(np.linalg.solve(matrix, counts))
