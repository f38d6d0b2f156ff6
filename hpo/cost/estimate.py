"""What a trial will cost: operations, memory, seconds; nothing is trained and no large model is allocated.

Operations are torch's own count over a model that has shapes but no memory. Seconds come from a short
calibration of this machine, kept in the user's cache.

Legend: B batch, L context_length, C channels.
"""

import contextlib
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hpo.cost.memory import step_cost
from hpo.errors import StorageError
from hpo.learn.settings import EVAL_BATCH
from hpo.models.apart import undisturbed
from hpo.models.base import ForecastShape, ModelConfig, ModelFamily
from hpo.models.sizing import fit_width
from hpo.system.files import read_json, write_json
from hpo.system.hardware import describe

CALIBRATION_SECONDS = 0.7
CALIBRATION_LAYERS = (2, 12)
CALIBRATION_BATCH = 128
MAX_CALIBRATION_PARAMS = 2_000_000
"""Larger models reach the same speed; calibrating on them would take long."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one trial will take at most, if it trains all its epochs.

    Attributes:
        flops_per_step: Operations of a forward and backward pass over one effective batch.
        seconds: Predicted duration on this machine.
    """

    flops_per_step: int
    seconds: float


@dataclass(frozen=True)
class Speed:
    """How fast this machine trains a family: a step takes its operations over a rate, and a time a layer.

    Attributes:
        flops_per_second: The rate.
        seconds_per_layer: What each layer costs a step however little it computes.
    """

    flops_per_second: float
    seconds_per_layer: float


def estimate(
    family: ModelFamily,
    config: ModelConfig,
    shape: ForecastShape,
    *,
    batch_size: int,
    n_train: int,
    n_val: int,
    epochs: int,
    speed: Speed,
) -> Cost:
    """Predict what a trial will take.

    Args:
        family: The model family.
        config: The sized config.
        shape: The task's input and output.
        batch_size: Effective batch.
        n_train: Training windows.
        n_val: Validation windows; a forward pass alone is a third of the operations.
        epochs: Epochs at most; scoring both parts at the end adds a third of one.
        speed: From :func:`calibrate`.
    """
    flops = step_cost(family, config, shape).flops
    windows = (epochs + 1 / 3) * (n_train + n_val / 3)
    steps = epochs * (
        math.ceil(n_train / batch_size) + math.ceil(n_val / min(EVAL_BATCH, 4 * batch_size)) / 3
    )
    return Cost(
        flops_per_step=flops * batch_size,
        seconds=flops * windows / speed.flops_per_second + steps * config.n_layers * speed.seconds_per_layer,
    )


def calibrate(family: ModelFamily, shape: ForecastShape, budget: int, device: str, threads: int) -> Speed:
    """How fast this machine trains models of a budget; measured once, then read from the user's cache."""
    path = cache_folder() / "calibration.json"
    machine = describe()
    n_params = min(budget, MAX_CALIBRATION_PARAMS)
    parts = (machine["processor"], machine["cores"], machine["gpus"], torch.__version__, family.name)
    key = "|".join(map(str, (*parts, shape, n_params, device, threads)))
    cached: dict[str, dict[str, float]] = {}
    if path.exists():
        try:
            cached = dict(read_json(path))
            return Speed(**cached[key])
        except (KeyError, ValueError, TypeError, StorageError):
            pass  # nothing there, or torn: it is measured and written again
    with undisturbed():  # the threads are the whole process's: nobody else may take ours for its own
        speed = _measure_speed(family, shape, n_params, device, threads)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs a second next time
        write_json(path, {**cached, key: asdict(speed)})
    return speed


def cache_folder() -> Path:
    """The user's cache of this program."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "budget-hpo"


def _measure_speed(
    family: ModelFamily, shape: ForecastShape, n_params: int, device: str, threads: int
) -> Speed:
    """Train a shallow and a deep model for a moment each, and solve for the two parts of a step's time."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        flops, seconds = [], []
        for n_layers in CALIBRATION_LAYERS:
            config = fit_width(family, family.config(d_model=8, n_layers=n_layers), shape, n_params)
            flops.append(step_cost(family, config, shape).flops * CALIBRATION_BATCH)
            seconds.append(_seconds_per_step(family, config, shape, device))
    finally:
        torch.set_num_threads(before)
    matrix = np.column_stack([flops, CALIBRATION_LAYERS])
    per_flop, per_layer = np.linalg.solve(matrix, seconds)
    if per_flop <= 0 or per_layer < 0:  # noise: take the slower rate and no cost a layer
        per_flop, per_layer = max(t / f for t, f in zip(seconds, flops, strict=True)), 0.0
    return Speed(flops_per_second=float(1 / per_flop), seconds_per_layer=float(per_layer))


def _seconds_per_step(family: ModelFamily, config: ModelConfig, shape: ForecastShape, device: str) -> float:
    model = family.build(config, shape).to(device)
    inputs = torch.randn(CALIBRATION_BATCH, shape.context_length, shape.n_channels).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss: Tensor = model(inputs).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()

    for _ in range(2):
        step()
    # The fastest step: what else the machine does meanwhile would stay in the cache.
    fastest, started = math.inf, time.perf_counter()
    while time.perf_counter() - started < CALIBRATION_SECONDS:
        begun = time.perf_counter()
        step()
        fastest = min(fastest, time.perf_counter() - begun)
    return fastest
