"""Parts that several families share.

Legend: B batch, L context_length, C channels, H horizon, K target columns, S sequences, T tokens, D d_model.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import ForecastShape, Normalisation


class WindowNorm(nn.Module):
    """Normalises each window by its own past and undoes it on the forecast.

    ``revin`` is reversible instance normalisation (Kim et al., ICLR 2022): each channel of a window is
    centred and scaled by its own mean and standard deviation, then, where ``affine``, mapped by a learnt
    weight and bias. ``last``
    subtracts the window's last row (the normalisation of NLinear, Zeng et al., AAAI 2023). Outputs that
    are not values of channels (logits) pass through :meth:`restore` unchanged.
    """

    EPSILON = 1e-5

    def __init__(self, kind: Normalisation, shape: ForecastShape, affine: bool) -> None:
        """Make the normalisation of one model.

        Args:
            kind: "none", "revin" or "last".
            shape: The task's shape; its target channels say which outputs are restored.
            affine: Whether revin has its learnt map.
        """
        super().__init__()
        self.kind = kind
        self.target_channels = list(shape.target_channels)
        self.affine = affine and kind == "revin"
        if self.affine:
            self.weight = nn.Parameter(torch.ones(shape.n_channels))
            self.bias = nn.Parameter(torch.zeros(shape.n_channels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise (B, L, C); also returns the shift and the scale, each (B, 1, C)."""
        if self.kind == "revin":
            shift = x.mean(dim=1, keepdim=True)
            scale = (x.var(dim=1, keepdim=True, unbiased=False) + self.EPSILON).sqrt()
            x = (x - shift) / scale
            return x * self.weight + self.bias if self.affine else x, shift, scale
        if self.kind == "last":
            shift = x[:, -1:, :]
            return x - shift, shift, torch.ones_like(shift)
        shift = torch.zeros_like(x[:, -1:, :])
        return x, shift, torch.ones_like(shift)

    def restore(self, y: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """Undo the normalisation on outputs (B, H * K) that forecast the target channels."""
        if self.kind == "none" or not self.target_channels:
            return y
        k = self.target_channels
        steps = y.reshape(len(y), -1, len(k))
        if self.affine:
            steps = (steps - self.bias[k]) / (self.weight[k] + self.EPSILON**2)
        return (steps * scale[:, :, k] + shift[:, :, k]).flatten(1)


class Offset(nn.Module):
    """A network whose forecast is added to a fixed one, so that it starts there and learns the rest.

    Without it a classifier spends its first epochs on finding the base rate (Lin et al., ICCV 2017, start
    their network at the base rate for the same reason).
    """

    offset: Tensor

    def __init__(self, core: nn.Module, offset: Tensor) -> None:
        """Wrap a core that maps (B, L, C) to (B, O) or more; the offset is for the first O, shape (O,)."""
        super().__init__()
        self.core = core
        self.register_buffer("offset", offset)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        outputs: Tensor = self.core(x)
        n = len(self.offset)
        if outputs.shape[1] == n:
            return outputs + self.offset
        return torch.cat([outputs[:, :n] + self.offset, outputs[:, n:]], dim=1)


class Normalised(nn.Module):
    """A core that sees normalised windows (B, L, C) and whose forecast is restored to the data's scale.

    For cores that begin with a dense layer over the whole window: revin has no affine map of its own
    here, since that layer holds one, and without it the window needs no gradient.
    """

    def __init__(self, core: nn.Module, kind: Normalisation, shape: ForecastShape) -> None:
        """Wrap a core that maps (B, L, C) to (B, O)."""
        super().__init__()
        self.norm = WindowNorm(kind, shape, affine=False)
        self.core = core

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        x, shift, scale = self.norm(x)
        y: Tensor = self.core(x)
        return self.norm.restore(y, shift, scale)


class SelfAttention(nn.Module):
    """Multi-head attention of tokens to each other (Vaswani et al. 2017), (S, T, D) -> (S, T, D)."""

    def __init__(self, width: int, n_heads: int, dropout: float = 0.0) -> None:
        """Make queries, keys and values in one map; ``dropout`` is that of the attention weights."""
        super().__init__()
        self.n_heads = n_heads
        self.dropout = dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(S, T, D) -> (S, T, D)."""
        sequences, tokens, width = x.shape
        qkv = self.qkv(x).view(sequences, tokens, 3, self.n_heads, width // self.n_heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        y: Tensor = self.out(attended.transpose(1, 2).reshape(sequences, tokens, width))
        return y


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each with a residual and a norm after it, (S, T, D) -> (S, T, D)."""

    def __init__(
        self,
        attention: nn.Module,
        width: int,
        d_ff: int,
        dropout: float,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
    ) -> None:
        """Put the layer together around an attention (S, T, D) -> (S, T, D)."""
        super().__init__()
        self.attention = attention
        self.norm_attention = norm(width)
        self.feed_forward = feed_forward(width, d_ff, dropout)
        self.norm_feed_forward = norm(width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(S, T, D) -> (S, T, D)."""
        x = self.norm_attention(x + self.drop(self.attention(x)))
        y: Tensor = self.norm_feed_forward(x + self.drop(self.feed_forward(x)))
        return y


def feed_forward(width: int, d_ff: int, dropout: float) -> nn.Sequential:
    """The two position-wise maps of a transformer layer, GELU between them."""
    return nn.Sequential(nn.Linear(width, d_ff), nn.GELU(), nn.Dropout(dropout), nn.Linear(d_ff, width))


def sinusoidal_position(length: int, width: int) -> Tensor:
    """The fixed position of each token, (length, width), width even (Vaswani et al. 2017)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angle = torch.arange(length)[:, None] * rate
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)
