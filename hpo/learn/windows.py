"""Windows of a series.

Legend: T rows, B batch, L context_length, C channels, K target columns, O outputs.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class Windows:
    """Windows of a series, cut on the device as they are needed; the series is held once."""

    def __init__(
        self,
        series: Tensor,
        targets: Tensor,
        ends: npt.NDArray[np.int64],
        length: int,
        offsets: tuple[int, ...] = (0,),
    ) -> None:
        """Take the series and where the windows are.

        Args:
            series: Inputs, (T, C).
            targets: Target columns, (T, K).
            ends: Last row of each window.
            length: Rows of a window, L.
            offsets: A window that ends at row t has the targets of rows t + offset, step-major.
        """
        series = series.contiguous()  # the strides below are those of rows one after the other
        n_channels = series.shape[1]
        shape = (series.shape[0] - length + 1, length, n_channels)
        self._views = series.as_strided(shape, (n_channels, n_channels, 1))
        self._targets = targets
        self._offsets = torch.tensor(offsets, device=series.device)
        self._ends = torch.from_numpy(ends).to(series.device)
        self._length = length

    def __len__(self) -> int:
        return len(self._ends)

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The chosen windows (B, L, C) and their targets (B, O)."""
        ends = self._ends[chosen]
        targets = self._targets[ends[:, None] + self._offsets].flatten(1)
        return self._views[ends - (self._length - 1)], targets

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All windows in order."""
        for chosen in torch.arange(len(self), device=self._ends.device).split(size):
            yield self.batch(chosen)
