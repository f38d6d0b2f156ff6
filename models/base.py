"""What every model family is: a config, a module, a search space, and how its width is set.

Legend: B batch, L context_length, C channels, O n_outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from .gaussian import Covariance, GaussianForecast
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
        covariance: Of a Gaussian forecast; its factor stands behind the O numbers (``gaussian.py``).
    """

    context_length: int
    n_channels: int
    n_outputs: int
    target_channels: tuple[int, ...] = ()
    covariance: Covariance = "none"

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

    @property
    def width_multiple(self) -> int:
        """The width is a multiple of this."""
        return 1

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


@dataclass(frozen=True, kw_only=True)
class AttentionConfig(ModelConfig):
    """A config with attention heads.

    Attributes:
        n_heads: Attention heads; divides d_model.
        d_ff: Width of the feed-forward layers.
    """

    n_heads: int = 4
    d_ff: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_heads", "d_ff"):
            check_positive(name, getattr(self, name))
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads {self.n_heads}, got {self.d_model}")

    @property
    def width_multiple(self) -> int:
        """Twice the heads, so that each head's width is even."""
        return 2 * self.n_heads


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFamily:
    """One entry of the catalogue.

    Attributes:
        name: The catalogue name.
        title: One line for people.
        source: The paper or package it comes from.
        config: Its config class; a field ``n_heads`` makes heads part of its shape, a field
            ``d_ff`` lets the feed-forward width close the gap to the budget.
        module: Makes the network: (B, L, C) -> (B, O).
        space: The family's own search dimensions; the names are fields of ``config``.
        with_width: The same config at another width, its feed-forward layers as wide as the paper has them.
        max_layers: The deepest network the search tries.
        size_choices: Those dimensions of ``space`` that change the parameter count.
        settled_depth: From this depth on, each further layer adds the same parameters.
        max_width: The widest network an input allows; None where there is no limit.
        weight_uses: How often a window goes through each weight, where torch does not count the operations
        itself
            (fused recurrent layers, gathers).
        unseen_memory: What autograd saves over what its hooks show; a fused layer keeps its gates to itself.
        needs_memory: Whether it cannot be built from tensors without memory, since building reads values.
        canonical: Whether the forced configs take the published widths verbatim.
    """

    name: str
    title: str
    source: str
    config: type[ModelConfig]
    module: Callable[[Any, ForecastShape], nn.Module]
    space: Space
    with_width: Callable[[Any, int], Any]
    max_layers: int
    size_choices: tuple[str, ...] = ()
    settled_depth: Callable[[ForecastShape], int] = lambda _shape: 1
    max_width: Callable[[Any, ForecastShape], int] | None = None
    weight_uses: Callable[[ForecastShape], int] | None = None
    unseen_memory: float = 1.0
    needs_memory: bool = False
    canonical: bool = False

    def build(self, config: Any, shape: ForecastShape) -> nn.Module:
        """Make the network, (B, L, C) -> (B, O), with a covariance head where the shape asks for one."""
        core = self.module(config, shape)
        if shape.covariance == "none":
            return core
        return GaussianForecast(core, shape.n_channels, shape.n_outputs, shape.covariance)

    def window_flops(self, counted: int, param_count: int, shape: ForecastShape) -> int:
        """Operations of a forward and backward pass over one window.

        Args:
            counted: torch's count.
            param_count: Parameters of the model; each use of one takes 2 operations forward and 4 backward.
            shape: The task's input.
        """
        return counted if self.weight_uses is None else 6 * self.weight_uses(shape) * param_count
