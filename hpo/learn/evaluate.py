"""What a network forecasts, and its score, with dropout off.

Legend: N windows, O outputs.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hpo.learn.settings import TrainSettings, autocast_of
from hpo.learn.windows import Windows
from hpo.scoring.losses import LossFunction


def evaluate(model: nn.Module, windows: Windows, score: LossFunction, settings: TrainSettings) -> float:
    """The mean score over windows, with dropout off."""
    total = 0.0
    for outputs, targets in run_model(model, windows, settings.precision, settings.eval_batch):
        total += score(outputs, targets).item() * len(targets)
    return total / len(windows)


def predict(
    model: nn.Module, windows: Windows, settings: TrainSettings
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The model's outputs for all windows, with dropout off, and the targets; each (N, O)."""
    parts = list(run_model(model, windows, settings.precision, settings.eval_batch))
    outputs = np.concatenate([part.double().cpu().numpy() for part, _ in parts])
    return outputs, np.concatenate([part.double().cpu().numpy() for _, part in parts])


def run_model(
    model: nn.Module, windows: Windows, precision: str, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The model's outputs for batches of windows, with dropout off, and the targets; each (B, O)."""
    model.eval()
    autocast = autocast_of(next(model.parameters()).device, precision)
    with torch.inference_mode():
        for inputs, targets in windows.batches(batch_size):
            with autocast():
                outputs = model(inputs)
            yield outputs.float(), targets
