"""The study database."""

import contextlib
import sqlite3
import subprocess
import sys

import optuna
import pytest

from hpo.errors import ConfigError, StorageError
from hpo.store.database import check_same, create_study, open_storage, study_names
from hpo.store.sqlite import check_storage
from hpo.study.config import build_config


def test_processes_that_make_a_database_at_once_all_open_it(tmp_path):
    url = f"sqlite:///{tmp_path}/new/studies.db"
    script = (
        "from hpo.store.database import open_storage, study_names\n"
        f"with open_storage({url!r}) as database: print(study_names(database))"
    )
    opening = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(5)
    ]
    for process in opening:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
        assert output == b"[]\n"


@pytest.fixture
def database(tmp_path):
    """One whose last pages hold the rest of a text too long for a page."""
    path = tmp_path / "studies.db"
    with open_storage(f"sqlite:///{path}") as opened:
        study = optuna.create_study(storage=opened.storage, study_name="a")
        study.ask().set_user_attr("long", ["x" * 100] * 300)
    return path


@pytest.mark.parametrize("missing", [1, 1000, 4096, 5000, 12_000])
def test_a_database_that_was_cut_anywhere_is_refused_and_left_alone(database, missing):
    data = database.read_bytes()
    check_storage(f"sqlite:///{database}")
    database.write_bytes(data[:-missing])
    with pytest.raises(StorageError, match=r"damaged|cannot be read"):
        check_storage(f"sqlite:///{database}")
    assert database.read_bytes() == data[:-missing]


def test_a_database_in_use_is_whole_though_pages_are_still_in_its_log(database):
    url = f"sqlite:///{database}"
    with open_storage(url) as opened:
        study = optuna.load_study(storage=opened.storage, study_name="a")
        for i in range(30):
            study.ask().set_user_attr("long", ["y" * 100] * 300)
            assert database.with_name("studies.db-wal").stat().st_size > 0, i
            check_storage(url)


def test_a_study_of_before_a_setting_had_its_default():
    identity = build_config({}).identity()
    before = {key: value for key, value in identity.items() if key not in ("precision", "sampler")}
    check_same("a", identity, before)
    with pytest.raises(ConfigError, match="precision is 'fp32' and was 'auto'"):
        check_same("a", build_config({"precision": "fp32"}).identity(), before)


def test_a_study_is_its_own_and_nobody_elses(tmp_path):
    identity = build_config({}).identity()
    with open_storage(f"sqlite:///{tmp_path}/studies.db") as database:
        study = create_study(database, "ours", "minimize", identity)
        assert create_study(database, "ours", "minimize", identity).study_id == study.study_id
        with pytest.raises(ConfigError, match="seed is 1 and was 0"):
            create_study(database, "ours", "minimize", {**identity, "seed": 1})
        foreign = optuna.create_study(storage=database.storage, study_name="foreign")
        foreign.ask()
        with pytest.raises(ConfigError, match="was not made by hpo"):
            create_study(database, "foreign", "minimize", identity)


def test_a_study_begun_under_other_rules_is_not_gone_on_with():
    identity = build_config({}).identity()
    before = {key: value for key, value in identity.items() if key != "rules"}
    with pytest.raises(ConfigError, match=r"begun by an older version; .* give 'a_2' to begin anew"):
        check_same("a", identity, before)


def test_a_database_whose_making_was_broken_off_is_made_whole_and_another_programs_is_left_alone(tmp_path):
    whole = tmp_path / "whole.db"
    with open_storage(f"sqlite:///{whole}"):
        pass
    with contextlib.closing(sqlite3.connect(whole)) as connection:
        query = "SELECT name, sql FROM sqlite_schema WHERE type = 'table'"
        tables = dict(connection.execute(query).fetchall())
    for count in range(1, len(tables)):
        path = tmp_path / f"{count}.db"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for statement in list(tables.values())[:count]:
                connection.execute(statement)
        with open_storage(f"sqlite:///{path}") as opened:
            assert study_names(opened) == []
    foreign = tmp_path / "foreign.db"
    with contextlib.closing(sqlite3.connect(foreign)) as connection:
        connection.execute(tables["studies"])
        connection.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(StorageError, match="another program"), open_storage(f"sqlite:///{foreign}"):
        pass
