"""DLinear: a trend and a remainder, each forecast by one linear map.

Source: Zeng et al., "Are Transformers Effective for Time Series Forecasting?", AAAI 2023. The trend is a
moving average of the window, its ends repeated.

Differs in: a regression maps the target channels alone, as no other channel reaches their forecast in the
paper either; a label's head (binary, classes) is one linear map over trend and remainder of all channels. It
has no width and no depth: on an input it has one size.

Legend: B batch, L context_length, C channels, K target columns, H horizon, O n_outputs.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import ForecastShape, ModelConfig, ModelFamily
from .blocks import Dropout, Normalised
from .space import Choice, Space


@dataclass(frozen=True, kw_only=True)
class DLinearConfig(ModelConfig):
    """A DLinear; width and depth mean nothing to it.

    Attributes:
        kernel_size: Rows of the moving average; odd.
    """

    kernel_size: int = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {self.kernel_size}")


class DLinear(nn.Module):
    """(B, L, C) -> (B, O)."""

    def __init__(self, config: DLinearConfig, shape: ForecastShape) -> None:
        """Build the two maps."""
        super().__init__()
        self.kernel_size = config.kernel_size
        self.targets = list(shape.target_channels)
        self.drop = Dropout(config.dropout)
        n_inputs = shape.context_length * (1 if self.targets else shape.n_channels)
        n_steps = shape.n_outputs // max(1, len(self.targets))
        self.trend, self.remainder = (nn.Linear(n_inputs, n_steps) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        series = x.transpose(1, 2)[:, self.targets] if self.targets else x.transpose(1, 2)
        reach = self.kernel_size // 2
        ends = (series[..., :1].expand(-1, -1, reach), series, series[..., -1:].expand(-1, -1, reach))
        trend = functional.avg_pool1d(torch.cat(ends, dim=2), self.kernel_size, stride=1)
        remainder = series - trend
        if not self.targets:
            trend, remainder = trend.flatten(1), remainder.flatten(1)
        steps: Tensor = self.trend(self.drop(trend)) + self.remainder(self.drop(remainder))
        return steps.transpose(1, 2).flatten(1) if self.targets else steps


SPACE: Space = {"kernel_size": Choice((5, 13, 25, 49))}


def with_width(config: DLinearConfig, width: int) -> DLinearConfig:
    """The same maps."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="dlinear",
    title="one linear map each for trend and remainder",
    source="Zeng et al. 2023",
    config=DLinearConfig,
    module=lambda config, shape: Normalised(DLinear(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=1,
)
