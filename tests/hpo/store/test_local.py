"""What the store of one machine does with files that are not what they should be, while a study runs."""

import pytest

from hpo.store.database import create_study, open_storage
from hpo.store.layout import ExperimentFiles
from hpo.store.local import LocalStore
from hpo.store.records import write_record
from hpo.study.config import StudyConfig
from hpo.trial.state import State


@pytest.fixture
def files(tmp_path):
    return ExperimentFiles(out=tmp_path, experiment="study")


@pytest.fixture
def store(files):
    with open_storage(f"sqlite:///{files.out}/studies.db") as database:
        store = LocalStore(create_study(database, "study", "minimize", StudyConfig().identity()), files)
        store.open()
        yield store


@pytest.fixture
def intent(record):
    def propose(number):
        fields = {
            "experiment": "study",
            "study_name": "study",
            "trial_number": number,
            "state": State.RUNNING,
        }
        fields |= {"value": None, "metrics": None, "intermediate_values": {}}
        fields |= {"datetime_complete": None, "duration_seconds": None}
        return record.model_copy(update=fields)

    return propose


def test_a_torn_file_under_the_next_number_is_moved_away_and_not_overwritten(store, files, intent):
    files.trials.mkdir(parents=True)
    files.trial(0).write_text('{"torn')
    claim = store.claim(intent)
    assert claim.record.trial_number == 0
    assert (files.quarantine / "trial_0000.json").read_text() == '{"torn'


def test_another_experiments_file_is_not_taken_in(store, files, intent, record):
    write_record(files, record)
    assert record.experiment != "study"
    claim = store.claim(intent)
    assert len(store.history) == 1
    assert claim.record.experiment == "study"
    assert (files.quarantine / "trial_0000.json").exists()


def test_an_intent_that_never_reached_the_database_is_taken_up(store, files, intent):
    write_record(files, intent(0))
    claim = store.claim(intent)
    assert (claim.is_resumed, claim.record.trial_number) == (True, 0)
    assert store.claim(intent).record.trial_number == 1
