"""A trial in storage and its record: each can give the other back, to the last bit."""

import json
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.study import Study
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import FrozenTrial, TrialState, create_trial
from pydantic import ValidationError

from hpo.errors import StorageError
from hpo.trial.record import TrialRecord

__all__ = ["FrozenTrial"]
"""Optuna's own type, for modules that only name it."""

RECORD = "hpo:record"
"""Trial attribute: the fields of the record that Optuna has no place for. A system attribute, which the
dashboard does not show."""

ORIGIN = "origin"
"""Trial attribute: where a trial's params come from."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

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


def to_utc(moment: datetime) -> datetime:
    """Optuna's local time without a zone, as UTC."""
    return moment.astimezone(UTC)


def constraint_attrs(constraints: dict[str, float]) -> dict[str, float]:
    """The system attributes in which Optuna keeps a trial's constraints."""
    return {f"{_CONSTRAINTS_KEY}:{name}": violation for name, violation in constraints.items()}


def distributions_of(trial: FrozenTrial) -> dict[str, dict[str, Any]]:
    """A trial's distributions as plain JSON."""
    return {
        name: json.loads(distribution_to_json(distribution))
        for name, distribution in trial.distributions.items()
    }


def stored_fields(trial: FrozenTrial) -> dict[str, Any]:
    """The fields of a record that Optuna itself stores."""
    return {
        "trial_number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "distributions": distributions_of(trial),
        "intermediate_values": trial.intermediate_values,
        "constraints": dict(trial.constraints),
        "user_attrs": trial.user_attrs,
        "system_attrs": {key: value for key, value in trial.system_attrs.items() if key != RECORD},
    }


def record_of(trial: FrozenTrial) -> TrialRecord | None:
    """The record of a stored trial; None for one that has not begun or that hpo did not make.

    Raises:
        StorageError: What is stored is not a record.
    """
    fields = cast(dict[str, Any] | None, trial.system_attrs.get(RECORD))
    if fields is None:
        return None
    try:
        return TrialRecord.model_validate({**fields, **stored_fields(trial)})
    except (ValidationError, TypeError) as error:
        raise StorageError(f"trial {trial.number} in storage is not a record of hpo: {error}") from error


def load_records(study: Study) -> list[TrialRecord]:
    """All records of a study, from storage alone, in order of trial number."""
    trials = study.get_trials(deepcopy=False)
    return [record for trial in trials if (record := record_of(trial)) is not None]


def finished_records(study: Study) -> list[TrialRecord]:
    """The records of trials that ended, in order of trial number."""
    return [record for record in load_records(study) if record.state != "RUNNING"]


def attach_record(study: Study, trial_id: int, record: TrialRecord) -> None:
    """Keep a record's fields with the trial, so that storage alone can give the record back."""
    study._storage.set_trial_system_attr(trial_id, RECORD, _own_fields(record))


def add_trial(study: Study, record: TrialRecord) -> None:
    """Put a trial that storage lacks into it, in one transaction; its number is the next one."""
    study._storage.create_new_trial(study._study_id, template_trial=_frozen(record))


def add_waiting(study: Study, params: dict[str, Any], origin: str | None) -> None:
    """Queue a trial; params that are not given are sampled when it starts."""
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            system_attrs={"fixed_params": params},
            user_attrs={} if origin is None else {ORIGIN: origin},
        )
    )


def finish_trial(study: Study, trial_id: int, record: TrialRecord) -> None:
    """Tell storage how a trial ended, with the record's own times.

    All that belongs to the trial is brought up to the record first. State, value and times follow in one
    transaction, in which epochs that the record does not know are forgotten, so that a kill leaves either an
    open trial, to be told again, or a whole one.
    """
    storage, frozen = study._storage, _frozen(record)
    stored = storage.get_trial(trial_id)
    if stored.state is TrialState.WAITING:
        storage.set_trial_state_values(trial_id, TrialState.RUNNING)
    for name, distribution in frozen.distributions.items():
        if name not in stored.params:
            internal = distribution.to_internal_repr(frozen.params[name])
            storage.set_trial_param(trial_id, name, internal, distribution)
    for step, value in frozen.intermediate_values.items():
        if stored.intermediate_values.get(step) != value:
            storage.set_trial_intermediate_value(trial_id, step, value)
    for key, value in frozen.user_attrs.items():
        if stored.user_attrs.get(key) != value:
            storage.set_trial_user_attr(trial_id, key, value)
    for key, value in frozen.system_attrs.items():
        if stored.system_attrs.get(key) != value:
            storage.set_trial_system_attr(trial_id, key, value)
    _close(study, trial_id, record)


def _close(study: Study, trial_id: int, record: TrialRecord) -> None:
    trials, values = models.TrialModel.__table__, models.TrialValueModel.__table__
    scores = models.TrialIntermediateValueModel.__table__
    with _engine(study).begin() as connection:
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


def _engine(study: Study) -> sqlalchemy.Engine:
    storage: Any = study._storage
    engine: sqlalchemy.Engine = getattr(storage, "_backend", storage).engine  # Optuna wraps it in a cache
    return engine


def _naive_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _naive_local(moment: datetime | None) -> datetime | None:
    """What Optuna holds in memory."""
    return None if moment is None else moment.astimezone().replace(tzinfo=None)


def _own_fields(record: TrialRecord) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude=set(_STORED_ELSEWHERE))


def _frozen(record: TrialRecord) -> FrozenTrial:
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
        trial_id=-1,  # storage gives it one
    )
