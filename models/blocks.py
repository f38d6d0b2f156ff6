"""Parts that several families share.

Legend: B batch, L context_length, C channels, H horizon, K target columns.
"""

import torch
from torch import Tensor, nn

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
    """A network whose outputs are added to a fixed forecast, so that it starts there and learns the rest.

    Without it a classifier spends its first epochs on finding the base rate (Lin et al., ICCV 2017, start
    their network at the base rate for the same reason).
    """

    offset: Tensor

    def __init__(self, core: nn.Module, offset: Tensor) -> None:
        """Wrap a core that maps (B, L, C) to (B, O); the offset has shape (O,)."""
        super().__init__()
        self.core = core
        self.register_buffer("offset", offset)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        outputs: Tensor = self.core(x)
        return outputs + self.offset


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
