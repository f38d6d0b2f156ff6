"""Tables of trials and of studies: what each column is called and how its values are written."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import hpo.report.formats as fmt
from hpo.system.counts import format_budget, format_count
from hpo.trial.columns import COLUMNS, Kind, Row

if TYPE_CHECKING:  # a status need not wait for torch
    from hpo.report.preview import PlannedTrial
    from hpo.report.status import StudyStatus

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True)
class Shown(Generic[T]):
    """One column of a table.

    Attributes:
        title: Its heading.
        text: What stands in a row's cell.
        is_text: Whether it holds words, which begin at the left; numbers end at the right.
    """

    title: str
    text: Callable[[T], str]
    is_text: bool = False


def _count(value: int | None) -> str:
    return fmt.NOTHING if value is None else str(value)


WRITTEN: dict[Kind, Callable[[Any], str]] = {
    "text": str,
    "words": ", ".join,
    "count": _count,
    "score": fmt.score,
    "fraction": lambda value: fmt.percent(value, plus=True),
    "budget": format_budget,
    "params": fmt.params,
    "rate": fmt.rate,
    "seconds": fmt.duration,
}
"""How the page writes each kind of value."""


def _shown(name: str) -> Shown[Row]:
    column = COLUMNS[name]
    write = WRITTEN[column.kind]
    return Shown(column.title, lambda row: write(getattr(row, name)), column.kind in ("text", "words"))


TRIALS: tuple[Shown[Row], ...] = tuple(_shown(name) for name in COLUMNS)
"""All trials, on the page."""


def _or_nothing(value: V | None, write: Callable[[V], str]) -> str:
    """A value in words; an empty cell where there is none."""
    return "" if value is None else write(value)


PLANNED: tuple[Shown["PlannedTrial"], ...] = (
    Shown("config", lambda trial: trial.origin.detail or trial.origin, is_text=True),
    Shown("budget", lambda trial: format_budget(trial.parameter_budget)),
    Shown("params", lambda trial: format_count(trial.param_count)),
    Shown("off by", lambda trial: f"{trial.budget_deviation:+.2%}{' canonical' if trial.canonical else ''}"),
    Shown("width x depth", lambda trial: f"{trial.d_model} x {trial.n_layers}"),
    Shown("heads", lambda trial: _or_nothing(trial.n_heads, str)),
    Shown("dropout", lambda trial: f"{trial.dropout:g}"),
    Shown("lr", lambda trial: f"{trial.learning_rate:g}"),
    Shown("decay", lambda trial: f"{trial.weight_decay:g}"),
    Shown("FLOPs a step", lambda trial: f"{trial.flops_per_step / 1e9:.3g} G"),
    Shown("memory", lambda trial: f"{trial.predicted_memory_bytes / 1e9:.2f} GB"),
    Shown("at most", lambda trial: fmt.clock(trial.predicted_seconds)),
)
"""Planned trials, on the terminal."""

STUDIES: tuple[Shown["StudyStatus"], ...] = (
    Shown("experiment", lambda study: study.experiment, is_text=True),
    Shown("done", lambda study: f"{study.finished}{_or_nothing(study.n_trials, ' of {}'.format)}"),
    Shown("complete", lambda study: str(study.complete)),
    Shown("pruned", lambda study: str(study.pruned)),
    Shown("failed", lambda study: str(study.failed)),
    Shown("running", lambda study: str(study.running)),
    Shown("interrupted", lambda study: str(study.interrupted)),
    Shown(
        "best",
        lambda study: _or_nothing(study.best_value, lambda value: f"{value:.4f} (trial {study.best_trial})"),
    ),
    Shown("skill", lambda study: _or_nothing(study.skill, "{:+.1%}".format)),
    Shown(
        "toughest reference",
        lambda study: _or_nothing(study.toughest_value, lambda value: f"{value:.4f} ({study.toughest})"),
    ),
    Shown("verdict", lambda study: _or_nothing(study.verdict, itemgetter("word"))),
    Shown("a trial", lambda study: _or_nothing(study.seconds_a_trial, fmt.clock)),
    Shown("left", lambda study: _or_nothing(study.seconds_left, fmt.clock)),
)
"""Studies, on the terminal."""
