"""Where an unfinished trial goes on from: one safetensors file, its numbers as JSON in the header.

No pickle is written or read. A trial that goes on from its checkpoint is the same to the bit as one that was
never interrupted: weights, optimiser, schedule, random generators, data order, learning curve and the state
of early stopping are all in it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from hpo.errors import StorageError
from hpo.learn.loop import Progress, Training
from hpo.system.files import write_bytes
from hpo.trial.events import EpochResult, FoldResult

MAX_SHARE = 33
"""A write waits for so many times the last one's duration, so that it takes at most 3 % of the time."""


class Checkpointer:
    """Writes a training's checkpoint now and then, to one file."""

    def __init__(self, path: Path, key: str, interval_seconds: float) -> None:
        """Take where to write, whose training it is, and how long to wait between writes at least."""
        self._path = path
        self._key = key
        self._interval = interval_seconds
        self._last_write = 0.0
        self._last_end = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since the last write."""
        wait = max(self._interval, MAX_SHARE * self._last_write)
        return time.monotonic() - self._last_end >= wait

    def write(self, training: Training, ended: Sequence[FoldResult] = ()) -> None:
        """Replace the checkpoint by one of the training under way and of the folds that ended before it.

        Raises:
            OSError: The disk is full or read-only; the last checkpoint is untouched.
        """
        started = time.monotonic()
        try:
            write_bytes(self._path, _pack(training, ended, self._key))
        finally:  # a failed write waits its turn too
            self._last_end = time.monotonic()
            self._last_write = self._last_end - started


def key_of(*parts: object) -> str:
    """What a checkpoint must share with the training that goes on from it."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def restore(path: Path, key: str, fresh: Callable[[int], Training]) -> tuple[Training, list[FoldResult]]:
    """Go on from a checkpoint, and the folds that ended before it.

    Args:
        path: The checkpoint.
        key: As given to the :class:`Checkpointer` that wrote it.
        fresh: Builds the training on a fold as it was at its beginning.

    Raises:
        StorageError: The file is torn, foreign, or of another trial.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("key") != key:
                raise StorageError("it is of another trial or other settings")
            state = json.loads(header["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        ended = [_fold_result(i, fold, tensors) for i, fold in enumerate(state["folds"])]
        training = fresh(len(ended))
        _unpack(training, tensors, state)
    except Exception as error:  # whatever the file holds, it must not end the trial
        raise StorageError(f"{path}: not a checkpoint to go on from ({error})") from error
    return training, ended


def _fold_result(i: int, fold: dict[str, Any], tensors: dict[str, Tensor]) -> FoldResult:
    curve = [EpochResult(**row) for row in fold.pop("curve")]
    return FoldResult(**fold, curve=curve, val_losses=tensors[f"val_losses.{i}"].numpy())


def _without_losses(fold: FoldResult) -> dict[str, Any]:
    fields = asdict(fold)
    del fields["val_losses"]  # numbers by the thousand are a tensor
    return fields


def _pack(training: Training, ended: Sequence[FoldResult], key: str) -> bytes:
    optimizer = training.optimizer.state_dict()
    tensors = {
        **_prefixed("model", training.model.state_dict()),
        **_prefixed("best", training.best_weights or {}),
        **{
            f"optimizer.{index}.{name}": tensor
            for index, entries in optimizer["state"].items()
            for name, tensor in entries.items()
        },
        **{f"val_losses.{i}": torch.from_numpy(fold.val_losses) for i, fold in enumerate(ended)},
        "order": training.order_state,
        "rng.cpu": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    state = {
        "progress": asdict(training.progress),
        "groups": optimizer["param_groups"],
        "scheduler": training.scheduler.state_dict(),
        "folds": [_without_losses(fold) for fold in ended],
    }
    header = {"key": key, "state": json.dumps(state, allow_nan=False)}
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, header)


def _unpack(training: Training, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    progress = state["progress"]
    curve = [EpochResult(**row) for row in progress.pop("curve")]
    training.progress = Progress(**progress, curve=curve)
    training.model.load_state_dict(_under("model", tensors))
    best = _under("best", tensors)
    if best:
        training.best_weights = {
            name: best[name].to(tensor.device) for name, tensor in training.model.state_dict().items()
        }
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimizer", tensors).items():
        index, _, entry = name.partition(".")
        entries.setdefault(int(index), {})[entry] = tensor
    training.optimizer.load_state_dict({"state": entries, "param_groups": state["groups"]})
    training.scheduler.load_state_dict(state["scheduler"])
    training.order_state = tensors["order"]
    training.order.set_state(training.order_state)
    torch.set_rng_state(tensors["rng.cpu"])
    if "rng.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng.cuda"])


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{prefix}."): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{prefix}.")
    }
