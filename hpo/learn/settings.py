"""How one network is trained."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch

EVAL_BATCH = 1024


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How to train one network.

    Attributes:
        learning_rate: Peak rate of AdamW, after a linear warm-up and before a cosine to zero.
        weight_decay: Decoupled decay of weight matrices; biases, norms and activation parameters have none.
        batch_size: Effective batch: one optimiser step each.
        micro_batch: At most so many windows are held at once; their gradients accumulate.
        epochs: At most so many passes.
        patience: Stop after so many epochs without an improvement of min_delta.
        min_delta: The least improvement that counts, in values of what the best epoch goes by.
        clip_norm: Gradients are clipped to this norm.
        precision: "bf16" runs under autocast, "fp32" does not.
        seed: Of the data order.
    """

    learning_rate: float
    weight_decay: float
    batch_size: int
    micro_batch: int
    epochs: int
    patience: int
    min_delta: float
    clip_norm: float
    precision: str
    seed: int

    @property
    def eval_batch(self) -> int:
        """Windows scored at once; without a backward pass four times as many take less than a step."""
        return min(EVAL_BATCH, 4 * self.micro_batch)


def autocast_of(
    device: torch.device, precision: str
) -> Callable[[], contextlib.AbstractContextManager[object]]:
    """The context in which layers multiply: bf16 under autocast, or as they are."""
    if precision == "bf16":
        return lambda: torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext
