"""Losses a validation window, of each completed trial and of each reference: what the evidence is made of.

NumPy's own files, without pickle, each written whole:

    windows/windows.npz      what the windows are, in the order of all the others
    windows/references.npz   names (R,) and losses (R, W) of the references
    windows/trial_0007.npy   losses (W,) of a completed trial

A loss is the task's proper score of one window; the mean of a fold's is the record's. Windows of several
folds stand one fold after the other.

Legend: W windows of all folds, R references.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpo.errors import StorageError
from hpo.store.layout import ExperimentFiles
from hpo.system.files import write_bytes

if TYPE_CHECKING:  # they take a while to import, and who reads needs neither
    from hpo.data.base import ForecastData
    from hpo.scoring.references import References

Losses = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """What the validation windows of a study are.

    Attributes:
        fold: Of a walk-forward split, from 0, (W,).
        row: The last row that a forecast knows, (W,).
        time: When that row is, (W,).
        group: The row's group, (W,); 0 where there are no groups.
        whole_groups: Whether whole groups are held out: none of them is trained on. A scalar, as the next.
        span: Rows from a window's last row to the last that its target looks at.
    """

    fold: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    time: npt.NDArray[np.datetime64]
    group: npt.NDArray[np.int64]
    whole_groups: npt.NDArray[np.bool_]
    span: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """What each window counts in a mean over folds, (W,); their mean is 1."""
        _, fold, counts = np.unique(self.fold, return_inverse=True, return_counts=True)
        return np.asarray(len(self) / (len(counts) * counts[fold]))


def windows_of(folds: Sequence[ForecastData]) -> Windows:
    """The validation windows of a study's folds."""
    ends = [data.splits.val for data in folds]
    rows, data, table = np.concatenate(ends), folds[0], folds[0].table
    known = np.isin(table.group_codes[rows], table.group_codes[data.splits.train])
    span = data.horizon if table.look_ahead is None else table.look_ahead
    return Windows(
        fold=np.repeat(np.arange(len(folds)), list(map(len, ends))),
        row=rows,
        time=table.timestamps[rows],
        group=table.group_codes[rows].astype(np.int64),
        whole_groups=np.array(not known.any()),
        span=np.array(max(1, span)),
    )


def write_windows(files: ExperimentFiles, windows: Windows) -> None:
    """Write what the windows are.

    Raises:
        OSError: The disk is full or read-only.
    """
    _write_npz(files.windows, {field.name: getattr(windows, field.name) for field in fields(windows)})


def read_windows(files: ExperimentFiles) -> Windows:
    """What the windows are.

    Raises:
        StorageError: The file is missing or torn.
    """
    arrays: dict[str, Any] = _read_npz(files.windows)
    try:
        windows = Windows(**arrays)
        lengths = {len(getattr(windows, name)) for name in ("fold", "row", "time", "group")}
    except TypeError as error:
        raise StorageError(f"{files.windows}: not what it should hold ({error})") from error
    if len(lengths) != 1:
        raise StorageError(f"{files.windows}: its arrays differ in length")
    return windows


def write_reference_losses(files: ExperimentFiles, references: References) -> None:
    """Write the losses of all references that are known.

    Raises:
        OSError: The disk is full or read-only; the old file is untouched.
    """
    losses = [np.concatenate(reference.losses).astype(np.float32) for reference in references.found]
    names = np.array([reference.name for reference in references.found], dtype=np.str_)
    _write_npz(files.reference_losses, {"names": names, "losses": np.array(losses)})


def read_reference_losses(files: ExperimentFiles) -> dict[str, Losses]:
    """The references' losses, (W,), by name.

    Raises:
        StorageError: The file is missing or torn.
    """
    arrays = _read_npz(files.reference_losses)
    try:
        return dict(zip(arrays["names"].tolist(), arrays["losses"], strict=True))
    except (KeyError, ValueError) as error:
        raise StorageError(f"{files.reference_losses}: not what it should hold ({error})") from error


def write_losses(files: ExperimentFiles, number: int, losses: Losses) -> None:
    """Write a completed trial's losses.

    Raises:
        OSError: The disk is full or read-only.
    """
    buffer = io.BytesIO()
    np.save(buffer, losses, allow_pickle=False)
    write_bytes(files.losses(number), buffer.getvalue())


def read_losses(files: ExperimentFiles, numbers: Iterable[int], n_windows: int) -> dict[int, Losses]:
    """The losses (W,) of those trials of which they are there, whole, finite, and of as many windows."""
    found = {}
    for number in numbers:
        try:
            losses = np.load(files.losses(number), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            continue
        if losses.shape == (n_windows,) and losses.dtype == np.float32 and np.isfinite(losses).all():
            found[number] = losses
    return found


def _write_npz(path: Path, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # a torn archive fails in many ways
        raise StorageError(f"{path}: cannot be read ({error})") from error
