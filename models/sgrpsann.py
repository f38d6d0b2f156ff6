"""SGR-PSANN: sine layers along time with a learnt phase, and a gate in the frequency domain after each.

Source: the ``psann`` package, its sequence architecture: every row of the window is a token.

Differs in: dropout after each activation (the package's network has none).
"""

from dataclasses import dataclass, replace

from psann.architectures import ArchitectureConfig, SequenceConfig, SpectralConfig
from torch import nn

from .base import ForecastShape, ModelFamily, check_choice, check_positive
from .blocks import Normalised
from .psann_network import SINE_SPACE, W0, SineConfig, add_dropout, build_network
from .space import Choice, Float, Space

GATES = ("rfft", "fourier-features")
GROUPS = ("depthwise", "full")
POOLS = ("last", "mean")


@dataclass(frozen=True, kw_only=True)
class SgrPsannConfig(SineConfig):
    """An SGR-PSANN of ``n_layers`` layers, each ``d_model`` wide.

    Attributes:
        w0: Divides the initial weights of all but the first layer.
        k_fft: Rows, from the last back, that a gate sees.
        gate: How it goes to frequencies and back: "rfft" or "fourier-features".
        groups: Whether gated channels are mixed: "depthwise" not, "full" all with all.
        pool: "last" row or "mean" of rows.
        phase_init: Initial phase of the sines.
    """

    w0: float = 1.0
    k_fft: int = 64
    gate: str = "rfft"
    groups: str = "depthwise"
    pool: str = "last"
    phase_init: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("w0", "k_fft"):
            check_positive(name, getattr(self, name))
        check_choice("gate", self.gate, GATES)
        check_choice("groups", self.groups, GROUPS)
        check_choice("pool", self.pool, POOLS)


def build_core(config: SgrPsannConfig, shape: ForecastShape) -> nn.Module:
    """The package's sequence network, (B, L, C) -> (B, O), with our dropout."""
    architecture = ArchitectureConfig.for_sequence(
        activation=config.activation_config(),
        sequence=SequenceConfig(pool=config.pool, phase_init=config.phase_init),
        spectral=SpectralConfig(k_fft=config.k_fft, gate_type=config.gate, groups=config.groups),
    )
    network = build_network(config, shape, architecture, shape.n_outputs, config.w0)
    add_dropout(network, config.dropout, "act")
    return network


SPACE: Space = {
    "w0": W0,
    "k_fft": Choice((32, 64, 128)),
    "gate": Choice(GATES),
    "groups": Choice(GROUPS),
    "pool": Choice(POOLS),
    "phase_init": Float(-1.0, 1.0),
    **SINE_SPACE,
}


def with_width(config: SgrPsannConfig, width: int) -> SgrPsannConfig:
    """The same network at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="sgrpsann",
    title="sine layers along time with phase and spectral gates",
    source="psann package, sequence architecture",
    config=SgrPsannConfig,
    module=lambda config, shape: Normalised(build_core(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=32,
    size_choices=("k_fft", "groups"),
)
