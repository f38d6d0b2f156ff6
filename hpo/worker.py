"""One trial in a process of its own, so that a crash in it costs that trial and nothing else.

The child trains and reports each epoch; the parent answers whether to go on. Children come from a fork
server that has torch loaded, and end by themselves when their parent is gone.
"""

import atexit
import contextlib
import math
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
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import torch
from safetensors.torch import save
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hpo.checkpoint import Checkpointer, key_of, restore
from hpo.errors import StorageError
from hpo.files import move_to_quarantine, write_bytes
from hpo.losses import LossFunction, LossSettings, loss_function, score_function
from hpo.metrics import Scorer
from hpo.models.base import ForecastShape, ModelConfig
from hpo.models.blocks import Offset
from hpo.registry import get_family
from hpo.stopping import StopFlag
from hpo.train import DivergedError, EpochResult, Training, TrainSettings, Windows, predict, train

_CONTEXT = multiprocessing.get_context("forkserver")
# Optimisers and the flop counter import torch._dynamo when first used: 2 s that each child would pay.
_CONTEXT.set_forkserver_preload([__name__, "torch._dynamo", "sklearn.metrics"])
_POLL_SECONDS = 0.2
_EXIT_SECONDS = 5.0
_GRACE_SECONDS = 60.0
"""A trial over its time limit ends after its batch; one that hangs in a batch is killed after so long."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a child needs to train one trial.

    Attributes:
        family: Name of the model family.
        model: The family's config, sized.
        shape: The task's input and output.
        task: "binary", "multiclass" or "regression".
        features: Scaled series (T, C).
        targets: Target columns, (T, K).
        target_offsets: A window that ends at row t has the targets of rows t + offset.
        scorer: Turns outputs into metrics.
        offset: The constant forecast that the network starts from, (O,).
        train_ends: Last row of each training window.
        val_ends: Last row of each validation window.
        loss: The training loss.
        settings: How to train.
        seed: Of the initial weights and of dropout.
        device: "cpu" or "cuda".
        threads: CPU threads.
        weights: Where to keep the best weights, if the trial is the best so far.
        beats: The value it must stay below to be the best so far.
        checkpoint: Where to go on from, and where to keep what a later attempt goes on from; None for
            nowhere.
        quarantine: Where a checkpoint goes that cannot be used.
        checkpoint_seconds: The least time between two checkpoints.
        max_seconds: The trial ends after so much training, that of earlier attempts included.
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
    loss: LossSettings
    settings: TrainSettings
    seed: int
    device: str
    threads: int
    weights: Path
    beats: float
    checkpoint: Path | None
    quarantine: Path
    checkpoint_seconds: float
    max_seconds: float | None


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
    confusion: dict[str, Any] | None
    peak_memory_bytes: int
    flops_per_step: int
    samples_per_second: float


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A trial that did not.

    Attributes:
        kind: "diverged", "out of memory", "time limit", "error" or "killed".
        type: The exception's name, or the signal's.
        message: What it said.
        traceback: Where, if it was an exception.
    """

    kind: str
    type: str
    message: str
    traceback: str | None


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """The trial goes on from its checkpoint, with these epochs behind it."""

    curve: list[EpochResult]


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A file that could not be used; the trial goes on."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Unwritten:
    """A file that could not be written, and why; the trial goes on."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """The trial was told to stop; it goes on from its checkpoint when it is started again."""


class InterruptedTrialError(Exception):
    """The study is stopping; the trial was ended and will go on next time."""


def start_fork_server() -> None:
    """Start the server that children come from, so that its imports overlap with other work.

    A signal to the whole group is for the run and its trials: the server leaves when the run does.
    """
    signals = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in signals}
    try:
        forkserver.ensure_running()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    atexit.register(_stop_fork_server)


def _stop_fork_server() -> None:
    """One that is still importing would hold our output open after we have left."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if any("multiprocessing.forkserver" in word for word in child.cmdline()):
                child.kill()


