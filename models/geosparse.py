"""GeoSparse: residual sine layers whose neurons stand on the window's grid and read their neighbours alone.

Source: the ``psann`` package, its geometric-sparse architecture on the grid of rows and channels. There are
as many neurons a layer as the window has numbers, so depth and fan-in are all that a budget can choose:
``d_model`` is here the fan-in, the inputs that each neuron reads.

Differs in: dropout after each activation (the package drops whole branches).
"""

import itertools
from dataclasses import dataclass, replace

from psann.architectures import ArchitectureConfig, GeometryConfig, ResidualConfig
from psann.layers.geo_sparse import GeoSparseLinear
from torch import nn

from .base import ForecastShape, ModelFamily, check_choice
from .blocks import Normalised
from .psann_network import SINE_SPACE, SineConfig, add_dropout, build_network
from .space import Choice, Space

ACTIVATIONS = ("psann", "phase-psann", "relu-sigmoid-psann", "mixed")
MIXED = ("psann", "phase-psann", "relu", "tanh")
"""What neurons of a mixed layer have, a quarter each."""
PATTERNS = ("local", "random", "hash")
NORMS = ("rms", "layer", "none")
MAX_RADIUS = 12


@dataclass(frozen=True, kw_only=True)
class GeoSparseConfig(SineConfig):
    """``n_layers`` blocks of two sparse layers, whose neurons read ``d_model`` inputs each.

    Attributes:
        activation: Of the package's, or a fixed mix of them over neurons.
        pattern: Which of the neighbours are read: the nearest ("local"), or drawn ones ("random", "hash").
        extra_radius: Rings of neighbours beyond the smallest square that holds ``d_model`` of them.
        norm: At the start of each block.
        alpha_init: Initial scale of a block's branch; at 0 each block begins as the identity.
    """

    activation: str = "psann"
    pattern: str = "local"
    extra_radius: int = 0
    norm: str = "rms"
    alpha_init: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("pattern", self.pattern, PATTERNS)
        check_choice("norm", self.norm, NORMS)
        if self.extra_radius < 0:
            raise ValueError(f"extra_radius must be 0 or more, got {self.extra_radius}")


def offsets_of(radius: int, shape: ForecastShape) -> tuple[tuple[int, int], ...]:
    """The neighbours within a radius as steps of (rows, channels), the nearest first.

    As many steps along an axis as a neuron in the middle of the grid can take without meeting an input twice.
    """
    rows = min(radius, (shape.context_length - 1) // 2)
    channels = min(radius, (shape.n_channels - 1) // 2)
    steps = itertools.product(range(-rows, rows + 1), range(-channels, channels + 1))
    return tuple(sorted(steps, key=lambda step: (max(map(abs, step)), sum(map(abs, step)), step)))


def radius_of(config: GeoSparseConfig, shape: ForecastShape) -> int:
    """The smallest radius that holds the fan-in, and the extra rings."""
    fits = (radius for radius in range(MAX_RADIUS) if len(offsets_of(radius, shape)) >= config.d_model)
    return next(fits, MAX_RADIUS) + config.extra_radius


def build_core(config: GeoSparseConfig, shape: ForecastShape) -> nn.Module:
    """The package's network over the window's grid, (B, L, C) -> (B, O), with our dropout."""
    activation = config.activation_config()
    if config.activation == "mixed":
        activation = replace(activation, kind="mixed", activation_types=MIXED, mix_seed=0)
    architecture = ArchitectureConfig.geometric_sparse(
        activation=replace(activation, kind=config.activation),
        residual=ResidualConfig(norm=config.norm, alpha_init=config.alpha_init),
        geometry=GeometryConfig(
            shape=(shape.context_length, shape.n_channels),
            k=config.d_model,
            pattern=config.pattern,
            offsets=offsets_of(radius_of(config, shape), shape),
            seed=0,
        ),
    )
    network = build_network(config, shape, architecture, shape.n_outputs)
    _hold_indices_once(network)
    add_dropout(network, config.dropout, "act")
    return nn.Sequential(nn.Flatten(), network)


def _hold_indices_once(network: nn.Module) -> None:
    """Keep indices, which follow from the config, out of the saved weights, and equal ones in one tensor."""
    layers = [module for module in network.modules() if isinstance(module, GeoSparseLinear)]
    for layer in layers:
        layer.register_buffer("in_index_per_out", layer.in_index_per_out, persistent=False)
        layer.register_buffer("src_index", layer.src_index, persistent=False)
        layer.register_buffer("dst_index", layers[0].dst_index, persistent=False)


SPACE: Space = {
    "activation": Choice(ACTIVATIONS),
    "pattern": Choice(PATTERNS),
    "extra_radius": Choice((0, 1, 2)),
    "norm": Choice(NORMS),
    "alpha_init": Choice((0.0, 0.1, 1.0)),
    **SINE_SPACE,
}


def with_width(config: GeoSparseConfig, width: int) -> GeoSparseConfig:
    """The same network with another fan-in."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="geosparse",
    title="residual sine layers of neurons on the window's grid that read their neighbours",
    source="psann package, geometric-sparse architecture",
    config=GeoSparseConfig,
    module=lambda config, shape: Normalised(build_core(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=64,
    size_choices=("activation", "norm"),
    weight_uses=lambda _shape: 1,
    needs_memory=True,
    max_width=lambda _config, shape: len(offsets_of(MAX_RADIUS, shape)),
)
