"""One trial in a process of its own, so that a crash in it costs that trial and nothing else.

The child trains and reports each epoch; the parent answers whether to go on. Children come from a fork
server that has torch loaded, and end by themselves when their parent is gone.
"""

import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hpo.files import write_bytes
from hpo.losses import LossFunction, loss_function, score_function
from hpo.metrics import Scorer
from hpo.models.base import ForecastShape, ModelConfig
from hpo.models.blocks import Offset
from hpo.registry import get_family
from hpo.train import DivergedError, EpochResult, TrainResult, TrainSettings, Windows, predict, train

_CONTEXT = multiprocessing.get_context("forkserver")
# Optimisers and the flop counter import torch._dynamo when first used: 2 s that each child would pay.
_CONTEXT.set_forkserver_preload([__name__, "torch._dynamo", "sklearn.metrics"])
_POLL_SECONDS = 0.2
_EXIT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a child needs to train one trial.

    Attributes:
        family: Name of the model family.
        model: The family's config, sized.
        shape: The task's input and output.
        task: "binary" or "regression".
        features: Scaled series (T, C).
        targets: Target columns, (T, K).
        target_offsets: A window that ends at row t has the targets of rows t + offset.
        scorer: Turns outputs into metrics.
        offset: The constant forecast that the network starts from, (O,).
        train_ends: Last row of each training window.
        val_ends: Last row of each validation window.
        loss: Name of the training loss.
        focal_gamma: For the focal loss.
        focal_alpha: For the focal loss.
        settings: How to train.
        seed: Of the initial weights and of dropout.
        device: "cpu" or "cuda".
        threads: CPU threads.
        weights: Where to keep the best weights, if the trial is the best so far.
        beats: The value it must stay below to be the best so far.
    """

    family: str
    model: ModelConfig
    shape: ForecastShape
    task: str
    features: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    target_offsets: tuple[int, ...]
    scorer: Scorer
    offset: npt.NDArray[np.float32]
    train_ends: npt.NDArray[np.int64]
    val_ends: npt.NDArray[np.int64]
    loss: str
    focal_gamma: float
    focal_alpha: float | None
    settings: TrainSettings
    seed: int
    device: str
    threads: int
    weights: Path
    beats: float


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A trial that trained to its end, whether by epochs, by patience or by the parent's word."""

    best_epoch: int
    best_value: float
    stopped_because: str
    steps: int
    param_count: int
    train_metrics: dict[str, float]
    val_metrics: dict[str, float]
    confusion: dict[str, int] | None
    peak_memory_bytes: int
    flops_per_step: int
    samples_per_second: float


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A trial that did not.

    Attributes:
        kind: "diverged", "out of memory", "error" or "killed".
        type: The exception's name, or the signal's.
        message: What it said.
        traceback: Where, if it was an exception.
    """

    kind: str
    type: str
    message: str
    traceback: str | None


class InterruptedTrialError(Exception):
    """The study is stopping; the trial was ended and will run again."""


def start_fork_server() -> None:
    """Start the server that children come from, so that its imports overlap with other work."""
    forkserver.ensure_running()


def run_in_child(
    job: Job, on_epoch: Callable[[EpochResult], bool], stop: threading.Event
) -> Finished | Failed:
    """Train one trial in a child process.

    Args:
        job: What to train.
        on_epoch: Told of each epoch; returns False to end the trial there.
        stop: When set, the child is ended.

    Raises:
        InterruptedTrialError: ``stop`` was set before the trial ended.
    """
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_child, args=(job, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            multiprocessing.connection.wait([ours, process.sentinel], timeout=_POLL_SECONDS)
            if stop.is_set():
                raise InterruptedTrialError
            if not ours.poll():
                if process.is_alive():
                    continue
                return _killed(process.exitcode)
            try:
                message = ours.recv()
                if isinstance(message, EpochResult):
                    answer = on_epoch(message)
                    ours.send(answer)
                    continue
            except (EOFError, ConnectionError):
                process.join(_EXIT_SECONDS)
                return _killed(process.exitcode)
            assert isinstance(message, Finished | Failed)
            return message
    finally:
        process.join(0 if process.is_alive() and stop.is_set() else _EXIT_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        ours.close()


def _killed(exit_code: int | None) -> Failed:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return Failed(
            kind="killed",
            type=name,
            message=f"the trial's process was ended by {name}",
            traceback=None,
        )
    return Failed(
        kind="killed",
        type="ProcessExit",
        message=f"the trial's process left with exit code {exit_code} and no result",
        traceback=None,
    )


def _child(job: Job, connection: Connection) -> None:
    """The child's life: train, report, answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    outcome: Finished | Failed
    try:
        outcome = _train(job, connection)
    except DivergedError as error:
        outcome = _failed("diverged", error)
    except (MemoryError, torch.OutOfMemoryError) as error:
        outcome = _failed("out of memory", error)
    except RuntimeError as error:
        # torch's CPU allocator has no exception class of its own.
        kind = "out of memory" if "can't allocate memory" in str(error) else "error"
        outcome = _failed(kind, error)
    except Exception as error:  # a bug is recorded with its traceback; the study goes on
        outcome = _failed("error", error)
    connection.send(outcome)
    connection.close()


