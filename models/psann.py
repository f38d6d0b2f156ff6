"""PSANN: a dense network of sine activations with learnt amplitude, frequency and decay.

Source: the ``psann`` package, whose dense architecture is built here through its typed 2.x
configuration, over the flattened window. The activation is A * exp(-d * g(z)) * sin(f * z), one A, f
and d a neuron.

Differs in: dropout after each activation (the package's dense network has none).
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from psann.architectures import (
    ActivationConfig,
    ArchitectureBuildRequest,
    ArchitectureConfig,
    build_architecture,
)
from torch import nn

from .base import ForecastShape, ModelConfig, ModelFamily, check_choice, check_positive
from .blocks import Normalised
from .space import Choice, Float, Space

DecayMode = Literal["abs", "relu", "none"]
DECAY_MODES: tuple[DecayMode, ...] = ("abs", "relu", "none")


@dataclass(frozen=True, kw_only=True)
class PsannConfig(ModelConfig):
    """A PSANN of ``n_layers`` hidden layers, each ``d_model`` wide.

    Attributes:
        w0: Divides the initial weights of all but the first layer (SIREN, Sitzmann et al. 2020). The
            package's 30 suits a sine that multiplies its argument by w0; this one has a learnt
            frequency near 1 instead, so signals of a useful size need a w0 near 1.
        decay_mode: What the decay grows with: |z|, relu(z), or nothing.
        amplitude_init: Initial A.
        frequency_init: Initial f.
        decay_init: Initial d.
    """

    w0: float = 1.0
    decay_mode: DecayMode = "abs"
    amplitude_init: float = 1.0
    frequency_init: float = 1.0
    decay_init: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("decay_mode", self.decay_mode, DECAY_MODES)
        for name in ("w0", "amplitude_init", "frequency_init", "decay_init"):
            check_positive(name, getattr(self, name))


def build_core(config: PsannConfig, shape: ForecastShape) -> nn.Module:
    """The package's dense network over the flattened window, (B, L, C) -> (B, O), with our dropout."""
    n_inputs = shape.context_length * shape.n_channels
    architecture = ArchitectureConfig.dense(
        activation=ActivationConfig(
            amplitude_init=config.amplitude_init,
            frequency_init=config.frequency_init,
            decay_init=config.decay_init,
            decay_mode=config.decay_mode,
        )
    )
    network = build_architecture(
        ArchitectureBuildRequest(
            architecture=architecture,
            hidden_layers=config.n_layers,
            hidden_units=config.d_model,
            input_shape=(n_inputs,),
            input_dim=n_inputs,
            output_dim=shape.n_outputs,
            spatial_shape=None,
            spatial_ndim=None,
            in_channels=None,
            sequence_length=None,
            token_dim=None,
            per_element=False,
            device=torch.device("cpu"),
            dtype=torch.float32,
            preprocessor=None,
            preprocessor_output_dim=None,
            structure_metadata=None,
            w0=config.w0,
        )
    ).model
    for block in network.body:
        block.act = nn.Sequential(block.act, nn.Dropout(config.dropout))
    return nn.Sequential(nn.Flatten(), network)


SPACE: Space = {
    "w0": Float(0.3, 30.0, log=True),
    "decay_mode": Choice(DECAY_MODES),
    "frequency_init": Float(0.3, 3.0, log=True),
    "decay_init": Float(0.01, 1.0, log=True),
}


def with_width(config: PsannConfig, width: int) -> PsannConfig:
    """The same network at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="psann",
    title="dense network of parameterised sine activations over the flattened window",
    source="psann package, dense architecture",
    config=PsannConfig,
    build=lambda config, shape: Normalised(build_core(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=32,
)
