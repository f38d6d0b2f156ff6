"""What a trial's process holds at its peak, and how large a micro-batch the memory at hand allows.

Legend: B batch, L context_length, C channels.
"""

import contextlib
from dataclasses import dataclass, replace
from functools import lru_cache

import psutil
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from hpo.models.apart import undisturbed
from hpo.models.base import ForecastShape, ModelConfig, ModelFamily

WEIGHT_BYTES = 4
"""float32; gradients, each of AdamW's two moments and the copy of the best weights take as much again."""

BF16_BYTES = 2
"""Autocast's copy of a weight."""

PROCESS_BYTES = 450_000_000
"""A child with torch loaded, before it builds a model, as measured on Linux."""

HEAP_FACTOR = 1.5
"""The heap over what autograd saves: gradients on their way back, and holes; measured 1.3 to 1.8."""

USABLE = 0.85
"""Of the memory that is free, so that the rest of the machine keeps some."""

_MEASURED_BATCHES = (2, 4)


@dataclass(frozen=True, kw_only=True)
class MemoryNeed:
    """Peak memory of a trial's process.

    Activations are held before there are gradients, and are gone when the last gradient and the copy of the
    best weights are made: the peak is at the one moment or the other.

    Attributes:
        base_bytes: The process and the data.
        state_bytes: Weights, gradients, moments and best weights.
        step_bytes: What of these a forward pass finds.
        window_bytes: Activations of one window.
    """

    base_bytes: int
    state_bytes: int
    step_bytes: int
    window_bytes: int

    def at(self, micro_batch: int) -> int:
        """Bytes at a micro-batch."""
        return self.base_bytes + max(self.state_bytes, self.step_bytes + micro_batch * self.window_bytes)


def memory_need(
    family: ModelFamily,
    config: ModelConfig,
    shape: ForecastShape,
    *,
    param_count: int,
    precision: str,
    epochs: int,
    data_bytes: int,
) -> MemoryNeed:
    """Predict what a trial takes, without allocating it.

    Args:
        family: The model family.
        config: The sized config.
        shape: The task's input and output.
        param_count: Its parameters.
        precision: "fp32" or "bf16".
        epochs: After the first, the best weights stand beside the rest.
        data_bytes: Size of the series.
    """
    copies = BF16_BYTES if precision == "bf16" else 0
    saved = step_cost(family, config, shape, precision).saved_bytes
    return MemoryNeed(
        base_bytes=PROCESS_BYTES + 2 * data_bytes,
        state_bytes=5 * WEIGHT_BYTES * param_count,
        step_bytes=((4 if epochs > 1 else 3) * WEIGHT_BYTES + copies) * param_count,
        window_bytes=round(HEAP_FACTOR * family.unseen_memory * saved),
    )


def available_bytes(device: str) -> int:
    """Memory that is free on a device."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def fit_micro_batch(need: MemoryNeed, batch_size: int, available: int) -> int:
    """The whole batch if it fits, else the largest power of two that does; 0 if not even one window fits."""
    usable = USABLE * available
    if need.at(batch_size) <= usable:
        return batch_size
    if need.at(1) > usable:
        return 0
    largest = int((usable - need.base_bytes - need.step_bytes) // need.window_bytes)
    return 1 << (largest.bit_length() - 1)


@dataclass(frozen=True)
class StepCost:
    """What a forward and backward pass takes for each window of a batch."""

    flops: int
    saved_bytes: int


def step_cost(
    family: ModelFamily, config: ModelConfig, shape: ForecastShape, precision: str = "fp32"
) -> StepCost:
    """Operations, as torch counts them, and the bytes that autograd's hooks see saved.

    Measured on shallow networks without memory: from some depth on, each layer takes the same.
    """
    settled = family.settled_depth(shape)
    if config.n_layers <= settled + 1:
        return _measure(family, config, shape, precision)
    first, second = (
        _measure(family, replace(config, n_layers=n), shape, precision) for n in (settled, settled + 1)
    )
    further = config.n_layers - settled
    return StepCost(
        flops=first.flops + further * (second.flops - first.flops),
        saved_bytes=first.saved_bytes + further * (second.saved_bytes - first.saved_bytes),
    )


@lru_cache(maxsize=1024)
def _measure(family: ModelFamily, config: ModelConfig, shape: ForecastShape, precision: str) -> StepCost:
    """The cost of a window, from two batches: what both hold, autocast's copies of weights, drops out."""
    few, many = (_pass(family, config, shape, precision, batch) for batch in _MEASURED_BATCHES)
    further = _MEASURED_BATCHES[1] - _MEASURED_BATCHES[0]
    return StepCost(
        flops=(many.flops - few.flops) // further,
        saved_bytes=(many.saved_bytes - few.saved_bytes) // further,
    )


def _pass(
    family: ModelFamily, config: ModelConfig, shape: ForecastShape, precision: str, batch: int
) -> StepCost:
    """One forward and backward pass."""
    saved: dict[int, int] = {}
    without_memory = contextlib.nullcontext() if family.needs_memory else FakeTensorMode()
    with undisturbed(), without_memory:
        model = family.build(config, shape)
        weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
        inputs = torch.zeros(batch, shape.context_length, shape.n_channels)

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in weights:
                saved[storage._cdata] = storage.nbytes()
            return tensor

        with FlopCounterMode(display=False) as counter:
            with (
                torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
                torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"),
            ):
                outputs = model(inputs)
            outputs.sum().backward()
        param_count = sum(parameter.numel() for parameter in model.parameters())
    flops = batch * family.window_flops(int(counter.get_total_flops()) // batch, param_count, shape)
    return StepCost(flops=flops, saved_bytes=sum(saved.values()))
