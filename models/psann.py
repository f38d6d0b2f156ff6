"""PSANN: a dense network of sine activations with learnt amplitude, frequency and decay.

Source: the ``psann`` package, its dense architecture over the flattened window.

Differs in: dropout after each activation (the package's dense network has none).
"""

from dataclasses import dataclass, replace

from psann.architectures import ArchitectureConfig
from torch import nn

from .base import ForecastShape, ModelFamily, check_choice, check_positive
from .blocks import Normalised
from .psann_network import ACTIVATIONS, SINE_SPACE, W0, SineConfig, add_dropout, build_network
from .space import Choice, Space


@dataclass(frozen=True, kw_only=True)
class PsannConfig(SineConfig):
    """A PSANN of ``n_layers`` hidden layers, each ``d_model`` wide.

    Attributes:
        w0: Divides the initial weights of all but the first layer.
        activation: "psann", or "relu-sigmoid-psann", which is 0 for negative arguments.
    """

    w0: float = 1.0
    activation: str = "psann"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("w0", self.w0)
        check_choice("activation", self.activation, ACTIVATIONS)


def build_core(config: PsannConfig, shape: ForecastShape) -> nn.Module:
    """The package's dense network over the flattened window, (B, L, C) -> (B, O), with our dropout."""
    architecture = ArchitectureConfig.dense(activation=config.activation_config(config.activation))
    network = build_network(config, shape, architecture, shape.n_outputs, config.w0)
    add_dropout(network, config.dropout, "act")
    return nn.Sequential(nn.Flatten(), network)


SPACE: Space = {"w0": W0, "activation": Choice(ACTIVATIONS), **SINE_SPACE}


def with_width(config: PsannConfig, width: int) -> PsannConfig:
    """The same network at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="psann",
    title="dense network of parameterised sine activations over the flattened window",
    source="psann package, dense architecture",
    config=PsannConfig,
    module=lambda config, shape: Normalised(build_core(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=32,
    size_choices=("activation",),
)
