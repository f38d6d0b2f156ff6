"""What the process of one trial does: train, report each epoch, go on where a checkpoint left it."""

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
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hpo.errors import StorageError
from hpo.learn.bundle import Bundle
from hpo.learn.checkpoint import Checkpointer, key_of, restore
from hpo.learn.evaluate import predict
from hpo.learn.folder import write_weights
from hpo.learn.job import Fold, Job
from hpo.learn.loop import DivergedError, Goal, Training, train
from hpo.learn.windows import Windows
from hpo.models.blocks import Offset
from hpo.scoring.losses import LossFunction
from hpo.study.catalogue import get_family
from hpo.system.files import move_to_quarantine
from hpo.system.stop import StopFlag
from hpo.trial.events import (
    EpochResult,
    Failed,
    Finished,
    FoldResult,
    Interrupted,
    Resumed,
    Trouble,
    Unwritten,
)


def run_job(job: Job, connection: Connection) -> None:
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
    """Train on each fold anew, from the checkpoint if there is one."""
    torch.set_num_threads(job.threads)
    device = torch.device(job.device)
    loss = job.task.loss(job.loss)

    def unwritten(what: str, error: OSError) -> None:
        connection.send(Unwritten(what=what, reason=error.strerror or str(error)))

    def report(row: EpochResult) -> bool:
        connection.send(row)
        answer: bool = connection.recv()
        return answer

    def fresh(fold: int) -> Training:
        torch.manual_seed(job.seed)
        core = get_family(job.family).build(job.model, job.shape)
        offset = torch.from_numpy(job.folds[fold].offset)
        model = Offset(core, offset).to(device)
        return Training(model, len(job.folds[fold].train_ends), job.settings, fold)

    windows_of_folds = [len(fold.train_ends) for fold in job.folds]
    identity = (job.family, job.model, job.shape, job.settings, job.loss.name, job.seed, job.objective)
    key = key_of(identity, windows_of_folds)
    training, ended = _begin(job, key, fresh, connection)
    earlier = [*(row for fold in ended for row in fold.curve), *training.progress.curve]
    if earlier:
        connection.send(Resumed(curve=earlier))
    checkpointer = Checkpointer(job.checkpoint, key, job.checkpoint_seconds) if job.checkpoint else None
    param_count = sum(parameter.numel() for parameter in training.model.parameters())
    flops_per_step = _flops_per_step(job, training.model, param_count, loss)
    started = time.perf_counter()
    while True:
        keep = partial(_keep, checkpointer, training, tuple(ended), unwritten)
        result = _train_fold(job, training, ended, loss, report, stopping, keep)
        if result is None:  # it was interrupted, or no time was left for it
            break
        ended.append(result)
        # The pruner's word, or a limit of time, ends the trial and not only its fold.
        if training.stopped_because in ("report", "time limit") or len(ended) == len(job.folds):
            break
        del keep, training  # before another takes as much memory
        training = fresh(len(ended))
    if training.stopped_because == "interrupted":
        return Interrupted()
    if not ended:
        return Failed(
            kind="time limit",
            type="TimeLimit",
            message=f"no epoch ended within {job.max_seconds:g} s",
            traceback=None,
        )
    value = sum(fold.best_value for fold in ended) / len(ended)
    whole = len(ended) == len(job.folds)
    if job.weights is not None and whole and job.objective.is_better(value, job.beats):
        _keep_weights(training.model, job.weights, job.bundle, unwritten)
    trained = sum(len(fold.curve) * n for fold, n in zip(ended, windows_of_folds, strict=False))
    trained -= sum(windows_of_folds[row.fold] for row in earlier)
    return Finished(
        folds=ended,
        stopped_because=training.stopped_because,
        param_count=param_count,
        peak_memory_bytes=_peak_memory(device),
        flops_per_step=flops_per_step,
        samples_per_second=trained / (time.perf_counter() - started),
    )


