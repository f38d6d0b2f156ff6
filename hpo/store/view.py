"""A trial in Optuna's words and as a record: each gives the other back, to the last bit.

This file alone uses what Optuna does not offer to the public: the tables in which a trial's state, value and
times are written in one transaction with the record's own times (``set_trial_state_values`` takes the time of
day, and leaves a value without its state if it is killed between the two). ``tests/hpo/store/test_view.py``
notices when Optuna changes them.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from pydantic import ValidationError

from hpo.errors import StorageError
from hpo.trial.origin import Origin
from hpo.trial.record import TrialRecord

RECORD = "hpo:record"
"""Trial attribute: the fields of the record that Optuna has no place for. A system attribute, which the
dashboard does not show."""

ORIGIN = "origin"
"""Trial attribute: where a trial's params come from."""

DIRECTIONS = {"minimize": StudyDirection.MINIMIZE, "maximize": StudyDirection.MAXIMIZE}

_STORED_ELSEWHERE = frozenset(
    {
        "state",
        "value",
        "params",
        "distributions",
        "intermediate_values",
        "constraints",
        "user_attrs",
        "system_attrs",
        "trial_number",
    }
)


def constraint_attrs(constraints: dict[str, float]) -> dict[str, Any]:
    """The system attributes in which Optuna keeps a trial's constraints."""
    return create_trial(state=TrialState.PRUNED, constraints=constraints).system_attrs


def _record_of(trial: FrozenTrial) -> TrialRecord | None:
    """The record of a stored trial; None for one that has not begun or that hpo did not make.

    Raises:
        StorageError: What is stored is not a record.
    """
    fields = cast(dict[str, Any] | None, trial.system_attrs.get(RECORD))
    if fields is None:
        return None
    stored = {
        "trial_number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "distributions": {
            name: json.loads(distribution_to_json(distribution))
            for name, distribution in trial.distributions.items()
        },
        "intermediate_values": trial.intermediate_values,
        "constraints": dict(trial.constraints),
        "user_attrs": trial.user_attrs,
        "system_attrs": {key: value for key, value in trial.system_attrs.items() if key != RECORD},
    }
    if not trial.state.is_finished():  # a kill may have come between its result and its state
        stored |= {"datetime_complete": None, "duration_seconds": None}
    try:
        return TrialRecord.model_validate({**fields, **stored})
    except (ValidationError, TypeError) as error:
        raise StorageError(f"trial {trial.number} in storage is not a record of hpo: {error}") from error


@dataclass(frozen=True)
class StoredTrial:
    """A trial as it is stored, in plain words."""

    _trial: FrozenTrial

    @property
    def number(self) -> int:
        """Its number."""
        return self._trial.number

    @property
    def is_finished(self) -> bool:
        """Whether it ended."""
        return self._trial.state.is_finished()

    @property
    def is_waiting(self) -> bool:
        """Whether it is a number that is kept free."""
        return self._trial.state is TrialState.WAITING

    @property
    def params(self) -> dict[str, Any]:
        """Its point in the space."""
        return self._trial.params

    @property
    def origin(self) -> Origin:
        """Where the point comes from; empty where that is not stored."""
        return Origin(self._trial.user_attrs.get(ORIGIN, ""))

    def record(self) -> TrialRecord | None:
        """Its record; None for one that has not begun or that hpo did not make.

        Raises:
            StorageError: What is stored is not a record.
        """
        return _record_of(self._trial)


def frozen(record: TrialRecord) -> FrozenTrial:
    """The record as Optuna has a trial; the storage gives it its key."""
    distributions = {
        name: json_to_distribution(json.dumps(fields)) for name, fields in record.distributions.items()
    }
    return FrozenTrial(
        number=record.trial_number,
        state=TrialState[record.state],
        value=record.value,
        datetime_start=_naive_local(record.datetime_start),
        datetime_complete=_naive_local(record.datetime_complete),
        params=dict(record.params),
        distributions=distributions,
        user_attrs=dict(record.user_attrs),
        system_attrs={**record.system_attrs, RECORD: _own_fields(record)},
        intermediate_values=dict(record.intermediate_values),
        trial_id=-1,
    )


def bring_up(storage: RDBStorage, trial_id: int, record: TrialRecord) -> None:
    """Bring a stored trial that has not ended up to its record.

    All that belongs to the trial comes first. If it ended, state, value and times follow in one transaction,
    in which epochs that the record does not know are forgotten, so that a kill leaves either an open trial,
    to be brought up again, or a whole one.
    """
    trial, stored = frozen(record), storage.get_trial(trial_id)
    if stored.state is TrialState.WAITING:
        storage.set_trial_state_values(trial_id, TrialState.RUNNING)
    for name, distribution in trial.distributions.items():
        if name not in stored.params:
            internal = distribution.to_internal_repr(trial.params[name])
            storage.set_trial_param(trial_id, name, internal, distribution)
    for step, value in trial.intermediate_values.items():
        if stored.intermediate_values.get(step) != value:
            storage.set_trial_intermediate_value(trial_id, step, value)
    for key, value in trial.user_attrs.items():
        if stored.user_attrs.get(key) != value:
            storage.set_trial_user_attr(trial_id, key, value)
    for key, value in trial.system_attrs.items():
        if stored.system_attrs.get(key) != value:
            storage.set_trial_system_attr(trial_id, key, value)
    if record.state.is_finished:
        _close(storage, trial_id, record)


def _close(storage: RDBStorage, trial_id: int, record: TrialRecord) -> None:
    trials, values = models.TrialModel.__table__, models.TrialValueModel.__table__
    scores = models.TrialIntermediateValueModel.__table__
    with storage.engine.begin() as connection:
        # An attempt that was killed may have come further than the one that the record tells of.
        connection.execute(
            scores.delete().where(
                scores.c.trial_id == trial_id, scores.c.step.not_in(list(record.intermediate_values))
            )
        )
        if record.value is not None:
            value, kind = models.TrialValueModel.value_to_stored_repr(record.value)
            connection.execute(
                values.insert().values(trial_id=trial_id, objective=0, value=value, value_type=kind)
            )
        connection.execute(
            trials.update()
            .where(trials.c.trial_id == trial_id)
            .values(
                state=TrialState[record.state],
                datetime_start=_naive_utc(record.datetime_start),
                datetime_complete=_naive_utc(record.datetime_complete),
            )
        )


def _naive_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _naive_local(moment: datetime | None) -> datetime | None:
    """What Optuna holds in memory."""
    return None if moment is None else moment.astimezone().replace(tzinfo=None)


def _own_fields(record: TrialRecord) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude=set(_STORED_ELSEWHERE))
