"""PatchTST: a transformer encoder over patches of the window.

Source: Nie et al., "A Time Series is Worth 64 Words", ICLR 2023. Patches of ``patch_len`` rows every
``stride`` rows, the last row repeated ``stride`` times at the end; a learnt position; post-norm encoder
layers with batch normalisation; a linear head over all patches.

Differs in: ``channel_mode`` "mixed" embeds a patch of all channels at once, so that channels that are not
forecast inform those that are; "independent" is the paper's. There, a regression runs the target channels
alone, since no other channel reaches their forecast. A binary head reads the mean over patches.

Legend: B batch, L context_length, C channels, S series (B, or B times channels), P patches, D d_model,
O n_outputs.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from .base import AttentionConfig, ForecastShape, ModelFamily, check_choice, check_positive
from .blocks import Dropout, EncoderLayer, SelfAttention, WindowNorm
from .space import Choice, Space

ChannelMode = Literal["mixed", "independent"]
CHANNEL_MODES: tuple[ChannelMode, ...] = ("mixed", "independent")


@dataclass(frozen=True, kw_only=True)
class PatchTSTConfig(AttentionConfig):
    """A PatchTST.

    Attributes:
        patch_len: Rows in a patch, at most the context.
        channel_mode: "mixed" or "independent".
    """

    patch_len: int = 16
    channel_mode: ChannelMode = "mixed"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("patch_len", self.patch_len)
        check_choice("channel_mode", self.channel_mode, CHANNEL_MODES)

    @property
    def stride(self) -> int:
        """Half a patch, as in the paper."""
        return max(1, self.patch_len // 2)


class _BatchNorm(nn.BatchNorm1d):
    """Batch normalisation over series and patches, (S, P, D)."""

    def forward(self, x: Tensor) -> Tensor:
        # The same numbers as over (S, D, P), four times as fast.
        return super().forward(x.flatten(0, 1)).view_as(x)


class PatchTST(nn.Module):
    """(B, L, C) -> (B, O)."""

    def __init__(self, config: PatchTSTConfig, shape: ForecastShape) -> None:
        """Build embedding, encoder and head.

        Args:
            config: The architecture.
            shape: The task's input and output; a patch is never longer than its context.
        """
        super().__init__()
        self.independent = config.channel_mode == "independent"
        self.targets = list(shape.target_channels)
        self.patch_len = min(config.patch_len, shape.context_length)
        self.stride = min(config.stride, self.patch_len)
        n_patches = (shape.context_length - self.patch_len) // self.stride + 2
        width = config.d_model
        channels_a_patch = 1 if self.independent else shape.n_channels
        self.norm = WindowNorm(config.normalisation, shape, affine=self.independent)
        self.embed = nn.Linear(self.patch_len * channels_a_patch, width)
        self.position = nn.Parameter(torch.empty(n_patches, width).uniform_(-0.02, 0.02))
        self.drop = Dropout(config.dropout)
        self.layers = nn.Sequential(
            *(
                EncoderLayer(
                    SelfAttention(width, config.n_heads), width, config.d_ff, config.dropout, _BatchNorm
                )
                for _ in range(config.n_layers)
            )
        )
        # What the head reads: all patches of one series (regression), the mean patch of all (binary).
        if not self.targets:
            self.head = nn.Linear(width * (shape.n_channels if self.independent else 1), shape.n_outputs)
        else:
            per_series = len(self.targets) if self.independent else 1
            self.head = nn.Linear(width * n_patches, shape.n_outputs // per_series)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O)."""
        x, shift, scale = self.norm(x)
        batch = len(x)
        if self.independent:
            chosen = x[:, :, self.targets] if self.targets else x
            series = chosen.transpose(1, 2).reshape(-1, chosen.shape[1], 1)
        else:
            series = x
        hidden = self._encode(series)
        if not self.targets:
            logits: Tensor = self.head(hidden.mean(dim=1).reshape(batch, -1))
            return logits
        y: Tensor = self.head(hidden.flatten(1))
        if self.independent:  # (B, K, H) of channels to step-major
            y = y.view(batch, len(self.targets), -1).transpose(1, 2).flatten(1)
        return self.norm.restore(y, shift, scale)

    def _encode(self, series: Tensor) -> Tensor:
        """(S, L, channels of a patch) -> (S, P, D)."""
        padded = torch.cat([series, series[:, -1:].expand(-1, self.stride, -1)], dim=1)
        patches = padded.unfold(1, self.patch_len, self.stride).flatten(2)
        hidden: Tensor = self.layers(self.drop(self.embed(patches) + self.position))
        return hidden


SPACE: Space = {
    "patch_len": Choice((8, 16, 24)),
    "channel_mode": Choice(CHANNEL_MODES),
}


def with_width(config: PatchTSTConfig, width: int) -> PatchTSTConfig:
    """The same encoder at another width, with feed-forward layers four times as wide."""
    return replace(config, d_model=width, d_ff=4 * width)


FAMILY = ModelFamily(
    name="patchtst",
    title="transformer encoder over patches of the window",
    source="Nie et al. 2023",
    config=PatchTSTConfig,
    module=PatchTST,
    space=SPACE,
    with_width=with_width,
    max_layers=64,
    size_choices=("patch_len", "channel_mode"),
    canonical=True,
)
