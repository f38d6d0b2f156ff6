"""PSANN convolution spine: convolutions over time with sine activations, and a linear head.

Source: the ``psann`` package, its convolutional architecture in one dimension, and its attention over the
steps that come out of the spine.

Differs in: dropout after each activation (the package's network has none). The spine's last step, or the mean
over steps, goes through a linear head, as in the package's own probes on Jena and Beijing.

Legend: B batch, L context_length, C channels, D d_model, O n_outputs.
"""

from dataclasses import dataclass, replace

from psann.architectures import ArchitectureConfig, AttentionConfig, ConvolutionConfig
from torch import Tensor, nn

from .base import ForecastShape, ModelFamily, check_choice, check_positive
from .blocks import Normalised
from .psann_network import ACTIVATIONS, SINE_SPACE, W0, SineConfig, add_dropout, build_network
from .space import Choice, Space

AGGREGATIONS = ("last", "mean")


@dataclass(frozen=True, kw_only=True)
class PsannConvConfig(SineConfig):
    """A spine of ``n_layers`` convolutions, each with ``d_model`` channels.

    Attributes:
        w0: Divides the initial weights of all but the first layer.
        activation: "psann", or "relu-sigmoid-psann", which is 0 for negative arguments.
        kernel_size: Steps that a convolution sees; odd, so that the length stays.
        aggregation: "last" step or "mean" of steps.
        attention: Whether the steps attend to each other, with one head, after the spine.
    """

    w0: float = 1.0
    activation: str = "psann"
    kernel_size: int = 5
    aggregation: str = "last"
    attention: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("w0", self.w0)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("aggregation", self.aggregation, AGGREGATIONS)
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {self.kernel_size}")


class PsannConv(nn.Module):
    """(B, L, C) -> (B, O)."""

    def __init__(self, config: PsannConvConfig, shape: ForecastShape) -> None:
        """Build the spine and the head."""
        super().__init__()
        architecture = ArchitectureConfig.convolutional(
            activation=config.activation_config(config.activation),
            convolution=ConvolutionConfig(kernel_size=config.kernel_size, per_element=True),
            attention=AttentionConfig(num_heads=1) if config.attention else None,
        )
        self.spine = build_network(config, shape, architecture, config.d_model, config.w0)
        add_dropout(self.spine, config.dropout, "act")
        self.aggregation = config.aggregation
        self.head = nn.Linear(config.d_model, shape.n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        steps = self.spine(x.transpose(1, 2))  # (B, D, L)
        y: Tensor = self.head(steps[:, :, -1] if self.aggregation == "last" else steps.mean(dim=2))
        return y


SPACE: Space = {
    "w0": W0,
    "activation": Choice(ACTIVATIONS),
    "kernel_size": Choice((3, 5, 7)),
    "aggregation": Choice(AGGREGATIONS),
    "attention": Choice((False, True)),
    **SINE_SPACE,
}


def with_width(config: PsannConvConfig, width: int) -> PsannConvConfig:
    """The same spine at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="psann_conv",
    title="convolutions over time with parameterised sine activations",
    source="psann package, PSANNConv1dNet spine",
    config=PsannConvConfig,
    module=lambda config, shape: Normalised(PsannConv(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=32,
    size_choices=("activation", "kernel_size", "attention"),
)
