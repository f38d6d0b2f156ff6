"""iTransformer: attention across channels, each channel's whole window one token.

Source: Liu et al., "iTransformer: Inverted Transformers Are Effective for Time Series Forecasting", ICLR
2024. A linear map embeds a channel's window; post-norm encoder layers; a layer norm; a linear map from each
target channel's token to its forecast.

Differs in: a label's head (binary, classes) reads the mean token, which the paper has no use for;
normalisation is a choice among the family's, the paper's being revin without a learnt map.

Legend: B batch, L context_length, C channels, K target columns, H horizon, D d_model, O n_outputs.
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from .base import AttentionConfig, ForecastShape, ModelFamily
from .blocks import Dropout, EncoderLayer, SelfAttention, WindowNorm
from .space import Space


@dataclass(frozen=True, kw_only=True)
class ITransformerConfig(AttentionConfig):
    """An iTransformer; all its settings are those of an encoder."""


class ITransformer(nn.Module):
    """(B, L, C) -> (B, O)."""

    def __init__(self, config: ITransformerConfig, shape: ForecastShape) -> None:
        """Build embedding, encoder and head."""
        super().__init__()
        width = config.d_model
        self.targets = list(shape.target_channels)
        self.norm = WindowNorm(config.normalisation, shape, affine=False)
        self.embed = nn.Linear(shape.context_length, width)
        self.drop = Dropout(config.dropout)
        self.layers = nn.Sequential(
            *(
                EncoderLayer(
                    SelfAttention(width, config.n_heads, config.dropout), width, config.d_ff, config.dropout
                )
                for _ in range(config.n_layers)
            ),
            nn.LayerNorm(width),
        )
        self.head = nn.Linear(width, shape.n_outputs // max(1, len(self.targets)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        x, shift, scale = self.norm(x)
        tokens = self.layers(self.drop(self.embed(x.transpose(1, 2))))  # (B, C, D)
        if not self.targets:
            logits: Tensor = self.head(tokens.mean(dim=1))
            return logits
        steps = self.head(tokens[:, self.targets])  # (B, K, H)
        return self.norm.restore(steps.transpose(1, 2).flatten(1), shift, scale)


SPACE: Space = {}


def with_width(config: ITransformerConfig, width: int) -> ITransformerConfig:
    """The same encoder at another width, with feed-forward layers four times as wide."""
    return replace(config, d_model=width, d_ff=4 * width)


FAMILY = ModelFamily(
    name="itransformer",
    title="transformer encoder across channels",
    source="Liu et al. 2024",
    config=ITransformerConfig,
    module=ITransformer,
    space=SPACE,
    with_width=with_width,
    max_layers=64,
    canonical=True,
)