def _train_fold(
    job: Job,
    training: Training,
    ended: list[FoldResult],
    loss: LossFunction,
    report: Callable[[EpochResult], bool],
    stopping: StopFlag,
    keep: Callable[[bool], None],
) -> FoldResult | None:
    """Train, or go on, on the fold after those that ended; None if no epoch of it came to an end."""
    fold = job.folds[len(ended)]
    train_windows, val_windows = _windows(job, fold)
    last = {
        part: fold.targets[ends].astype(np.float64)
        for part, ends in (("train", fold.train_ends), ("val", fold.val_ends))
    }
    metric = job.objective.metric
    goal = None
    if metric is not None:
        goal = Goal(
            metric=lambda outputs, targets: fold.scorer.metrics(outputs, targets, last["val"]).get(
                metric, math.nan
            ),
            sign=job.objective.sign,
        )
    spent = sum(row.seconds for result in ended for row in result.curve)
    train(
        training,
        train_windows,
        val_windows,
        loss,
        job.task.score,
        report,
        goal=goal,
        max_seconds=None if job.max_seconds is None else job.max_seconds - spent,
        interrupted=stopping.is_set,
        between_epochs=lambda: keep(False),
    )
    progress = training.progress
    if training.stopped_because == "interrupted":
        keep(True)
        return None
    if progress.best_epoch is None or progress.best_value is None:
        return None
    outputs, targets = predict(training.model, val_windows, job.settings)
    return FoldResult(
        curve=progress.curve,
        best_epoch=progress.best_epoch,
        best_value=progress.best_value,
        steps=progress.steps,
        train_metrics=fold.scorer.metrics(
            *predict(training.model, train_windows, job.settings), last["train"]
        ),
        val_metrics=fold.scorer.metrics(outputs, targets, last["val"]),
        confusion=fold.scorer.confusion(outputs, targets),
        val_losses=fold.scorer.losses(outputs, targets).astype(np.float32),
    )


def _windows(job: Job, fold: Fold) -> tuple[Windows, Windows]:
    """A fold's training and validation windows, over the same series."""
    device = torch.device(job.device)
    series, targets = (torch.from_numpy(values).to(device) for values in (fold.features, fold.targets))
    train_windows, val_windows = (
        Windows(series, targets, ends, job.shape.context_length, job.target_offsets)
        for ends in (fold.train_ends, fold.val_ends)
    )
    return train_windows, val_windows


def _keep(
    checkpointer: Checkpointer | None,
    training: Training,
    ended: Sequence[FoldResult],
    unwritten: Callable[[str, OSError], None],
    at_once: bool,
) -> None:
    """Write a checkpoint, at once or if it is due; a full disk costs it, not the trial."""
    if checkpointer is not None and (at_once or checkpointer.is_due):
        try:
            checkpointer.write(training, ended)
        except OSError as error:
            unwritten("checkpoint", error)


def _begin(
    job: Job, key: str, fresh: Callable[[int], Training], connection: Connection
) -> tuple[Training, list[FoldResult]]:
    """The training where its checkpoint left it, or at its beginning."""
    if job.checkpoint is None or not job.checkpoint.exists():
        return fresh(0), []
    try:
        return restore(job.checkpoint, key, fresh)
    except StorageError as error:
        connection.send(Trouble(text=f"{error}; moved to quarantine, the trial begins anew"))
        move_to_quarantine(job.quarantine, job.checkpoint)
        return fresh(0), []


def _keep_weights(
    model: nn.Module, path: Path, bundle: Bundle | None, unwritten: Callable[[str, OSError], None]
) -> None:
    """Save the best weights; a full disk costs them, not the trial."""
    try:
        write_weights(path, model, bundle)
    except OSError as error:
        unwritten("best weights (`hpo rerun` repeats the trial)", error)


def _flops_per_step(job: Job, model: nn.Module, param_count: int, loss: LossFunction) -> int:
    """Operations of a forward and backward pass over an effective batch, as torch counts them."""
    windows, _ = _windows(job, job.folds[0])
    device = next(model.parameters()).device
    inputs, targets = windows.batch(torch.arange(min(2, len(windows)), device=device))
    model.eval()  # so that normalisation layers keep their statistics
    with torch.random.fork_rng(), FlopCounterMode(display=False) as counter:
        loss(model(inputs), targets).backward()
    model.zero_grad(set_to_none=True)
    counted = int(counter.get_total_flops()) // len(inputs)
    batch = min(job.settings.batch_size, len(windows))
    return batch * get_family(job.family).window_flops(counted, param_count, job.shape)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
