"""TCN: residual blocks of dilated causal convolutions over time.

Source: Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
Sequence Modeling", 2018. A block is two convolutions of one dilation, each with ReLU and dropout, and a
residual; the last step goes through a linear head.

Differs in: channels are embedded by a linear map before the first block, whose residual then needs none;
dilations double from block to block until one spans the window, then start again at 1, so that deep networks
stay useful; weights are not normalised.

Legend: B batch, L context_length, C channels, D d_model, O n_outputs.
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn import functional

from .base import ForecastShape, ModelConfig, ModelFamily, check_positive
from .blocks import Dropout, Normalised
from .space import Choice, Space


@dataclass(frozen=True, kw_only=True)
class TcnConfig(ModelConfig):
    """A TCN of ``n_layers`` blocks, each with ``d_model`` channels.

    Attributes:
        kernel_size: Steps that a convolution sees, ``dilation`` apart.
    """

    kernel_size: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("kernel_size", self.kernel_size)


class _CausalConv(nn.Conv1d):
    """A convolution that sees the step and what came before, (B, D, L) -> (B, D, L)."""

    def forward(self, x: Tensor) -> Tensor:
        (past,) = self.dilation
        return super().forward(functional.pad(x, ((self.kernel_size[0] - 1) * past, 0)))


class _Block(nn.Module):
    """(B, D, L) -> (B, D, L)."""

    def __init__(self, config: TcnConfig, dilation: int) -> None:
        super().__init__()
        width, size = config.d_model, config.kernel_size
        self.branch = nn.Sequential(
            _CausalConv(width, width, size, dilation=dilation),
            nn.ReLU(),
            Dropout(config.dropout),
            _CausalConv(width, width, size, dilation=dilation),
            nn.ReLU(),
            Dropout(config.dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = functional.relu(x + self.branch(x))
        return y


def dilations(n_blocks: int, kernel_size: int, context_length: int) -> list[int]:
    """1, 2, 4, ... up to the first that spans the window, over and over."""
    cycle = [1]
    while (kernel_size - 1) * cycle[-1] + 1 < context_length and kernel_size > 1:
        cycle.append(2 * cycle[-1])
    return [cycle[i % len(cycle)] for i in range(n_blocks)]


class Tcn(nn.Module):
    """(B, L, C) -> (B, O)."""

    def __init__(self, config: TcnConfig, shape: ForecastShape) -> None:
        """Build the blocks and the head."""
        super().__init__()
        self.embed = nn.Conv1d(shape.n_channels, config.d_model, 1)
        steps = dilations(config.n_layers, config.kernel_size, shape.context_length)
        self.blocks = nn.Sequential(*(_Block(config, dilation) for dilation in steps))
        self.head = nn.Linear(config.d_model, shape.n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        y: Tensor = self.head(self.blocks(self.embed(x.transpose(1, 2)))[:, :, -1])
        return y


SPACE: Space = {"kernel_size": Choice((2, 3, 5, 7))}


def with_width(config: TcnConfig, width: int) -> TcnConfig:
    """The same blocks at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="tcn",
    title="residual blocks of dilated causal convolutions",
    source="Bai et al. 2018",
    config=TcnConfig,
    module=lambda config, shape: Normalised(Tcn(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=64,
    size_choices=("kernel_size",),
)
