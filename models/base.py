"""What every model family is: a config, a module, a search space, and how its width is set.

Legend: B batch, L context_length, C channels, O n_outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from .space import Space

Normalisation = Literal["none", "revin", "last"]
NORMALISATIONS: tuple[Normalisation, ...] = ("none", "revin", "last")


@dataclass(frozen=True, kw_only=True)
class ForecastShape:
    """The input and output of a forecasting task, all that a model needs to know of the data.

    Attributes:
        context_length: Rows of history, L.
        n_channels: Columns of each row, C.
        n_outputs: Numbers to forecast, O: 1 for binary, horizon times target columns for regression.
        target_channels: Where the target columns stand among the channels; empty for binary. Outputs
            are step-major: all targets of step 1, then of step 2, ...
    """

    context_length: int
    n_channels: int
    n_outputs: int
    target_channels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("context_length", "n_channels", "n_outputs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.target_channels and self.n_outputs % len(self.target_channels):
            raise ValueError(
                f"n_outputs must be a multiple of the {len(self.target_channels)} target channels, "
                f"got {self.n_outputs}"
            )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What every family's config holds; each family adds its own fields and checks.

    Attributes:
        d_model: The width.
        n_layers: The depth.
        dropout: Probability of dropping an activation, in [0, 1).
        normalisation: How each input window is normalised.
    """

    d_model: int
    n_layers: int
    dropout: float = 0.5
    normalisation: Normalisation = "revin"

    def __post_init__(self) -> None:
        for name in ("d_model", "n_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        check_choice("normalisation", self.normalisation, NORMALISATIONS)


def check_choice(name: str, value: object, valid: tuple[object, ...]) -> None:
    """Raise ValueError if a config's value is not one of the valid ones."""
    if value not in valid:
        raise ValueError(f"{name} must be one of {', '.join(map(str, valid))}, got {value!r}")


def check_positive(name: str, value: float) -> None:
    """Raise ValueError if a config's value is not above zero."""
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFamily:
    """One entry of the catalogue.

    Attributes:
        name: The catalogue name.
        title: One line for people.
        source: The paper or package it comes from.
        config: Its config class; a field ``n_heads`` makes heads part of its shape, a field
            ``d_ff`` lets the feed-forward width close the gap to the budget.
        build: Makes the module: (B, L, C) -> (B, O).
        space: The family's own search dimensions; the names are fields of ``config``.
        with_width: The same config at another width.
        max_layers: The deepest network the search tries.
        canonical: Whether the forced configs take the published widths verbatim.
    """

    name: str
    title: str
    source: str
    config: type[ModelConfig]
    build: Callable[[Any, ForecastShape], nn.Module]
    space: Space
    with_width: Callable[[Any, int], Any]
    max_layers: int
    canonical: bool = False
