"""Each kind of difference, found and mended; whole programs are in tests/chaos."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from hpo.engine.rebuild import audit, rebuild
from hpo.errors import StorageError, UnknownNameError
from hpo.store.database import load_records, load_study, open_existing
from hpo.store.layout import ExperimentFiles
from hpo.store.locks import FileLock
from hpo.store.records import read_record, write_record

NAME = "sp500_mlp_h1_20k"


@pytest.fixture
def out(tiny_study, tmp_path):
    return shutil.copytree(tiny_study.parent, tmp_path / "outputs")


@pytest.fixture
def files(out):
    return ExperimentFiles(out=out, experiment=NAME)


def url(out):
    return f"sqlite:///{out}/studies.db"


def found(out):
    (differences,) = audit(out, url(out)).values()
    return [(d.kind, d.trial_number) for d in differences]


def mended(out):
    (differences,) = rebuild(out, url(out)).values()
    return [(d.kind, d.trial_number) for d in differences]


def test_a_whole_study_is_at_one(out):
    assert found(out) == mended(out) == []


def test_a_missing_file_is_written(out, files):
    record = read_record(files.trial(1))
    files.trial(1).unlink()
    assert found(out) == [("write file", 1)]
    assert mended(out) == [("write file", 1)]
    assert read_record(files.trial(1)) == record
    assert found(out) == []


def test_a_torn_file_is_moved_away_and_written(out, files):
    text = files.trial(1).read_text()
    files.trial(1).write_text(text[:1000])
    mended(out)
    mended(out)
    assert (files.quarantine / "trial_0001.json").read_text() == text[:1000]
    assert files.trial(1).exists()
    assert found(out) == []


def test_a_file_that_is_behind_storage_is_brought_up(out, files):
    record = read_record(files.trial(2))
    unended = {"value": None, "datetime_complete": None, "duration_seconds": None}
    write_record(files, record.updated(state="RUNNING", **unended))
    assert mended(out) == [("write file", 2)]
    assert read_record(files.trial(2)) == record


def test_a_trial_that_a_living_process_works_on_is_left_alone(out, files):
    files.trial(1).unlink()
    with FileLock(files.trial_lock(1)):
        assert found(out) == []
    assert found(out) == [("write file", 1)]


def test_epochs_of_an_attempt_that_was_killed_do_not_outlive_a_shorter_last_one(out, files):
    """Storage has heard of more epochs than the attempt that the record tells of came to."""
    record = read_record(files.trial(2))
    curve = record.learning_curve[:1]
    shorter = record.updated(
        state="FAIL",
        value=None,
        learning_curve=curve,
        intermediate_values={row.epoch: row.val_loss for row in curve},
    )
    with closing(sqlite3.connect(out / "studies.db")) as connection, connection:
        (key,) = connection.execute("SELECT trial_id FROM trials WHERE number = 2").fetchone()
        scores = "SELECT COUNT(*) FROM trial_intermediate_values WHERE trial_id = ?"
        assert connection.execute(scores, [key]).fetchone() == (2,)
        connection.execute("UPDATE trials SET state = 'RUNNING' WHERE trial_id = ?", [key])
        connection.execute("DELETE FROM trial_values WHERE trial_id = ?", [key])
    with open_existing(url(out)) as database:
        load_study(database, NAME).put(shorter)
    write_record(files, shorter)
    with open_existing(url(out)) as database:
        stored = load_records(load_study(database, NAME))
    assert stored[2] == shorter
    assert found(out) == []


def test_a_forced_config_that_ran_twice_is_found(out):
    with open_existing(url(out)) as database:
        study = load_study(database, NAME)
        study.put(load_records(study)[0].updated(trial_number=3))
    assert found(out)[-1] == ("disagree", 3)


def test_an_unknown_experiment_or_an_empty_folder_is_an_error(out, tmp_path):
    for command in (audit, rebuild):
        with pytest.raises(UnknownNameError, match="did you mean"):
            command(out, url(out), NAME + "x")
    with pytest.raises(StorageError, match="no trial files"):
        rebuild(tmp_path / "none", url(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
