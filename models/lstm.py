"""LSTM: stacked long short-term memory layers over time.

Source: Hochreiter and Schmidhuber 1997; torch's ``nn.LSTM``, with dropout after each layer. The last step's
state goes through a linear head.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .base import ForecastShape, ModelConfig, ModelFamily
from .blocks import Normalised
from .space import Choice, Space


@dataclass(frozen=True, kw_only=True)
class LstmConfig(ModelConfig):
    """An LSTM of ``n_layers`` layers, each ``d_model`` wide.

    Attributes:
        bidirectional: Whether a second set of layers reads the window backwards.
    """

    bidirectional: bool = False


class Lstm(nn.Module):
    """(B, L, C) -> (B, O)."""

    def __init__(self, config: LstmConfig, shape: ForecastShape) -> None:
        """Build the layers and the head."""
        super().__init__()
        self.lstm = nn.LSTM(
            shape.n_channels,
            config.d_model,
            config.n_layers,
            batch_first=True,
            dropout=config.dropout if config.n_layers > 1 else 0.0,
            bidirectional=config.bidirectional,
        )
        self.drop = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.d_model * (2 if config.bidirectional else 1), shape.n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        # Not every processor has a recurrent layer in bf16.
        with torch.autocast(x.device.type, enabled=x.is_cuda):
            steps, _ = self.lstm(x)
        y: Tensor = self.head(self.drop(steps[:, -1]))
        return y


SPACE: Space = {"bidirectional": Choice((False, True))}


def with_width(config: LstmConfig, width: int) -> LstmConfig:
    """The same layers at another width."""
    return replace(config, d_model=width)


FAMILY = ModelFamily(
    name="lstm",
    title="stacked long short-term memory layers",
    source="Hochreiter and Schmidhuber 1997",
    config=LstmConfig,
    module=lambda config, shape: Normalised(Lstm(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=32,
    size_choices=("bidirectional",),
    weight_uses=lambda shape: shape.context_length,
    unseen_memory=3.1,  # measured: 872 MB over 20 bytes a parameter, where the hooks show 186 MB times 1.5
)
