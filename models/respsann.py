"""ResPSANN: residual blocks of two sine layers, normalised before and scaled after.

Source: the ``psann`` package, its dense architecture with a residual policy, over the flattened window.

Differs in: dropout after each activation (the package drops whole branches).
"""

from dataclasses import dataclass, replace

from psann.architectures import ArchitectureConfig, ResidualConfig
from torch import nn

from .base import ForecastShape, ModelFamily, check_choice, check_positive
from .blocks import Normalised
from .psann_network import ACTIVATIONS, SINE_SPACE, W0, SineConfig, add_dropout, build_network
from .space import Choice, Space

NORMS = ("rms", "layer", "none")


@dataclass(frozen=True, kw_only=True)
class ResPsannConfig(SineConfig):
    """A ResPSANN of ``n_layers`` blocks, each of two layers ``d_model`` wide.

    Attributes:
        w0: Divides the initial weights of the blocks.
        activation: "psann", or "relu-sigmoid-psann", which is 0 for negative arguments.
        norm: At the start of each block and before the head.
        alpha_init: Initial scale of a block's branch; at 0 each block begins as the identity.
    """

    w0: float = 1.0
    activation: str = "psann"
    norm: str = "rms"
    alpha_init: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("w0", self.w0)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("norm", self.norm, NORMS)


def build_core(config: ResPsannConfig, shape: ForecastShape) -> nn.Module:
    """The package's residual network over the flattened window, (B, L, C) -> (B, O), with our dropout."""
    architecture = ArchitectureConfig.dense(
        activation=config.activation_config(config.activation),
        residual=ResidualConfig(norm=config.norm, alpha_init=config.alpha_init, hidden_w0=config.w0),
    )
    network = build_network(config, shape, architecture, shape.n_outputs)
    add_dropout(network, config.dropout, "act1", "act2")
    return nn.Sequential(nn.Flatten(), network)


SPACE: Space = {
    "w0": W0,
    "activation": Choice(ACTIVATIONS),
    "norm": Choice(NORMS),
    "alpha_init": Choice((0.0, 0.1, 1.0)),
    **SINE_SPACE,
}


def with_width(config: ResPsannConfig, width: int) -> ResPsannConfig:
    """The same network at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="respsann",
    title="residual blocks of parameterised sine layers over the flattened window",
    source="psann package, dense architecture with residuals",
    config=ResPsannConfig,
    module=lambda config, shape: Normalised(build_core(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=32,
    size_choices=("activation", "norm"),
)