def run_in_child(
    job: Job,
    on_epoch: Callable[[EpochResult], bool],
    stop: StopFlag,
    *,
    on_resume: Callable[[list[EpochResult]], None] = lambda _curve: None,
    on_trouble: Callable[[str], None] = lambda _text: None,
    on_unwritten: Callable[[str, str], None] = lambda _what, _reason: None,
) -> Finished | Failed:
    """Train one trial in a child process.

    Args:
        job: What to train.
        on_epoch: Told of each epoch; returns False to end the trial there.
        stop: When set, the child finishes its batch, writes its checkpoint and ends.
        on_resume: Told of the epochs of earlier attempts, if the trial goes on from a checkpoint.
        on_trouble: Told of what could not be used.
        on_unwritten: Told of what could not be written, and why.

    Raises:
        InterruptedTrialError: ``stop`` was set before the trial ended.
    """
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_child, args=(job, theirs), daemon=True)
    process.start()
    theirs.close()
    deadline = math.inf if job.max_seconds is None else time.monotonic() + job.max_seconds + _GRACE_SECONDS

    def tell_to_stop() -> None:
        if stop.is_set():  # told again and again: a child that has just begun may not listen yet
            process.terminate()

    try:
        while True:
            multiprocessing.connection.wait([ours, process.sentinel], timeout=_POLL_SECONDS)
            tell_to_stop()
            if not ours.poll():
                if not process.is_alive():
                    return _ended(process.exitcode, stop)
                if time.monotonic() > deadline:
                    return _out_of_time(job)
                continue
            try:
                message = ours.recv()
                if isinstance(message, EpochResult):
                    answer = on_epoch(message)
                    tell_to_stop()  # before it begins another epoch
                    ours.send(answer)
                    continue
            except (EOFError, ConnectionError):
                process.join(_EXIT_SECONDS)
                return _ended(process.exitcode, stop)
            if isinstance(message, Resumed):
                on_resume(message.curve)
            elif isinstance(message, Trouble):
                on_trouble(message.text)
            elif isinstance(message, Unwritten):
                on_unwritten(message.what, message.reason)
            elif isinstance(message, Interrupted):
                stop.wait(_EXIT_SECONDS)  # a signal to the whole group may reach the child first
                return _ended(-signal.SIGTERM, stop)
            else:
                assert isinstance(message, Finished | Failed)
                return message
    finally:
        process.join(_EXIT_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        ours.close()


def _ended(exit_code: int | None, stop: StopFlag) -> Failed:
    """A child that ended without an outcome: told to, or killed."""
    if stop.is_set():
        raise InterruptedTrialError
    return _killed(exit_code)


def _out_of_time(job: Job) -> Failed:
    """A child that does not even come to the end of a batch."""
    return Failed(
        kind="time limit",
        type="TimeLimit",
        message=f"no answer {_GRACE_SECONDS:.0f} s after the limit of {job.max_seconds:g} s",
        traceback=None,
    )


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
    stopping = StopFlag()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    outcome: Finished | Failed | Interrupted
    try:
        outcome = _train(job, connection, stopping)
    except DivergedError as error:
        outcome = _failed("diverged", error)
    except (MemoryError, torch.OutOfMemoryError) as error:
        outcome = _failed("out of memory", error)
    except RuntimeError as error:
        outcome = _failed("out of memory" if _is_out_of_memory(error) else "error", error)
    except Exception as error:  # a bug is recorded with its traceback; the study goes on
        outcome = _failed("error", error)
    connection.send(outcome)
    connection.close()


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out: torch's CPU allocator has no exception class of its own."""
    text = str(error)
    return any(words in text for words in ("can't allocate memory", "not enough memory", "bad_alloc"))


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


def _train(job: Job, connection: Connection, stopping: StopFlag) -> Finished | Failed | Interrupted:
    torch.set_num_threads(job.threads)
    device = torch.device(job.device)
    family = get_family(job.family)
    series = torch.from_numpy(job.features).to(device)
    targets = torch.from_numpy(job.targets).to(device)
    train_windows, val_windows = (
        Windows(series, targets, ends, job.shape.context_length, job.target_offsets)
        for ends in (job.train_ends, job.val_ends)
    )
    loss = loss_function(job.loss, job.task)

    def unwritten(what: str, error: OSError) -> None:
        connection.send(Unwritten(what=what, reason=error.strerror or str(error)))

    def report(row: EpochResult) -> bool:
        connection.send(row)
        answer: bool = connection.recv()
        return answer

    def fresh() -> Training:
        torch.manual_seed(job.seed)
        core = family.build(job.model, job.shape)
        model = Offset(core, torch.from_numpy(job.offset)).to(device)
        return Training(model, len(train_windows), job.settings)

    key = key_of(job.family, job.model, job.shape, job.settings, job.loss.name, job.seed, len(job.train_ends))
    training = _begin(job, key, fresh, connection)
    if training.progress.curve:
        connection.send(Resumed(curve=training.progress.curve))
    checkpointer = Checkpointer(job.checkpoint, key, job.checkpoint_seconds) if job.checkpoint else None

    def keep() -> None:
        if checkpointer is not None:
            try:
                checkpointer.write(training)
            except OSError as error:
                unwritten("checkpoint", error)

    def keep_if_due() -> None:
        if checkpointer is not None and checkpointer.is_due:
            keep()

    model = training.model
    param_count = sum(parameter.numel() for parameter in model.parameters())
    batch = min(job.settings.batch_size, len(train_windows))
    flops = batch * family.window_flops(_counted_flops(model, train_windows, loss), param_count, job.shape)
    started, epochs_before = time.perf_counter(), len(training.progress.curve)
    train(
        training,
        train_windows,
        val_windows,
        loss,
        score_function(job.task),
        report,
        max_seconds=job.max_seconds,
        interrupted=stopping.is_set,
        between_epochs=keep_if_due,
    )
    seconds = time.perf_counter() - started
    progress = training.progress
    if training.stopped_because == "interrupted":
        keep()
        return Interrupted()
    if progress.best_epoch is None or progress.best_value is None:
        return Failed(
            kind="time limit",
            type="TimeLimit",
            message=f"no epoch ended within {job.max_seconds:g} s",
            traceback=None,
        )
    val_outputs, val_targets = predict(model, val_windows, job.settings)
    if progress.best_value < job.beats:
        _keep_weights(model, job.weights, unwritten)
    return Finished(
        best_epoch=progress.best_epoch,
        best_value=progress.best_value,
        stopped_because=training.stopped_because,
        steps=progress.steps,
        param_count=param_count,
        train_metrics=job.scorer.metrics(*predict(model, train_windows, job.settings)),
        val_metrics=job.scorer.metrics(val_outputs, val_targets),
        confusion=job.scorer.confusion(val_outputs, val_targets),
        peak_memory_bytes=_peak_memory(device),
        flops_per_step=flops,
        samples_per_second=(len(progress.curve) - epochs_before) * len(train_windows) / seconds,
    )


def _begin(job: Job, key: str, fresh: Callable[[], Training], connection: Connection) -> Training:
    """The training where its checkpoint left it, or at its beginning."""
    if job.checkpoint is None or not job.checkpoint.exists():
        return fresh()
    try:
        return restore(job.checkpoint, key, fresh)
    except StorageError as error:
        connection.send(Trouble(text=f"{error}; moved to quarantine, the trial begins anew"))
        move_to_quarantine(job.quarantine, job.checkpoint)
        return fresh()


def _keep_weights(model: nn.Module, path: Path, unwritten: Callable[[str, OSError], None]) -> None:
    """Save the best weights; a full disk costs them, not the trial."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    try:
        write_bytes(path, save(tensors))
    except OSError as error:
        unwritten("best weights (`hpo rerun` repeats the trial)", error)


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
