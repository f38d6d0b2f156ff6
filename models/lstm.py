"""LSTM: stacked long short-term memory layers over time.

Source: Hochreiter and Schmidhuber 1997; torch's ``nn.LSTM``, with dropout after each layer. The last step's
state goes through a linear head.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .base import ForecastShape, ModelConfig, ModelFamily
from .blocks import Dropout, Normalised
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
        n_features = config.d_model * (2 if config.bidirectional else 1)
        self.layers = nn.ModuleList(
            nn.LSTM(n_inputs, config.d_model, batch_first=True, bidirectional=config.bidirectional)
            for n_inputs in (shape.n_channels, *[n_features] * (config.n_layers - 1))
        )
        self.drop = Dropout(config.dropout)
        self.head = nn.Linear(n_features, shape.n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        # Not every processor has a recurrent layer in bf16.
        with torch.autocast(x.device.type, enabled=x.is_cuda):
            for layer in self.layers[:-1]:
                x = self.drop(layer(x)[0])
            steps, _ = self.layers[-1](x)
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
