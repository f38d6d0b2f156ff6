import os
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from hpo.cli.main import app
from hpo.cli.make import arguments_of
from hpo.data.base import DataRequest
from hpo.data.reading.report import check_table
from hpo.study.catalogue import load_data
from hpo.study.config import build_config, settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def save(tmp_path):
    """Write a text, or bytes, as a file; gives its path."""

    def write(content, name="my.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


@pytest.fixture
def check():
    """What `hpo data check` finds."""
    return lambda path, **settings: check_table(
        DataRequest(context_length=1, horizon=1, path=Path(path), **settings)
    )


def load_flags(flags):
    """What `hpo run` would train on, with some flags."""
    context = typer.main.get_command(app).commands["run"].make_context("run", list(flags))
    given = {key: value for key, value in context.params.items() if key in settings()}
    typed = {k: v for k, v in given.items() if context.get_parameter_source(k).name == "COMMANDLINE"}
    return load_data(build_config(typed))[0]


def load_line(line):
    """What a line that was printed would train on: the shell and make have had it, training has not begun."""
    dry = line.replace("make hpo", f"make -n -f {shlex.quote(str(ROOT / 'Makefile'))} hpo", 1)
    # Not as a part of a make that runs the tests.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["/bin/sh", "-c", dry], capture_output=True, text=True, check=True, env=env)
    words = shlex.split(done.stdout.strip().splitlines()[-1])
    assert words[:4] == [".venv/bin/python", "-m", "hpo.cli.make", "run"]
    return load_flags(arguments_of("run", words[4:])[1:])


@pytest.fixture(name="load_flags")
def _load_flags():
    return load_flags


@pytest.fixture(name="load_line")
def _load_line():
    return load_line
