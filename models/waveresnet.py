"""WaveResNet: a sine stem and residual sine blocks over the flattened window.

Source: the ``psann`` package, its wave architecture; before the stem, the window's rows can be gated in the
frequency domain or attend to each other.

Differs in: nothing; dropout is the package's own, on each block's branch.
"""

import warnings
from dataclasses import dataclass, replace

from psann.architectures import (
    ArchitectureConfig,
    AttentionConfig,
    ResidualConfig,
    SpectralConfig,
    WaveConfig,
)
from torch import nn

from .base import ForecastShape, ModelFamily, check_choice, check_positive
from .blocks import Normalised
from .psann_network import SINE_SPACE, W0, SineConfig, build_network
from .space import Choice, Float, Space

NORMS = ("none", "weight", "rms")
MIXERS = ("none", "spectral", "attention")


@dataclass(frozen=True, kw_only=True)
class WaveResNetConfig(SineConfig):
    """A WaveResNet of ``n_layers`` blocks, each of two layers ``d_model`` wide.

    Attributes:
        first_w0: Multiplies the stem's output before its sine.
        w0: Multiplies the argument of the blocks' sines and divides their initial weights.
        norm: None, of the weights, or of each branch (RMS).
        alpha_init: Initial scale of a block's branch; at 0 each block begins as the identity.
        mixer: What rows of the window go through first: nothing, a spectral gate, or attention of one head.
        k_fft: Rows that the spectral gate sees.
    """

    first_w0: float = 30.0
    w0: float = 1.0
    norm: str = "none"
    alpha_init: float = 0.0
    mixer: str = "none"
    k_fft: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("first_w0", "w0", "k_fft"):
            check_positive(name, getattr(self, name))
        check_choice("norm", self.norm, NORMS)
        check_choice("mixer", self.mixer, MIXERS)


def build_core(config: WaveResNetConfig, shape: ForecastShape) -> nn.Module:
    """The package's network over the flattened window, (B, L, C) -> (B, O)."""
    mixes = shape.context_length > 1  # there is nothing to mix in one row
    architecture = ArchitectureConfig.for_wave(
        activation=config.activation_config(),
        residual=ResidualConfig(alpha_init=config.alpha_init),
        wave=WaveConfig(
            first_w0=config.first_w0, hidden_w0=config.w0, norm=config.norm, dropout=config.dropout
        ),
        spectral=SpectralConfig(k_fft=config.k_fft) if mixes and config.mixer == "spectral" else None,
        attention=AttentionConfig(num_heads=1) if mixes and config.mixer == "attention" else None,
    )
    with (
        warnings.catch_warnings()
    ):  # of a newer way to the same weight norm, which the package does not use yet
        warnings.simplefilter("ignore", FutureWarning)
        network = build_network(config, shape, architecture, shape.n_outputs)
    return nn.Sequential(nn.Flatten(), network)


SPACE: Space = {
    "first_w0": Float(1.0, 60.0, log=True),
    "w0": W0,
    "norm": Choice(NORMS),
    "alpha_init": Choice((0.0, 0.1, 1.0)),
    "mixer": Choice(MIXERS),
    "k_fft": Choice((32, 64, 128)),
    **SINE_SPACE,
}


def with_width(config: WaveResNetConfig, width: int) -> WaveResNetConfig:
    """The same network at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="waveresnet",
    title="sine stem and residual sine blocks over the flattened window",
    source="psann package, wave architecture",
    config=WaveResNetConfig,
    module=lambda config, shape: Normalised(build_core(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=32,
    size_choices=("norm", "mixer", "k_fft"),
)
