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
            x = x - shift
            # torch's var takes seven times as long over a dimension that is not the last.
            scale = (x.square().mean(dim=1, keepdim=True) + self.EPSILON).sqrt()
            x = x / scale
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


class Dropout(nn.Module):
    """Drops a number with probability p and scales the others so that the mean stays; p to 1 in 256.

    On a processor torch's own dropout draws each number's fate for 12 to 25 ns; this compares random bytes,
    drawn eight at a time, for 1 to 1.5 ns. They come from torch's generator, so that a training that goes on
    from a saved state of it draws the same masks. On other devices torch's own is as fast.
    """

    def __init__(self, p: float) -> None:
        """Take the probability, in [0, 1)."""
        super().__init__()
        self.p = p

    def forward(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """What is left of x, of any shape; added to ``onto``, of the same shape, in one pass if given."""
        if not self.training or self.p == 0.0:
            return x if onto is None else onto + x
        if x.device.type != "cpu":
            x = functional.dropout(x, self.p)
            return x if onto is None else onto + x
        factors = keep_factors(x, self.p)
        return x * factors if onto is None else torch.addcmul(onto, x, factors)

    def extra_repr(self) -> str:
        """Its probability, where the module is printed."""
        return f"p={self.p}"


def keep_factors(x: Tensor, p: float) -> Tensor:
    """What dropout multiplies x by: 0 with probability p, to 1 in 256, and else the inverse of 1 - p."""
    dropped = min(max(round(256 * p), 1), 255)
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.uint8)[: x.numel()].view(x.shape)
    factors = torch.ge(draws, dropped, out=torch.empty(x.shape, dtype=x.dtype))
    return factors.mul_(256 / (256 - dropped))


class SelfAttention(nn.Module):
    """Multi-head attention of tokens to each other (Vaswani et al. 2017), (S, T, D) -> (S, T, D)."""

    def __init__(self, width: int, n_heads: int, dropout: float = 0.0) -> None:
        """Make queries, keys and values in one map; ``dropout`` is that of the attention weights."""
        super().__init__()
        self.n_heads = n_heads
        self.drop = Dropout(dropout)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(S, T, D) -> (S, T, D)."""
        sequences, tokens, width = x.shape
        qkv = self.qkv(x).view(sequences, tokens, 3, self.n_heads, width // self.n_heads)
        attended = self._attend(*qkv.permute(2, 0, 3, 1, 4))
        y: Tensor = self.out(attended.transpose(1, 2).reshape(sequences, tokens, width))
        return y

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """All (S, heads, T, D / heads)."""
        if not attends_in_plain_products(query, self.drop.p):
            dropout = self.drop.p if self.training else 0.0
            return functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)
        attended: Tensor = self.drop(scores.softmax(dim=-1)) @ value
        return attended


PLAIN_TOKENS = {torch.float32: 32, torch.bfloat16: 64}
"""Up to so many tokens product, softmax, product is faster on a processor than its flash attention."""


def attends_in_plain_products(query: Tensor, dropout: float) -> bool:
    """Whether attention is product, softmax, product here, and not torch's fused one.

    On a processor the fused one has no dropout, and its backward pass is slow for few tokens.
    """
    few = query.shape[-2] <= PLAIN_TOKENS.get(query.dtype, 0)
    return query.device.type == "cpu" and (few or dropout > 0.0)


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each with a residual, (S, T, D) -> (S, T, D).

    The norm comes after each sum (Vaswani et al. 2017), or before each part (Xiong et al., ICML 2020).
    """

    def __init__(
        self,
        attention: nn.Module,
        width: int,
        d_ff: int,
        dropout: float,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
        norm_first: bool = False,
    ) -> None:
        """Put the layer together around an attention (S, T, D) -> (S, T, D)."""
        super().__init__()
        self.norm_first = norm_first
        self.attention = attention
        self.norm_attention = norm(width)
        self.feed_forward = feed_forward(width, d_ff, dropout)
        self.norm_feed_forward = norm(width)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(S, T, D) -> (S, T, D)."""
        if self.norm_first:
            x = self.drop(self.attention(self.norm_attention(x)), onto=x)
            y: Tensor = self.drop(self.feed_forward(self.norm_feed_forward(x)), onto=x)
        else:
            x = self.norm_attention(self.drop(self.attention(x), onto=x))
            y = self.norm_feed_forward(self.drop(self.feed_forward(x), onto=x))
        return y


def feed_forward(width: int, d_ff: int, dropout: float) -> nn.Sequential:
    """The two position-wise maps of a transformer layer, GELU between them."""
    return nn.Sequential(nn.Linear(width, d_ff), nn.GELU(), Dropout(dropout), nn.Linear(d_ff, width))


def sinusoidal_position(length: int, width: int) -> Tensor:
    """The fixed position of each token, (length, width), width even (Vaswani et al. 2017)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angle = torch.arange(length)[:, None] * rate
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)
