"""What a trial will cost: operations, memory, seconds; nothing is trained and no large model is allocated.

Operations are torch's own count over a model that has shapes but no memory. Memory is weights, gradients, two
moments and the kept best weights, plus what autograd saves for the backward pass. Seconds come from a short
calibration of this machine, kept in the user's cache.

Legend: B batch, L context_length, C channels.
"""

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from hpo.files import read_json, write_json
from hpo.hardware import describe
from hpo.models.base import ForecastShape, ModelConfig, ModelFamily
from hpo.models.sizing import fit_width

BYTES_A_PARAMETER = 20
"""float32 weights, gradients, AdamW's two moments, and the copy of the best weights."""

PROCESS_BYTES = 450_000_000
"""A child with torch loaded, before it builds a model, as measured on Linux."""

CALIBRATION_SECONDS = 1.0
CALIBRATION_PARAMS = 1_000_000
CALIBRATION_BATCH = 128


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one trial will take at most, if it trains all its epochs.

    Attributes:
        flops_per_step: Operations of a forward and backward pass over one effective batch.
        memory_bytes: Predicted peak of the trial's process.
        seconds: Predicted duration on this machine.
    """

    flops_per_step: int
    memory_bytes: int
    seconds: float


@lru_cache(maxsize=1024)
def step_cost(family: ModelFamily, config: ModelConfig, shape: ForecastShape) -> tuple[int, int]:
    """Operations and saved bytes of a forward and backward pass, for each window of a batch."""
    few, many = (_measure(family, config, shape, batch) for batch in (2, 6))
    return (many[0] - few[0]) // 4, (many[1] - few[1]) // 4


def estimate(
    family: ModelFamily,
    config: ModelConfig,
    shape: ForecastShape,
    *,
    param_count: int,
    batch_size: int,
    micro_batch: int,
    n_train: int,
    n_val: int,
    epochs: int,
    data_bytes: int,
    flops_per_second: float,
) -> Cost:
    """Predict what a trial will take.

    Args:
        family: The model family.
        config: The sized config.
        shape: The task's input and output.
        param_count: Its parameters.
        batch_size: Effective batch.
        micro_batch: Windows held at once.
        n_train: Training windows.
        n_val: Validation windows; a forward pass alone is a third of the operations.
        epochs: Epochs at most.
        data_bytes: Size of the series.
        flops_per_second: From :func:`calibrate`.
    """
    flops, saved = step_cost(family, config, shape)
    return Cost(
        flops_per_step=flops * batch_size,
        memory_bytes=PROCESS_BYTES
        + BYTES_A_PARAMETER * param_count
        + saved * min(micro_batch, n_train)
        + 2 * data_bytes,
        seconds=epochs * flops * (n_train + n_val / 3) / flops_per_second,
    )


def calibrate(family: ModelFamily, shape: ForecastShape, device: str, threads: int) -> float:
    """Operations a second that training a family reaches on this machine; measured once, then cached."""
    path = cache_folder() / "calibration.json"
    machine = describe()
    key = "|".join(
        str(part)
        for part in (
            machine["processor"],
            machine["cores"],
            machine["gpus"],
            torch.__version__,
            family.name,
            shape,
            device,
            threads,
        )
    )
    cached: dict[str, float] = {}
    if path.exists():
        try:
            cached = dict(read_json(path))
        except (ValueError, TypeError, OSError):
            cached = {}
    if key not in cached:
        cached[key] = _measure_speed(family, shape, device, threads)
        try:
            write_json(path, cached)
        except OSError:  # a cache that cannot be written costs a second next time
            return cached[key]
    return cached[key]


def cache_folder() -> Path:
    """The user's cache of this program."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "budget-hpo"


def _measure(family: ModelFamily, config: ModelConfig, shape: ForecastShape, batch: int) -> tuple[int, int]:
    """Operations and bytes saved for the backward pass, at a batch size, without memory for either."""
    saved: dict[int, int] = {}
    with FakeTensorMode(), torch.random.fork_rng(devices=[]):
        model = family.build(config, shape)
        weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
        inputs = torch.zeros(batch, shape.context_length, shape.n_channels)

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in weights:
                saved[storage._cdata] = storage.nbytes()
            return tensor

        with FlopCounterMode(display=False) as counter:
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                outputs = model(inputs)
            outputs.sum().backward()
    return int(counter.get_total_flops()), sum(saved.values())


def _measure_speed(family: ModelFamily, shape: ForecastShape, device: str, threads: int) -> float:
    """Train a small model of the family for a second."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        config = fit_width(family, family.config(d_model=8, n_layers=3), shape, CALIBRATION_PARAMS)
        with torch.random.fork_rng(devices=[]):
            model = family.build(config, shape).to(device)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        inputs = torch.randn(CALIBRATION_BATCH, shape.context_length, shape.n_channels, device=device)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss: Tensor = model(inputs).square().mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            loss.item()

        for _ in range(3):
            step()
        n_steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < CALIBRATION_SECONDS:
            step()
            n_steps += 1
        seconds = time.perf_counter() - started
    finally:
        torch.set_num_threads(before)
    return step_cost(family, config, shape)[0] * CALIBRATION_BATCH * n_steps / seconds
