"""Informer: sparse attention, an encoder that halves its tokens, a decoder that forecasts all steps at once.

Source: Zhou et al., "Informer: Beyond Efficient Transformer for Long Sequence Time-Series Forecasting", AAAI
2021. Attention is computed for the ``factor`` ln(T) queries that differ most from uniform attention, as
measured on sampled keys; the others take the mean of the values (a running sum where the decoder masks what
comes later).

Differs in: keys are sampled from a generator with a fixed seed, so that a forecast is a function of the
window; distilling stops where it would no longer shorten the sequence, so that depth is not bound by the
context; a label (binary, classes) is one decoded token. Attention weights have no dropout, as in the
paper's code. neuralforecast's port joins heads and steps in the wrong order (a view without the transpose),
which mixes steps; this does not.

Legend: B batch, L context_length, C channels, K target columns, H horizon, D d_model, O n_outputs, T tokens.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .base import AttentionConfig, ForecastShape, ModelFamily, check_positive
from .blocks import Dropout, EncoderLayer, WindowNorm, feed_forward, sinusoidal_position
from .space import Choice, Space

N_DECODER_LAYERS = 1


@dataclass(frozen=True, kw_only=True)
class InformerConfig(AttentionConfig):
    """An Informer of ``n_layers`` encoder layers and one decoder layer.

    Attributes:
        factor: How many queries are attended to, in units of the logarithm of their number.
        distil: Whether a convolution and pooling halve the tokens between encoder layers.
    """

    factor: int = 5
    distil: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("factor", self.factor)


class ProbSparseAttention(nn.Module):
    """Multi-head attention for the most telling queries alone, (B, T, D) and (B, S, D) -> (B, T, D)."""

    def __init__(self, width: int, n_heads: int, factor: int, masked: bool = False) -> None:
        """``masked``: a query sees the keys up to its own place."""
        super().__init__()
        self.n_heads, self.factor, self.masked = n_heads, factor, masked
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """Attend from x to memory, or to itself."""
        memory = x if memory is None else memory
        query, key, value = (
            self._heads(self.query(x)),
            self._heads(self.key(memory)),
            self._heads(self.value(memory)),
        )
        n_queries, n_keys, head = query.shape[2], key.shape[2], query.shape[3]
        chosen = self._telling(query, key)  # (B, heads, U)
        places = chosen[..., None].expand(-1, -1, -1, head)
        scores = query.gather(2, places) @ key.transpose(2, 3) / math.sqrt(head)
        if self.masked:
            scores = scores.masked_fill(torch.arange(n_keys, device=x.device) > chosen[..., None], -math.inf)
            context = value.cumsum(dim=2)
        else:
            context = value.mean(dim=2, keepdim=True).expand(-1, -1, n_queries, -1)
        attended = (scores.softmax(dim=-1) @ value).to(context.dtype)
        merged = context.scatter(2, places, attended).transpose(1, 2).flatten(2)
        y: Tensor = self.out(merged)
        return y

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, heads, T, D / heads)."""
        heads: Tensor = x.view(len(x), -1, self.n_heads, x.shape[2] // self.n_heads).transpose(1, 2)
        return heads

    @torch.no_grad()
    def _telling(self, query: Tensor, key: Tensor) -> Tensor:
        """The queries whose largest score on sampled keys stands out from their mean score."""
        n_queries, n_keys = query.shape[2], key.shape[2]
        n_sampled, n_chosen = (
            max(1, min(n, self.factor * math.ceil(math.log(n)))) for n in (n_keys, n_queries)
        )
        generator = torch.Generator().manual_seed(n_queries)
        sample = torch.randint(n_keys, (n_queries, n_sampled), generator=generator).to(key.device)
        # All scores, then those of the sample: gathering the keys themselves takes far longer.
        every = (query @ key.transpose(2, 3)).flatten(2)
        places = sample + n_keys * torch.arange(n_queries, device=key.device)[:, None]
        scores = every.index_select(2, places.flatten()).unflatten(2, sample.shape)
        measure = scores.amax(dim=-1) - scores.sum(dim=-1) / n_keys
        indices: Tensor = measure.topk(n_chosen, sorted=False).indices
        return indices


class _Distil(nn.Module):
    """Convolution and pooling, (B, T, D) -> (B, (T + 1) // 2 + 1, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, padding=2, padding_mode="circular")
        self.norm = nn.BatchNorm1d(width)
        self.pool = nn.MaxPool1d(3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pool(nn.functional.elu(self.norm(self.conv(x.transpose(1, 2))))).transpose(1, 2)
        return y


def shortened(n_tokens: int) -> int:
    """Tokens that a distilling step leaves."""
    return (n_tokens + 1) // 2 + 1


def settled_depth(shape: ForecastShape) -> int:
    """The depth from which on no more distilling steps are added."""
    depth, n_tokens = 1, shape.context_length
    while shortened(n_tokens) < n_tokens:
        depth, n_tokens = depth + 1, shortened(n_tokens)
    return depth


class _Embedding(nn.Module):
    """A convolution over three rows and a fixed position, (B, T, C) -> (B, T, D)."""

    position: Tensor

    def __init__(self, n_channels: int, width: int, length: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_channels, width, 3, padding=1, padding_mode="circular", bias=False)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in", nonlinearity="leaky_relu")
        self.register_buffer("position", sinusoidal_position(length, width), persistent=False)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.drop(self.conv(x.transpose(1, 2)).transpose(1, 2) + self.position)
        return y


class _DecoderLayer(nn.Module):
    """Attention to itself and to the encoder's tokens, then feed-forward, (B, T, D) -> (B, T, D)."""

    def __init__(self, config: InformerConfig) -> None:
        super().__init__()
        width = config.d_model
        self.own = ProbSparseAttention(width, config.n_heads, config.factor, masked=True)
        self.cross = ProbSparseAttention(width, config.n_heads, config.factor)
        self.feed_forward = feed_forward(width, config.d_ff, config.dropout)
        self.norm_own, self.norm_cross, self.norm_feed_forward = (nn.LayerNorm(width) for _ in range(3))
        self.drop = Dropout(config.dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        x = self.norm_own(self.drop(self.own(x), onto=x))
        x = self.norm_cross(self.drop(self.cross(x, memory), onto=x))
        y: Tensor = self.norm_feed_forward(self.drop(self.feed_forward(x), onto=x))
        return y


class Informer(nn.Module):
    """(B, L, C) -> (B, O)."""

    def __init__(self, config: InformerConfig, shape: ForecastShape) -> None:
        """Build encoder, decoder and head."""
        super().__init__()
        width, n_tokens = config.d_model, shape.context_length
        targets = max(1, len(shape.target_channels))
        self.n_steps = shape.n_outputs // targets if shape.target_channels else 1
        self.n_known = math.ceil(shape.context_length / 2)
        self.norm = WindowNorm(config.normalisation, shape, affine=False)
        self.embed = _Embedding(shape.n_channels, width, shape.context_length, config.dropout)
        self.embed_decoder = _Embedding(shape.n_channels, width, self.n_known + self.n_steps, config.dropout)
        layers: list[nn.Module] = []
        for i in range(config.n_layers):
            if config.distil and i > 0 and shortened(n_tokens) < n_tokens:
                layers.append(_Distil(width))
                n_tokens = shortened(n_tokens)
            attention = ProbSparseAttention(width, config.n_heads, config.factor)
            layers.append(EncoderLayer(attention, width, config.d_ff, config.dropout))
        self.encoder = nn.Sequential(*layers, nn.LayerNorm(width))
        self.decoder = nn.ModuleList(_DecoderLayer(config) for _ in range(N_DECODER_LAYERS))
        self.norm_decoder = nn.LayerNorm(width)
        self.head = nn.Linear(width, targets if shape.target_channels else shape.n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        x, shift, scale = self.norm(x)
        memory = self.encoder(self.embed(x))
        known, unknown = x[:, -self.n_known :], x.new_zeros(len(x), self.n_steps, x.shape[2])
        tokens = self.embed_decoder(torch.cat((known, unknown), dim=1))
        for layer in self.decoder:
            tokens = layer(tokens, memory)
        steps = self.head(self.norm_decoder(tokens)[:, -self.n_steps :])  # (B, H, K)
        return self.norm.restore(steps.flatten(1), shift, scale)


SPACE: Space = {"factor": Choice((3, 5)), "distil": Choice((True, False))}


def with_width(config: InformerConfig, width: int) -> InformerConfig:
    """The same network at another width, with feed-forward layers four times as wide."""
    return replace(config, d_model=width, d_ff=4 * width)


FAMILY = ModelFamily(
    name="informer",
    title="sparse attention, distilling encoder, one-shot decoder",
    source="Zhou et al. 2021",
    config=InformerConfig,
    module=Informer,
    space=SPACE,
    with_width=with_width,
    max_layers=32,
    size_choices=("distil",),
    settled_depth=settled_depth,
)
