"""A plain transformer encoder over time: each row of the window is a token.

Source: Vaswani et al., "Attention Is All You Need", 2017, with GELU and normalised before each part (Xiong et
al., ICML 2020), which trains deep stacks without a special warm-up. Positions are sinusoidal; the last token,
or the mean token, goes through a linear head.

Legend: B batch, L context_length, C channels, D d_model, O n_outputs.
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from .base import AttentionConfig, ForecastShape, ModelFamily, check_choice
from .blocks import Dropout, EncoderLayer, Normalised, SelfAttention, sinusoidal_position
from .space import Choice, Space

POOLS = ("last", "mean")


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(AttentionConfig):
    """An encoder.

    Attributes:
        pool: What the head reads: the "last" token, or the "mean" of tokens.
    """

    pool: str = "last"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("pool", self.pool, POOLS)


class Transformer(nn.Module):
    """(B, L, C) -> (B, O)."""

    position: Tensor

    def __init__(self, config: TransformerConfig, shape: ForecastShape) -> None:
        """Build embedding, encoder and head."""
        super().__init__()
        width = config.d_model
        self.pool = config.pool
        self.embed = nn.Linear(shape.n_channels, width)
        self.register_buffer("position", sinusoidal_position(shape.context_length, width), persistent=False)
        self.drop = Dropout(config.dropout)
        self.layers = nn.Sequential(
            *(
                EncoderLayer(
                    SelfAttention(width, config.n_heads, config.dropout),
                    width,
                    config.d_ff,
                    config.dropout,
                    norm_first=True,
                )
                for _ in range(config.n_layers)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, shape.n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        tokens = self.norm(self.layers(self.drop(self.embed(x) + self.position)))
        y: Tensor = self.head(tokens[:, -1] if self.pool == "last" else tokens.mean(dim=1))
        return y


SPACE: Space = {"pool": Choice(POOLS)}


def with_width(config: TransformerConfig, width: int) -> TransformerConfig:
    """The same encoder at another width, with feed-forward layers four times as wide."""
    return replace(config, d_model=width, d_ff=4 * width)


FAMILY = ModelFamily(
    name="transformer",
    title="plain transformer encoder over the window's rows",
    source="Vaswani et al. 2017",
    config=TransformerConfig,
    module=lambda config, shape: Normalised(Transformer(config, shape), config.normalisation, shape),
    space=SPACE,
    with_width=with_width,
    max_layers=64,
)
