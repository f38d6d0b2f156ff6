"""Draws a summary's pictures to PNG files, without pyplot and its global state."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from hpo.report.summary import figures
from hpo.report.summary.schema import Summary
from hpo.system.files import write_bytes
from hpo.trial.record import TrialRecord

logger = logging.getLogger(__name__)


def draw(summary: Summary, records: Sequence[TrialRecord], folder: Path) -> list[Path]:
    """Draw all pictures that the study has data for.

    A picture that fails is logged and left out; the others are drawn. One that is left out does not stay
    behind from an earlier time.

    Args:
        summary: Of these records.
        records: The trials, for their learning curves.
        folder: Where the PNG files go.

    Returns:
        The files that were written.
    """
    pictures: dict[str, Callable[[], Figure | None]] = {
        "optimisation_history": partial(figures.optimisation_history, summary),
        "learning_curves": partial(figures.learning_curves, summary, records),
        "loss_by_shape": partial(figures.loss_by_shape, summary),
        "sensitivity": partial(figures.sensitivity, summary),
    }
    written = []
    for name, make in pictures.items():
        path = folder / f"{name}.png"
        try:
            figure = make()
            if figure is not None:
                write_bytes(path, _png(figure))
                written.append(path)
                continue
        except Exception:
            # The summary is worth more than any of its pictures.
            logger.warning("the plot %s could not be drawn", path, exc_info=True)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return written


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    # Without matplotlib's own version in it, the same picture is the same bytes for longer.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
