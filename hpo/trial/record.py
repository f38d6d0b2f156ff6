"""A trial's record: the fields of ``trials/trial_0000.json``, published as a JSON Schema.

The record holds all that a summary needs and all that an exact rebuild of the storage needs.
"""

import reprlib
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from hpo.scoring.objective import Objective
from hpo.trial.flags import Flag
from hpo.trial.origin import Origin
from hpo.trial.state import State

SCHEMA_VERSION = 1


class _Fields(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        protected_namespaces=(),
        revalidate_instances="always",  # an unchecked copy may stand in a field
    )

    def updated(self, **changes: Any) -> Self:
        """A copy with changed fields, validated as if it were read; pydantic's own copy checks nothing.

        Raises:
            ValidationError: A value is not of its field's type or not finite, or there is no such field.
        """
        return self.model_validate({**dict(self), **changes})


class Architecture(_Fields):
    """The model as built. ``budget_deviation`` is param_count / parameter_budget - 1."""

    family: str
    d_model: int
    n_layers: int
    n_heads: int | None
    d_ff: int | None
    param_count: int
    parameter_budget: int
    budget_deviation: float
    canonical: bool
    config: dict[str, Any]


class Training(_Fields):
    """The training settings and how the training went. ``batch_size`` is the effective one."""

    learning_rate: float
    weight_decay: float
    dropout: float
    batch_size: int
    micro_batch: int
    normalisation: str
    loss: str
    epochs_planned: int
    epochs_run: int
    best_epoch: int | None
    stopped_because: str | None
    precision: str
    threads: int

    def step_of(self, fold: int, epoch: int) -> int:
        """The step of ``intermediate_values`` that an epoch is."""
        return fold * self.epochs_planned + epoch


class Epoch(_Fields):
    """One epoch of the learning curve; a loss is null where it was not finite. ``fold`` counts from 0."""

    epoch: int
    train_loss: float | None
    val_loss: float | None
    learning_rate: float
    seconds: float
    fold: int = 0


class Metrics(_Fields):
    """Scores of the best epoch's weights, with dropout off."""

    train: dict[str, float]
    val: dict[str, float]


class Naive(_Fields):
    """The best reference forecast on the same validation rows.

    ``skill`` is 1 - score / its score, or (score - its score) / (1 - its score) where 1 is perfect.
    """

    name: str
    metrics: dict[str, float]
    skill: float | None


class ConfusionMatrix(_Fields):
    """Validation counts at probability 0.5."""

    true_negative: int
    false_positive: int
    false_negative: int
    true_positive: int


class ClassCounts(_Fields):
    """Validation counts of a multi-class task: row by row the true class, in each the likeliest ones."""

    class_names: list[str]
    counts: list[list[int]]


class Part(_Fields):
    """One part of the split: rows of its ranges, windows, first and last timestamp."""

    rows: int
    windows: int
    start: str
    end: str


class FoldScore(_Fields):
    """One fold of a walk-forward split.

    ``value`` and ``naive`` are the objective's, of the fold's best epoch and of the naive forecast that the
    trial stands beside. ``value`` is null where the trial ended before an epoch of this fold did, and in all
    folds of a trial that failed.
    """

    fold: int
    value: float | None
    naive: float
    best_epoch: int | None
    epochs_run: int
    split: dict[str, Part]


class Resources(_Fields):
    """What the trial used. Null where it could not be measured."""

    device: str
    peak_memory_bytes: int | None
    flops_per_step: int | None
    total_flops: int | None
    steps: int
    samples_per_second: float | None


class Failure(_Fields):
    """Why a trial did not complete."""

    type: str
    message: str
    traceback: str | None


class DataSource(_Fields):
    """Which data the trial saw."""

    name: str
    sha256: str


class Code(_Fields):
    """Which code ran it; commit and dirty are null outside a git checkout."""

    version: str
    commit: str | None
    dirty: bool | None


class TrialRecord(_Fields):
    """One trial, from the intent written before it trains (RUNNING) to its end.

    ``params``, ``distributions``, ``intermediate_values``, ``constraints``, ``user_attrs`` and
    ``system_attrs`` are the storage's own, so that it can be rebuilt exactly; times are UTC.

    Of a walk-forward split over several folds ``value``, ``metrics``, ``naive`` and ``references`` are means
    over the folds, ``value_std`` is the standard deviation between them, ``confusion_matrix`` counts all of
    them, and ``split`` and ``training.best_epoch`` are those of the last one; the steps of
    ``intermediate_values`` count on from fold to fold, by the planned epochs.
    """

    schema_version: int = SCHEMA_VERSION
    experiment: str
    study_name: str
    trial_number: int
    state: State
    value: float | None
    value_std: float | None = None
    objective: Objective
    origin: Origin
    params: dict[str, bool | int | float | str | None]
    distributions: dict[str, dict[str, Any]]
    intermediate_values: dict[int, float]
    constraints: dict[str, float]
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    architecture: Architecture
    training: Training
    seed: int
    datetime_start: datetime
    datetime_complete: datetime | None
    duration_seconds: float | None
    resumed: int
    learning_curve: list[Epoch]
    metrics: Metrics | None
    naive: Naive
    references: dict[str, dict[str, float]]
    confusion_matrix: ConfusionMatrix | ClassCounts | None
    split: dict[str, Part]
    folds: list[FoldScore] = []
    flags: list[Flag]
    resources: Resources
    failure: Failure | None
    data: DataSource
    code: Code

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What must hold between fields, in records of every version."""
        if self.params.keys() != self.distributions.keys():
            only = sorted(self.params.keys() ^ self.distributions.keys())
            raise ValueError(
                f"params and distributions must have the same names, got {', '.join(only)} in one"
            )
        if not self.state.is_finished:
            for name in ("value", "datetime_complete", "duration_seconds"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} must be null while a trial is RUNNING")
        if self.state == State.COMPLETE:
            for name in ("value", "metrics"):
                if getattr(self, name) is None:
                    raise ValueError(f"{name} must be there once a trial is COMPLETE")
        return self


def explain(error: ValidationError) -> str:
    """The first thing that is wrong with a record, with the field: "metrics.val.mse: ..., got nan"."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {message[:1].lower()}{message[1:]}, got {reprlib.repr(first['input'])}"


def epoch_values(record: TrialRecord) -> dict[int, list[tuple[int, float]]]:
    """The objective by fold, and in each by epoch, as (epoch, value) in order."""
    values: dict[int, list[tuple[int, float]]] = {}
    for row in record.learning_curve:
        value = record.intermediate_values.get(record.training.step_of(row.fold, row.epoch))
        if value is not None:
            values.setdefault(row.fold, []).append((row.epoch, value))
    return values


def rank(records: list[TrialRecord]) -> list[TrialRecord]:
    """The completed trials, best first; ties go to the earlier trial."""
    done = [record for record in records if record.state == State.COMPLETE and record.value is not None]
    return sorted(
        done, key=lambda record: (record.objective.sign * (record.value or 0.0), record.trial_number)
    )


def ranked_references(record: TrialRecord) -> list[tuple[str, float]]:
    """The references that have a score by the objective, the toughest first; ties by name."""
    objective = record.objective
    metrics = {record.naive.name: record.naive.metrics} | record.references
    scores = {name: objective.score(values) for name, values in metrics.items()}
    known = [(name, score) for name, score in scores.items() if score is not None]
    return sorted(known, key=lambda pair: (objective.sign * pair[1], pair[0]))
