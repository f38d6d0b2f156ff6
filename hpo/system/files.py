"""Files that are written whole or not at all, so that a crash cannot tear them."""

import contextlib
import itertools
import json
import os
import threading
from pathlib import Path
from typing import Any

import psutil

from hpo.errors import StorageError

MAX_JSON_BYTES = 50_000_000
"""A record of 100,000 epochs has 20 MB."""


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file whole or not at all.

    The data go to a temporary file beside the target, are flushed to the disk, and take the
    target's name in one step; whoever reads sees the old file or the new one.

    Args:
        path: The file to replace; its folder is made if it is missing.
        data: The new content.

    Raises:
        OSError: The disk is full or read-only; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{threading.get_ident()}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def move_to_quarantine(quarantine: Path, path: Path) -> Path:
    """Move a torn or foreign file out of the way, under a name that is free; returns where it is now."""
    quarantine.mkdir(parents=True, exist_ok=True)
    names = (f"{path.name}{f'.{i}' if i else ''}" for i in itertools.count())
    target = next(quarantine / name for name in names if not (quarantine / name).exists())
    return path.rename(target)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; a living writer's stay."""
    for path in folder.rglob(".*.tmp"):
        writer = path.name.removesuffix(".tmp").rpartition(".")[2]
        if writer.isascii() and writer.isdigit() and not psutil.pid_exists(int(writer)):
            path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN, no infinity), UTF-8, whole or not at all.

    Raises:
        ValueError: The value holds a number that JSON has no word for.
        OSError: The disk is full or read-only; the old file is untouched.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1)
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StorageError: The file is missing, torn, huge or not JSON; the message names it.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise StorageError(f"{path}: larger than any file of ours ({path.stat().st_size:,} bytes)")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{path}: cannot be read as JSON ({error})") from error
