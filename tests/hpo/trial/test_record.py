import json
import math

import pytest
from pydantic import ValidationError

from hpo.errors import StorageError
from hpo.store.records import read_record
from hpo.trial.record import TrialRecord, explain
from hpo.trial.state import State

BAD = {
    "a value that is not a number": ({"value": math.nan}, "value: input should be a finite number, got nan"),
    "a metric that is not a number": (
        {"metrics": {"train": {}, "val": {"mse": math.nan}}},
        "metrics.val.mse: input should be a finite number, got nan",
    ),
    "an infinite score of an epoch": (
        {"intermediate_values": {1: math.inf}},
        "intermediate_values.1: input should be a finite number, got inf",
    ),
    "a wrong type": (
        {"resumed": "often"},
        "resumed: input should be a valid integer, unable to parse string as an integer, got 'often'",
    ),
    "a misspelt key": ({"valeu": 0.4}, "valeu: extra inputs are not permitted, got 0.4"),
    "an unknown state": (
        {"state": "DONE"},
        "state: input should be 'COMPLETE', 'PRUNED', 'FAIL' or 'RUNNING', got 'DONE'",
    ),
    "no value": ({"value": None}, "value must be there once a trial is COMPLETE"),
    "no metrics": ({"metrics": None}, "metrics must be there once a trial is COMPLETE"),
    "an end while it runs": (
        {"state": "RUNNING", "value": None},
        "datetime_complete must be null while a trial is RUNNING",
    ),
    "a param without a distribution": (
        {"distributions": {}, "params": {"dropout": 0.1}},
        "params and distributions must have the same names, got dropout in one",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_record_is_refused_with_the_field_named(make_record, tmp_path, case):
    changes, said = BAD[case]
    with pytest.raises(ValidationError) as refusal:
        make_record(0).updated(**changes)
    assert explain(refusal.value) == said
    unchecked = make_record(0).model_copy(update=changes)
    with pytest.raises(ValidationError):
        unchecked.updated()
    path = tmp_path / "trial_0000.json"
    path.write_text(json.dumps({**make_record(0).model_dump(mode="json"), **changes}))
    with pytest.raises(StorageError):
        read_record(path)


def test_what_an_unchecked_copy_hides_deep_inside_is_found(make_record):
    metrics = make_record(0).metrics.model_copy(update={"val": {"mse": math.nan}})
    with pytest.raises(ValidationError) as refusal:
        make_record(0).updated(metrics=metrics)
    assert explain(refusal.value) == "metrics.val.mse: input should be a finite number, got nan"


def test_a_copy_without_changes_is_the_same(make_study):
    for record in make_study():
        assert record.updated() == record
        assert TrialRecord.model_validate_json(record.model_dump_json()) == record


def test_states_are_their_text_in_json_and_in_words(make_record):
    fields = make_record(
        0, state="PRUNED", origin="of:a:newer:version", flags=["of_a newer_version"]
    ).model_dump(mode="json")
    assert (fields["state"], fields["origin"], fields["flags"]) == (
        "PRUNED",
        "of:a:newer:version",
        ["of_a newer_version"],
    )
    assert json.loads(json.dumps(fields)) == fields
    assert [state.in_words for state in State] == ["completed", "pruned", "failed", "running"]
    assert [state for state in State if not state.is_finished] == [State.RUNNING]
    assert f"{State.FAIL}" == "FAIL"
