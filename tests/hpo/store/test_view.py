"""A trial in Optuna's words: what this project takes from Optuna that is not offered to the public."""

from datetime import UTC

import optuna
import pytest

from hpo.store import view
from hpo.store.database import create_study, load_records, open_storage


@pytest.fixture
def study(tmp_path):
    with open_storage(f"sqlite:///{tmp_path}/studies.db") as database:
        yield create_study(database, "study", "minimize", {})


def running(record, number=0):
    fields = {"state": "RUNNING", "value": None, "datetime_complete": None, "duration_seconds": None}
    return record.updated(trial_number=number, **fields, intermediate_values={}, constraints={})


def test_a_record_comes_back_to_the_last_bit(study, record):
    study.put(record)
    assert load_records(study) == [record]


def test_an_end_is_stored_with_the_records_own_times(study, record):
    study.put(running(record))
    study.report(0, 1, 0.5)
    study.report(0, 99, 0.1)
    study.put(record)
    (stored,) = load_records(study)
    assert stored == record
    (trial,) = optuna.load_study(study_name="study", storage=study.storage).trials
    assert trial.value == record.value
    assert trial.datetime_complete.astimezone(UTC) == record.datetime_complete
    assert trial.datetime_start.astimezone(UTC) == record.datetime_start
    assert 99 not in trial.intermediate_values, "an epoch of a killed attempt"


def test_a_kill_between_a_result_and_its_state_leaves_an_open_trial(study, record, monkeypatch):
    study.put(running(record))
    monkeypatch.setattr(view, "_close", lambda *_: None)
    study.put(record)
    (stored,) = load_records(study)
    assert (stored.state, stored.value, stored.datetime_complete) == ("RUNNING", None, None)
    monkeypatch.undo()
    study.put(record)
    assert load_records(study) == [record]


def test_a_number_that_is_kept_free_is_filled(study, record):
    study.add_waiting()
    study.put(running(record, 1))
    assert study.trial(0).is_waiting
    study.put(running(record, 0))
    assert not study.trial(0).is_waiting
    assert [r.trial_number for r in load_records(study)] == [0, 1]


def test_what_optuna_keeps_to_itself_is_as_it_was():
    """``view._close`` writes these tables; a change of Optuna's is noticed here first."""
    models = view.models
    assert {"trial_id", "state", "datetime_start", "datetime_complete"} <= set(
        models.TrialModel.__table__.columns.keys()
    )
    assert {"trial_id", "objective", "value", "value_type"} <= set(
        models.TrialValueModel.__table__.columns.keys()
    )
    assert {"trial_id", "step"} <= set(models.TrialIntermediateValueModel.__table__.columns.keys())
    assert models.TrialValueModel.value_to_stored_repr(0.5)[0] == 0.5
    assert set(view.constraint_attrs({"diverged": 1.0})) == {"constraints:diverged"}
