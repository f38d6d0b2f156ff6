"""A multilayer perceptron over the flattened window: the plain baseline.

Source: Rumelhart, Hinton and Williams (1986). Hidden layers of one width, each a linear map, an
activation and dropout; a linear head.
"""

from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from .base import ForecastShape, ModelConfig, ModelFamily, check_choice
from .blocks import Dropout, Normalised
from .space import Choice, Space

Activation = Literal["relu", "gelu", "tanh"]
_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@dataclass(frozen=True, kw_only=True)
class MlpConfig(ModelConfig):
    """A perceptron of ``n_layers`` hidden layers, each ``d_model`` wide."""

    activation: Activation = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("activation", self.activation, tuple(_ACTIVATIONS))


class Mlp(nn.Sequential):
    """(B, L, C) -> (B, O)."""

    def __init__(self, config: MlpConfig, shape: ForecastShape) -> None:
        """Build the hidden layers and the head."""
        layers: list[nn.Module] = [nn.Flatten()]
        width = shape.context_length * shape.n_channels
        for _ in range(config.n_layers):
            layers += [
                nn.Linear(width, config.d_model),
                _ACTIVATIONS[config.activation](),
                Dropout(config.dropout),
            ]
            width = config.d_model
        super().__init__(*layers, nn.Linear(width, shape.n_outputs))


SPACE: Space = {"activation": Choice(("relu", "gelu", "tanh"))}


def with_width(config: MlpConfig, width: int) -> MlpConfig:
    """The same perceptron at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="mlp",
    title="multilayer perceptron over the flattened window",
    source="Rumelhart et al. 1986",
    config=MlpConfig,
    module=lambda config, shape: Normalised(Mlp(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=32,
)