def _leave_with_parent() -> None:
    """End this process when the one that asked for it is gone, however it ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _failed(kind: str, error: BaseException) -> Failed:
    return Failed(
        kind=kind,
        type=type(error).__name__,
        message=str(error) or type(error).__name__,
        traceback=traceback.format_exc(),
    )


def _train(job: Job, connection: Connection) -> Finished:
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    device = torch.device(job.device)
    family = get_family(job.family)
    core = family.build(job.model, job.shape)
    model = Offset(core, torch.from_numpy(job.offset)).to(device)
    series = torch.from_numpy(job.features).to(device)
    targets = torch.from_numpy(job.targets).to(device)
    train_windows, val_windows = (
        Windows(series, targets, ends, job.shape.context_length, job.target_offsets)
        for ends in (job.train_ends, job.val_ends)
    )
    loss = loss_function(job.loss, job.task, job.focal_gamma, job.focal_alpha)

    def report(row: EpochResult) -> bool:
        connection.send(row)
        answer: bool = connection.recv()
        return answer

    param_count = sum(parameter.numel() for parameter in model.parameters())
    counted = _counted_flops(model, train_windows, loss)
    batch = min(job.settings.batch_size, len(train_windows))
    flops = batch * family.window_flops(counted, param_count, job.shape)
    started = time.perf_counter()
    result = train(model, train_windows, val_windows, loss, score_function(job.task), job.settings, report)
    seconds = time.perf_counter() - started
    val_outputs, val_targets = predict(model, val_windows, job.settings)
    if result.best_value < job.beats:
        _keep_weights(model, job.weights)
    return Finished(
        best_epoch=_best_epoch(result),
        best_value=result.best_value,
        stopped_because=result.stopped_because,
        steps=result.steps,
        param_count=param_count,
        train_metrics=job.scorer.metrics(*predict(model, train_windows, job.settings)),
        val_metrics=job.scorer.metrics(val_outputs, val_targets),
        confusion=job.scorer.confusion(val_outputs, val_targets),
        peak_memory_bytes=_peak_memory(device),
        flops_per_step=flops,
        samples_per_second=len(result.curve) * len(train_windows) / seconds,
    )


def _best_epoch(result: TrainResult) -> int:
    assert result.best_epoch is not None, "a training that did not diverge has a best epoch"
    return result.best_epoch


def _keep_weights(model: nn.Module, path: Path) -> None:
    """Save the best weights; a full disk costs them, not the trial."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    try:
        write_bytes(path, save(tensors))
    except OSError as error:
        print(f"weights not saved: {path}: {error}", file=sys.stderr)


def _counted_flops(model: nn.Module, windows: Windows, loss: LossFunction) -> int:
    """Operations of a forward and backward pass over one window, as torch counts them."""
    device = next(model.parameters()).device
    inputs, targets = windows.batch(torch.arange(min(2, len(windows)), device=device))
    model.eval()  # so that normalisation layers keep their statistics
    with torch.random.fork_rng(), FlopCounterMode(display=False) as counter:
        loss(model(inputs), targets).backward()
    model.zero_grad(set_to_none=True)
    return int(counter.get_total_flops()) // len(inputs)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
