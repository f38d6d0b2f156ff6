"""Is the best trial real: its losses a window against those of the toughest reference.

Legend: N trials, W windows, F folds, E epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.errors import StorageError
from hpo.scoring.evidence import Verdict, confidence_set, verdict
from hpo.scoring.evidence.units import Array
from hpo.store.layout import ExperimentFiles
from hpo.store.windows import Windows, read_losses, read_reference_losses, read_windows
from hpo.trial.origin import TPE
from hpo.trial.record import TrialRecord, rank

MOST_TESTED = 200
"""Of more trials only the best are asked whether they can be told from the best of all."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the losses a window say.

    Attributes:
        verdict: On the best trial, against the reference with the least mean loss.
        alike: Trials that cannot be told from the best, least mean loss first.
        tested: Of so many.
    """

    verdict: Verdict
    alike: tuple[int, ...]
    tested: int


def find_evidence(files: ExperimentFiles, records: Sequence[TrialRecord]) -> Evidence | None:
    """Hold the best trial against the toughest reference; None where its losses a window are not there.

    Args:
        files: Of the experiment.
        records: Its trials, in any order.
    """
    done = rank(list(records))
    try:
        windows, references = read_windows(files), read_reference_losses(files)
    except StorageError:
        return None
    losses = read_losses(files, [record.trial_number for record in done], len(windows))
    references = {name: own for name, own in references.items() if len(own) == len(windows)}
    if not done or not references or done[0].trial_number not in losses:
        return None
    known = [record for record in done if record.trial_number in losses]
    field = np.stack([losses[record.trial_number] for record in known])
    weights, named = windows.weights, list(references)
    means = np.array([references[name] for name in named], dtype=np.float64) @ weights
    toughest = named[int(np.argmin(means))]
    resampled = _resampled(windows)
    found = verdict(
        field[0],
        references[toughest],
        field,
        against=toughest,
        curves=_curves(known),
        n_trials=len(done),
        n_adaptive=sum(record.origin.kind == TPE for record in known),
        **resampled,
    )
    best = np.argsort(field @ weights, kind="stable")[:MOST_TESTED]
    kept = confidence_set(field[best], **resampled)
    alike = tuple(known[i].trial_number for i in best[kept])
    return Evidence(verdict=found, alike=alike, tested=len(best))


def _resampled(windows: Windows) -> dict[str, Any]:
    """How windows are resampled: together with those of their moment, or whole groups."""
    whole = bool(windows.whole_groups)
    return {
        "horizon": int(windows.span),
        "times": None if whole else windows.time,
        "groups": windows.group if whole else None,
        "weights": windows.weights,
    }


def _curves(records: Sequence[TrialRecord]) -> Array:
    """Validation loss by trial, fold and epoch, (N, F, E); NaN where there was none."""
    shape = (
        len(records),
        1 + max(row.fold for record in records for row in record.learning_curve),
        max(row.epoch for record in records for row in record.learning_curve),
    )
    curves = np.full(shape, np.nan)
    for i, record in enumerate(records):
        for row in record.learning_curve:
            if row.val_loss is not None:
                curves[i, row.fold, row.epoch - 1] = row.val_loss
    return curves
