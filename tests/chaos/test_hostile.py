"""Input made to harm: each a clear error, nothing harmed."""

import pickle
import sqlite3
import subprocess
from contextlib import closing

import pytest

TINY = ("--trials=1", "--epochs=1")


def assert_refused(answer, *words):
    assert answer.returncode == 2, answer.stdout + answer.stderr
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert len(answer.stderr) < 1000, "a line, not a flood"
    assert all(word in answer.stderr for word in words), answer.stderr


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "x" * 300, "..", "", "a\nb"])
def test_names_stay_in_the_output_folder(service, name):
    study = service("x", *TINY)
    assert_refused(study.run(f"--experiment={name}"), "experiment: must be letters, digits")
    assert not study.out.exists()


DEEP = 400_000
STUDY_FILES = {
    "huge": lambda path: path.write_bytes(b"# " + b"x" * 100_000_000),
    "nested arrays": lambda path: path.write_text("a = " + "[" * DEEP),
    "nested keys": lambda path: path.write_text("[study]\nexperiment." + "a." * DEEP + "a = 1"),
    "nested below the limit": lambda path: path.write_text("[study]\nexperiment." + "a." * 990 + "a = 1"),
    "arrays below the limit": lambda path: path.write_text("a = " + "[" * 1990),
    "nested tables": lambda path: path.write_text("study." + "a." * DEEP + "a = 1"),
    "long name": lambda path: path.write_text(f'[study]\nexperiment = "{"x" * 900_000}"'),
    "NUL in the name": lambda path: path.write_text('[study]\nexperiment = "a\\u0000b"'),
    "NUL in out": lambda path: path.write_text('[study]\nout = "a\\u0000b"'),
    "NUL in storage": lambda path: path.write_text('[study]\nstorage = "sqlite:///a\\u0000b"'),
    "NUL in data": lambda path: path.write_text('[data]\ndata = "a\\u0000b.csv"'),
    "long out": lambda path: path.write_text(f'[study]\nout = "{"x" * 300}"'),
    "long data": lambda path: path.write_text(f'[data]\ndata = "{"x" * 300}.csv"'),
    "huge number": lambda path: path.write_text("[study]\nseed = " + "9" * 100_000),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"study": {}})),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("kind", STUDY_FILES)
def test_study_files_made_to_harm(service, tmp_path, kind):
    path = tmp_path / "study.toml"
    STUDY_FILES[kind](path)
    answer = service("x").hpo("plan", f"--study={path}", timeout=30)
    assert_refused(answer)


def test_a_database_of_another_program_is_left_alone(service):
    study = service("x", *TINY)
    study.out.mkdir()
    with closing(sqlite3.connect(study.database)) as connection:
        connection.execute("CREATE TABLE accounts (id INTEGER, owner TEXT)")
        connection.execute("INSERT INTO accounts VALUES (1, 'me')")
        connection.commit()
    before = study.database.read_bytes()
    for answer in (study.run(), study.tool("status"), study.tool("rebuild")):
        assert_refused(answer, "another program")
    assert study.database.read_bytes() == before


@pytest.mark.chaos
def test_a_database_of_another_version_is_left_alone(service):
    study = service("x", *TINY)
    assert study.run().returncode == 0
    with closing(sqlite3.connect(study.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v99'")
        connection.commit()
    for answer in (study.run(), study.tool("status")):
        assert_refused(answer, "cannot be opened as a study database")


def test_a_file_that_is_no_database(service):
    study = service("x", *TINY)
    study.out.mkdir()
    study.database.write_bytes(pickle.dumps("x" * 10_000))
    assert_refused(study.run(), "no SQLite database")


@pytest.mark.chaos
def test_a_read_only_output_folder(service, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        study = service("x", *TINY, out=disk / "out")
        assert study.run().returncode == 0
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert_refused(study.run(), "read-only")
        assert_refused(study.run("--experiment=new", f"--storage=sqlite:///{tmp_path}/db"), "cannot write to")
        for command in ("status", "audit", "rebuild"):
            answer = study.tool(command)
            assert answer.returncode in (0, 2), answer.stderr
            assert len(answer.stderr.splitlines()) <= 1, answer.stderr
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
