"""What the families of the ``psann`` package share: the activation's settings, and how the package builds.

Every network is built by the package through its typed 2.x configuration. Ours are dropout after each
activation (the package has none, or drops whole residual branches) and the activation's own backward pass,
which computes the same (:mod:`hpo.models.sine`).

Legend: L context_length, C channels, N neurons.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from psann.architectures import (
    ActivationConfig,
    ArchitectureBuildRequest,
    ArchitectureConfig,
    build_architecture,
)
from torch import nn

from .base import ForecastShape, ModelConfig, check_choice, check_positive
from .blocks import Dropout
from .sine import fuse
from .space import Choice, Float, Space

DecayMode = Literal["abs", "relu", "none"]
DECAY_MODES: tuple[DecayMode, ...] = ("abs", "relu", "none")


@dataclass(frozen=True, kw_only=True)
class SineConfig(ModelConfig):
    """A network of activations A * exp(-d * g(z)) * sin(f * z), one A, f and d a neuron.

    Attributes:
        decay_mode: What the decay grows with: g(z) = |z|, relu(z), or nothing.
        amplitude_init: Initial A.
        frequency_init: Initial f.
        decay_init: Initial d.
    """

    decay_mode: DecayMode = "abs"
    amplitude_init: float = 1.0
    frequency_init: float = 1.0
    decay_init: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("decay_mode", self.decay_mode, DECAY_MODES)
        for name in ("amplitude_init", "frequency_init", "decay_init"):
            check_positive(name, getattr(self, name))

    def activation_config(self, kind: str = "psann") -> ActivationConfig:
        """The package's config of an activation that holds such sines."""
        return ActivationConfig(
            kind=kind,
            amplitude_init=self.amplitude_init,
            frequency_init=self.frequency_init,
            decay_init=self.decay_init,
            decay_mode=self.decay_mode,
        )


SINE_SPACE: Space = {
    "decay_mode": Choice(DECAY_MODES),
    "amplitude_init": Float(0.3, 3.0, log=True),
    "frequency_init": Float(0.3, 3.0, log=True),
    "decay_init": Float(0.01, 1.0, log=True),
}

W0: Float = Float(0.3, 30.0, log=True)
"""What divides the initial weights of hidden layers (SIREN, Sitzmann et al. 2020).

The package's 30 suits a sine that multiplies its argument by w0; these have a learnt frequency near 1
instead, so that signals of a useful size need a w0 near 1.
"""

ACTIVATIONS = ("psann", "relu-sigmoid-psann")
"""The package's plain relu and tanh make another family: ``mlp`` has them."""


def build_network(
    config: SineConfig,
    shape: ForecastShape,
    architecture: ArchitectureConfig,
    n_outputs: int,
    w0: float = 1.0,
) -> nn.Module:
    """The package's network of an architecture, with fused activations.

    Args:
        config: Depth and width.
        shape: The task's input.
        architecture: The package's architecture; its input is (B, L C), but for sequences and grids (B, L, C)
            and for convolutions (B, C, L).
        n_outputs: Numbers, or channels for convolutions, that come out.
        w0: For the architectures that do not hold their own.
    """
    length, channels = shape.context_length, shape.n_channels
    convolutional = architecture.kind == "convolutional"
    request = ArchitectureBuildRequest(
        architecture=architecture,
        hidden_layers=config.n_layers,
        hidden_units=config.d_model,
        input_shape=(length, channels),
        input_dim=length * channels,
        output_dim=n_outputs,
        spatial_shape=(length,) if convolutional else None,
        spatial_ndim=1 if convolutional else None,
        in_channels=channels if convolutional else None,
        sequence_length=length,
        token_dim=channels,
        per_element=convolutional,
        device=torch.device("cpu"),
        dtype=torch.float32,
        preprocessor=None,
        preprocessor_output_dim=None,
        structure_metadata=None,
        w0=w0,
    )
    return fuse(build_architecture(request).model)


def add_dropout(network: nn.Module, dropout: float, *names: str) -> None:
    """Put dropout after the activations that stand under some names in a network."""
    for module in list(network.modules()):
        for name in names:
            activation = getattr(module, name, None)
            if isinstance(activation, nn.Module):
                setattr(module, name, nn.Sequential(activation, Dropout(dropout)))
