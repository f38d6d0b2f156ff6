"""The optimiser and its learning rate over the steps of a training."""

import math
from collections.abc import Callable

import torch
from torch import nn

WARMUP_FRACTION = 0.05
MAX_WARMUP_STEPS = 100


def warmup_cosine(total_steps: int) -> Callable[[int], float]:
    """The learning rate's factor at a step: a linear warm-up, then a cosine to zero."""
    warmup = max(1, min(MAX_WARMUP_STEPS, round(WARMUP_FRACTION * total_steps)))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, total_steps - warmup)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))

    return factor


def make_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW; weight matrices decay, biases, norms and activation parameters do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)
