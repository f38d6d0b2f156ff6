"""A forecaster's folder on disk: written whole, and read as if a stranger had made it.

Beside ``config.json`` it holds plain files alone, each named there with its size and SHA-256. The hashes tell
damage; they say nothing of who made the folder.
"""

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as parse_tensors
from safetensors.torch import save
from torch import Tensor, nn

from hpo.errors import HpoError, StorageError
from hpo.learn.bundle import Bundle, File, read_bundle
from hpo.models.apart import undisturbed
from hpo.models.blocks import Offset
from hpo.models.sizing import count_params
from hpo.store.layout import CHECKPOINT, CONFIG, WEIGHTS
from hpo.study.catalogue import get_family
from hpo.system.files import write_bytes

EXAMPLE = "example.csv"
CARD = "README.md"
MAX_CONFIG_BYTES = 20_000_000
MAX_TEXT_BYTES = 200_000_000
MAX_WEIGHTS_BYTES = 50_000_000_000
MAX_TENSORS = 20_000
MAX_HEADER_BYTES = 10_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def write_weights(path: Path, model: nn.Module, bundle: Bundle | None) -> None:
    """Write a trained model's weights and then its config, each whole; a folder without config is none.

    Args:
        path: Of the weights; the config stands beside them.
        model: The network.
        bundle: What the weights need to forecast; None writes the weights alone.

    Raises:
        OSError: The disk is full or read-only.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    weights = save(tensors)
    config = path.with_name(CONFIG)
    config.unlink(missing_ok=True)
    write_bytes(path, weights)
    if bundle is not None:
        write_bytes(config, config_bytes(bundle, {path.name: weights}))


def config_bytes(bundle: Bundle, files: Mapping[str, bytes]) -> bytes:
    """The ``config.json`` that names some files."""
    named = {
        name: File(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in files.items()
    }
    whole = bundle.model_copy(update={"files": named}).model_dump(mode="json")
    return (json.dumps(whole, allow_nan=False, ensure_ascii=False, indent=1) + "\n").encode()


def read_folder(folder: Path) -> tuple[Bundle, dict[str, bytes]]:
    """A folder's config and the bytes of the files that it names, checked.

    Raises:
        StorageError: It is no such folder, or something in it is damaged, a link, or not named; one line.
    """
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise StorageError(f"{folder}: no folder of a forecaster ({error.strerror})") from error
    if CONFIG not in names:
        raise StorageError(f"{folder}: no forecaster is here: there is no {CONFIG} in it")
    bundle = read_bundle(_read(folder / CONFIG, MAX_CONFIG_BYTES), folder / CONFIG)
    if WEIGHTS not in bundle.files:
        raise StorageError(f"{folder / CONFIG}: names no {WEIGHTS}")
    for name in bundle.files:
        if not _NAME.fullmatch(name) or name == CONFIG:
            raise StorageError(f"{folder / CONFIG}: {name!r} is no name of a file in this folder")
    for name in names:
        if name not in (CONFIG, CHECKPOINT, *bundle.files):
            raise StorageError(f"{folder}: holds {name!r}, which {CONFIG} does not name; take it out")
    return bundle, {name: _checked(folder / name, file) for name, file in bundle.files.items()}


def build(bundle: Bundle, weights: bytes, where: Path) -> nn.Module:
    """The network of a bundle with its weights, once their sizes are known to agree.

    Args:
        bundle: What is built.
        weights: Of its safetensors file.
        where: The folder, for messages.

    Raises:
        StorageError: The weights are not those of this config.
    """
    shapes = _header(weights, where)
    try:
        family, config, shape = get_family(bundle.family), bundle.model_config_of(), bundle.shape
        if config.n_layers > max(family.max_layers, len(shapes)):
            raise StorageError(f"{config.n_layers:,} layers are more than the {len(shapes)} tensors hold")
        counted = count_params(family, config, shape)
        stored = sum(map(math.prod, shapes.values()))
        if not counted == bundle.param_count <= stored:
            raise StorageError(
                f"its model has {counted:,} parameters, {CONFIG} says {bundle.param_count:,} and the weights "
                f"hold {stored:,} numbers"
            )
        with undisturbed():
            model = Offset(family.build(config, shape), torch.zeros(shape.n_outputs))
        own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        if own != shapes:
            odd = sorted(name for name in own.keys() | shapes.keys() if own.get(name) != shapes.get(name))
            raise StorageError(f"tensor {odd[0]!r} is {shapes.get(odd[0])}, the model's is {own.get(odd[0])}")
        tensors: dict[str, Tensor] = parse_tensors(weights)
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise StorageError("the weights are not finite numbers")
        model.load_state_dict(tensors)
    except (HpoError, ValueError, RuntimeError, ArithmeticError) as error:
        raise StorageError(f"{where}: not the weights of its config: {error}") from error
    return model.eval()


def _header(weights: bytes, where: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor, from the file's header alone.

    Raises:
        StorageError: It is no safetensors file.
    """
    try:
        size = int.from_bytes(weights[:8], "little")
        if not 2 <= size <= min(MAX_HEADER_BYTES, len(weights) - 8):
            raise ValueError("its header has another length")
        header: dict[str, Any] = json.loads(weights[8 : 8 + size])
        header.pop("__metadata__", None)
        if len(header) > MAX_TENSORS:
            raise ValueError(f"it has {len(header):,} tensors")
        shapes = {name: tuple(map(int, entry["shape"])) for name, entry in header.items()}
        if sum(map(math.prod, shapes.values())) > len(weights):
            raise ValueError("its tensors are larger than the file")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(f"{where / WEIGHTS}: not a safetensors file ({error})") from error
    return shapes


def _checked(path: Path, file: File) -> bytes:
    limit = MAX_WEIGHTS_BYTES if path.name == WEIGHTS else MAX_TEXT_BYTES
    data = _read(path, min(limit, file.bytes))
    if len(data) != file.bytes or hashlib.sha256(data).hexdigest() != file.sha256:
        raise StorageError(f"{path}: damaged: it is not the file that {CONFIG} names (its SHA-256 differs)")
    return data


def _read(path: Path, limit: int) -> bytes:
    """A plain file's bytes; its size is looked at before it is read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise StorageError(f"{path}: not a plain file")
            if status.st_size > limit:
                raise StorageError(f"{path}: has {status.st_size:,} bytes, more than the {limit:,} expected")
            return file.read(limit + 1)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read as a plain file ({error.strerror})") from error
