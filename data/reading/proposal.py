"""The command that forecasts a file as it was read, with a context and a horizon that were tried on it.

Legend: T rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..base import DataRequest, Table
from ..frames import all_measured
from ..splits import split
from .advice import join_names, make_line
from .gaps import measured
from .table import Loaded

CONTEXTS = (80, 64, 48, 40, 32, 24, 20, 16, 12, 10, 8, 6, 5, 4, 3, 2, 1)
BUDGETS = {100_000: "2M", 30_000: "750k", 10_000: "250k", 3_000: "100k", 0: "20k"}
"""Training windows to the parameters that suit them."""
MODEL = "patchtst"
_SETTINGS = ("time_format", "time_zone", "separator", "decimal", "encoding", "frequency")
_LISTS = ("missing", "columns", "drop", "groups", "series")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a study could ask of a file.

    Attributes:
        context: Rows of history.
        horizon: Rows ahead.
        n_train: Training windows.
    """

    context: int
    horizon: int
    n_train: int

    @property
    def budget(self) -> str:
        """The parameters that suit the training windows."""
        return next(budget for least, budget in BUDGETS.items() if self.n_train >= least)


def propose(
    loaded: Loaded, request: DataRequest, targets: tuple[str, ...], season: int | None
) -> Proposal | None:
    """The longest usual context, and the season as the horizon where it fits; None if no window does."""
    known = measured(loaded.channels.numbers, targets)
    for context, horizon in _tries(season):
        table = Table(
            timestamps=loaded.times,
            features=np.broadcast_to(0.0, (len(loaded.times), 1)),
            channel_names=("",),
            target_values=np.broadcast_to(0.0, (len(loaded.times), 1)),
            target_names=("",),
            target_offsets=tuple(range(1, horizon + 1)),
            target_channels=(0,),
            task="regression",
            sha256="",
            frequency=loaded.step.name,
            segments=loaded.segments,
            groups=loaded.codes,
            usable=all_measured(known, horizon),
        )
        try:
            parts = split("contiguous", table, replace(request, context_length=context, horizon=horizon))
        except ValueError:
            continue
        return Proposal(context=context, horizon=horizon, n_train=len(parts.train))
    return None


def command(loaded: Loaded, request: DataRequest, targets: tuple[str, ...], proposal: Proposal) -> str:
    """The line to give to a shell: every setting that the file was read with, and what was proposed."""
    variables = {
        "MODEL": MODEL,
        "BUDGET": proposal.budget,
        "DATA": _path(request),
        "TARGET": join_names(targets),
    }
    time = loaded.timeline.columns or request.time
    if time:
        variables["TIME"] = join_names(time)
    for setting in _SETTINGS:
        if (value := getattr(request, setting)) is not None:
            variables[setting.upper()] = value
    for setting in _LISTS:
        if values := getattr(request, setting):
            variables[setting.upper()] = join_names(values)
    if loaded.channels.sentinels:
        values = sorted({each.value for each in loaded.channels.sentinels})
        variables["MISSING"] = join_names([f"{value:.15g}" for value in values])
    if loaded.order.series:
        variables["SERIES"] = join_names(loaded.order.series)
    variables["HORIZON"] = str(proposal.horizon)
    if proposal.context != CONTEXTS[0]:
        variables["CONTEXT"] = str(proposal.context)
    return make_line("hpo", variables)


def _tries(season: int | None) -> Iterator[tuple[int, int]]:
    horizons = [season, 1] if season else [1]
    for horizon in horizons:
        for context in CONTEXTS:
            if context >= horizon or horizon == 1:
                yield context, horizon


def _path(request: DataRequest) -> str:
    """The file, so that it is not taken for a name of the catalogue."""
    text = str(request.path)
    return text if "/" in text or "." in text else f"./{text}"
