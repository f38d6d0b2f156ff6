"""A trial as one line of a table: every shown column once, for the JSON rows, the page and the terminal."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict

from hpo.trial.flags import Flag
from hpo.trial.origin import Origin
from hpo.trial.record import TrialRecord
from hpo.trial.state import State

Kind = Literal["text", "words", "count", "score", "fraction", "budget", "params", "rate", "seconds"]
"""What a value is; each place that shows it has one way of writing such values."""


@dataclass(frozen=True)
class Column:
    """What a field of :class:`Row` is.

    Attributes:
        title: Its heading.
        path: Where its value stands in a record.
        kind: What the value is.
    """

    title: str
    path: str
    kind: Kind = "count"


class Row(BaseModel):
    """One trial. Its fields are the columns, in their order; null where a record holds no value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trial_number: Annotated[int, Column("Trial", "trial_number")]
    origin: Annotated[Origin, Column("Origin", "origin", "text")]
    state: Annotated[State, Column("State", "state", "text")]
    value: Annotated[float | None, Column("Score", "value", "score")]
    skill: Annotated[float | None, Column("Skill", "naive.skill", "fraction")]
    parameter_budget: Annotated[int, Column("Budget", "architecture.parameter_budget", "budget")]
    family: Annotated[str, Column("Model", "architecture.family", "text")]
    d_model: Annotated[int, Column("Width", "architecture.d_model")]
    n_layers: Annotated[int, Column("Layers", "architecture.n_layers")]
    n_heads: Annotated[int | None, Column("Heads", "architecture.n_heads")]
    param_count: Annotated[int, Column("Parameters", "architecture.param_count", "params")]
    budget_deviation: Annotated[float, Column("Off budget", "architecture.budget_deviation", "fraction")]
    dropout: Annotated[float, Column("Dropout", "training.dropout", "rate")]
    learning_rate: Annotated[float, Column("Learning rate", "training.learning_rate", "rate")]
    weight_decay: Annotated[float, Column("Weight decay", "training.weight_decay", "rate")]
    batch_size: Annotated[int, Column("Batch", "training.batch_size")]
    normalisation: Annotated[str, Column("Normalisation", "training.normalisation", "text")]
    epochs_run: Annotated[int, Column("Epochs", "training.epochs_run")]
    duration_seconds: Annotated[float | None, Column("Time", "duration_seconds", "seconds")]
    flags: Annotated[list[Flag], Column("Flags", "flags", "words")]

    @property
    def score(self) -> float | None:
        """The value of a completed trial; None for others, whose value is the last or there is none."""
        return self.value if self.state == State.COMPLETE else None


COLUMNS: dict[str, Column] = {
    name: next(part for part in field.metadata if isinstance(part, Column))
    for name, field in Row.model_fields.items()
}
"""The columns by name."""

_VALUES = {name: attrgetter(column.path) for name, column in COLUMNS.items()}


def row_values(record: TrialRecord) -> dict[str, Any]:
    """A trial's values by column, as JSON takes them: one row of ``<experiment>_all_trials.json``."""
    return {name: value(record) for name, value in _VALUES.items()}
