"""Files that are torn, gone or foreign: each comes back from the other side, none is deleted."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

LONG = pytest.mark.chaos, pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def finished(service, tmp_path_factory):
    """A finished study, not to be touched."""
    study = service("finished", "--epochs=6", out=tmp_path_factory.mktemp("finished") / "out")
    assert study.run().returncode == 0
    return study


@pytest.fixture
def done(finished, service):
    """A finished study of one's own."""
    mine = service("done", "--epochs=6")
    shutil.copytree(finished.out, mine.out)
    return mine


def everything(database):
    """All that a database holds, but for its own row numbers."""
    with closing(sqlite3.connect(database)) as connection:
        keys = "study_id, number, state, datetime_start, datetime_complete"
        trials = connection.execute(f"SELECT trial_id, {keys} FROM trials ORDER BY trial_id").fetchall()
        rows = {"trials": trials}
        for table, columns in {
            "trial_params": "trial_id, param_name, param_value, distribution_json",
            "trial_values": "trial_id, objective, value, value_type",
            "trial_intermediate_values": "trial_id, step, intermediate_value, intermediate_value_type",
            "trial_user_attributes": "trial_id, key, value_json",
            "trial_system_attributes": "trial_id, key, value_json",
            "studies": "study_name",
            "study_directions": "direction, study_id, objective",
            "study_user_attributes": "study_id, key, value_json",
            "study_system_attributes": "study_id, key, value_json",
        }.items():
            found = (
                connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()
                if "," in columns
                else connection.execute(f"SELECT {columns} FROM {table}").fetchall()
            )
            rows[table] = [tuple(_parsed(value) for value in row) for row in found]
    return rows


def _parsed(value):
    """JSON without the order of its keys."""
    if isinstance(value, str) and value[:1] in "{[":
        return json.dumps(json.loads(value), sort_keys=True)
    return value


def contents(folder):
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


def forget_database(service):
    for path in service.out.glob("studies.db*"):
        path.unlink()


@pytest.mark.slow
def test_a_deleted_database_is_restored_exactly_and_goes_on_the_same(done, service):
    before, records = everything(done.database), done.records()
    twin = service("twin", "--epochs=6", "--trials=11")
    shutil.copytree(done.out, twin.out)
    forget_database(done)
    rebuilt = done.tool("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert rebuilt.stdout.count("tell storage") == 8
    assert everything(done.database) == before
    assert done.stored() == records
    done.assert_at_one()
    # What the sampler suggests next must be what it would have suggested.
    assert done.run("--trials=11").returncode == 0
    assert twin.run().returncode == 0
    assert done.results() == twin.results()
    assert [record.origin for record in done.records()[-3:]] == ["tpe"] * 3


@pytest.mark.chaos
def test_a_database_that_is_gone_while_trials_are_open_is_restored_with_its_queue(service):
    whole, broken = service("whole"), service("broken")
    assert whole.run().returncode == 0
    run = broken.start()
    assert run.wait_for("trial 1 of")
    run.kill()
    forget_database(broken)
    assert broken.run().returncode == 0
    assert broken.results() == whole.results()
    broken.assert_at_one()


@pytest.mark.chaos
def test_deleted_trial_files_come_back_from_storage(done):
    before = contents(done.files.trials)
    shutil.rmtree(done.files.trials)
    assert done.tool("audit").returncode == 1
    assert done.tool("rebuild").returncode == 0
    assert contents(done.files.trials) == before
    done.assert_at_one()


@pytest.mark.parametrize("n_lengths", [pytest.param(1, marks=pytest.mark.slow), pytest.param(40, marks=LONG)])
def test_torn_files_of_every_kind(done, n_lengths):
    """At each step all files but the database are torn at once, each at its share of its length."""
    results = done.results()
    whole = contents(done.files.trials)
    torn_files = [
        *done.files.trials.iterdir(),
        done.files.study_toml,
        done.files.manifest,
        done.files.best(),
        done.files.all_trials,
        done.files.summary_json,
        done.files.summary_md,
        done.files.log,
    ]
    for step in range(n_lengths):
        for path in torn_files:
            data = path.read_bytes()
            path.write_bytes(data[: int(len(data) * step / n_lengths)])
        again = done.run()
        assert again.returncode == 0, again.stderr
        assert "Traceback" not in again.stderr
        assert done.results() == results
        assert contents(done.files.trials) == whole
        # What was moved away is still there: every torn record, and the manifest.
        kept = [path.name for path in done.files.quarantine.iterdir()]
        assert sum(name.startswith("trial_") for name in kept) == len(whole) * (step + 1)
        assert sum(name.startswith("manifest") for name in kept) == step + 1
        for path in (done.files.manifest, done.files.best(), done.files.all_trials, done.files.summary_json):
            json.loads(path.read_text())
    done.assert_at_one()


@pytest.mark.parametrize("n_lengths", [pytest.param(40, marks=LONG)])
def test_a_torn_database_is_a_clear_error_and_is_restored_once_moved_away(done, n_lengths):
    before, data = everything(done.database), done.database.read_bytes()
    assert not list(done.out.glob("studies.db-*")), "closed databases have no log beside them"
    for step in range(n_lengths):
        torn = data[: int(len(data) * (step + 0.5) / n_lengths)]
        done.database.write_bytes(torn)
        for answer in (done.tool("audit"), done.run()) if step == 0 else (done.tool("audit"),):
            assert answer.returncode == 2, answer.stdout
            assert len(answer.stderr.splitlines()) == 1, answer.stderr
            assert "hpo rebuild" in answer.stderr
        assert done.database.read_bytes() == torn, "nothing is harmed"
        for path in done.out.glob("studies.db-*"):
            path.unlink()
    done.database.rename(done.out / "moved-away.db")
    assert done.tool("rebuild").returncode == 0
    assert everything(done.database) == before


@pytest.mark.chaos
def test_foreign_files_among_the_trials_are_moved_away(done):
    results = done.results()
    first = json.loads(done.files.trial(0).read_text())
    foreign = {
        "trial_0099.json": json.dumps(first),  # its number is another
        "trial_1.json": json.dumps(first),
        "notes.json": "{}",
        "trial_0050.json": json.dumps({**first, "experiment": "another", "trial_number": 50}),
        "trial_0051.json": "[" * 1_000_000,
        "trial_0052.json": '{"a":' * 1_000_000,
        "trial_0053.json": " " * 100_000_000,
        "trial_0054.json": '{"__reduce__": "os.system"}',
        "trial_0055.json": "\0\0\0\0",
    }
    for name, text in foreign.items():
        (done.files.trials / name).write_text(text)
    answer = done.run()
    assert answer.returncode == 0, answer.stderr
    assert {path.name for path in done.files.quarantine.iterdir()} == set(foreign)
    assert done.results() == results
    done.assert_at_one()
    # A folder of another study's trials is not taken into a new database.
    forget_database(done)
    refused = done.run("--seed=5")
    assert refused.returncode == 2
    assert "seed is 5 and was 0" in refused.stderr


@pytest.mark.chaos
def test_two_sides_that_disagree_are_both_left_and_it_is_said(done):
    record = json.loads(done.files.trial(2).read_text())
    record["value"] += 1.0
    done.files.trial(2).write_text(json.dumps(record))
    for command in ("audit", "rebuild"):
        answer = done.tool(command)
        assert answer.returncode == 1
        assert "trial 2 differs between its file and storage in value" in answer.stdout
    assert json.loads(done.files.trial(2).read_text()) == record
