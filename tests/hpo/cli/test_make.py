"""make hands over what it is given, whole, and refuses what is no flag: with the real Makefile and make."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hpo.cli.make import arguments_of
from hpo.errors import ConfigError, UnknownNameError
from hpo.study.config import settings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def make(tmp_path):
    """Run make in a folder that holds the Makefile and a .venv that is built already."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    (tmp_path / ".venv" / "installed").touch()

    def run(*arguments, **environment):
        return subprocess.run(
            ["make", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def the_line(done):
    """What hpo said; make maps its failures to 2."""
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    return line


def test_every_setting_is_a_variable():
    for key, setting in settings().items():
        flag = f"--{key.replace('_', '-')}"
        if setting.kind is bool:
            assert arguments_of("run", [f"{key.upper()}=1"]) == ["run", flag]
        else:
            assert arguments_of("run", [f"{key.upper()}=a=b"]) == ["run", f"{flag}=a=b"]


def test_a_switch_takes_the_words_for_true_and_false():
    for words, flag in (("1 true yes True", "--prune"), ("0 false no FALSE", "--no-prune")):
        for word in words.split():
            assert arguments_of("run", [f"PRUNE={word}"]) == ["run", flag]
    for word in ("2", "", "on"):
        with pytest.raises(ConfigError, match="PRUNE: must be 1 or 0"):
            arguments_of("run", [f"PRUNE={word}"])
    assert arguments_of("summary", ["EXPERIMENT=x", "FROM_FILES=0"]) == ["summary", "--experiment=x"]


def test_a_dry_run_is_a_plan():
    assert arguments_of("run", ["DRY_RUN=1", "MODEL=mlp"]) == ["plan", "--model=mlp"]
    assert arguments_of("run", ["DRY_RUN=0", "MODEL=mlp"]) == ["run", "--model=mlp"]
    with pytest.raises(UnknownNameError, match="make variable 'DRY_RUN'"):
        arguments_of("summary", ["DRY_RUN=1"])


def test_args_are_read_as_a_shell_reads_them():
    words = ["ARGS=--patience 5 --experiment 'a b'"]
    assert arguments_of("run", words) == ["run", "--patience", "5", "--experiment", "a b"]
    with pytest.raises(ConfigError, match="ARGS: cannot be read"):
        arguments_of("run", ["ARGS='"])


@pytest.mark.parametrize(
    ("name", "near"), [("BUGDET", "BUDGET"), ("model", "MODEL"), ("DATASEED", "DATA_SEED"), ("ARG", "ARGS")]
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(make, name, near):
    assert f"unknown make variable {name!r}: did you mean {near!r}? valid: " in the_line(
        make("hpo", f"{name}=1")
    )


def test_every_variable_of_the_command_line_arrives(make):
    """The last is wrong and is named, so all were read; before, make dropped all but the first."""
    words = ["DATA=beijing", "GROUPS=all", "FOLDS=3", "SEASON=24", "DATA_SEED=-7"]
    assert the_line(make("hpo", *words)).startswith("hpo: DATA_SEED: must be greater than or equal to 0")
    assert the_line(make("hpo", "TRIALS=")).startswith("hpo: TRIALS: must")


@pytest.mark.parametrize(
    "value", ["it's", '"two"  words ', "$HOME $(shell id) $$", "a#b, (c) ; d", "\\ * `x`", "=-"]
)
def test_a_value_arrives_untouched(make, value):
    """An experiment's name may hold none of these, and the error shows what it was given."""
    assert the_line(make("hpo", f"EXPERIMENT={value}")).endswith(f"got {value!r}")


def test_a_study_runs_with_what_make_was_given(make, tmp_path):
    words = [
        "MODEL=mlp",
        "BUDGET=20k",
        "CONTEXT=5",
        "LIMIT=300",
        "EPOCHS=1",
        "TRIALS=1",
        "THREADS=1",
        "DEVICE=cpu",
    ]
    odd = "it's $HOME, #1"
    done = make("hpo", *words, "STARTUP_TRIALS=3", "PRUNE=0", f"OUT={odd}", "ARGS=--patience 4")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / odd / "sp500_mlp_h1_20k"
    settings = tomllib.loads((folder / "study.toml").read_text())
    assert settings["search"] | {"trials": 1, "startup_trials": 3, "prune": False} == settings["search"]
    assert settings["training"]["patience"] == 4
    (run,) = json.loads((folder / "manifest.json").read_text())["runs"]
    assert run["command"][:2] == ["hpo", "run"], "the command line that does the same without make"
    assert {f"--out={odd}", "--no-prune", "--model=mlp"} < set(run["command"])


def test_the_environment_does_not_count(make):
    assert the_line(make("hpo", "TRIALS=0", MODEL="nothing", BUGDET="1")).startswith("hpo: TRIALS: must")


def test_what_is_make_s_own_stays_allowed(make):
    words = ["PYTHON=python3", "SHELL=/bin/sh", "MAKEFLAGS=-s", "ARGS=--patience=0", "DRY_RUN=1"]
    assert the_line(make("hpo", *words)).startswith("hpo: PATIENCE: must be")


def test_the_other_targets_take_their_flags(make):
    assert (
        the_line(make("summary", "EXPERIMENT=x", "OUT=o", "ARGS=--from-files"))
        == "hpo: no trial files in o/x/trials"
    )
    assert "no study database" in the_line(make("dashboard", "OUT=o", "STORAGE=sqlite:///none.db"))
    assert "unknown make variable 'MODEL'" in the_line(make("dashboard", "MODEL=mlp"))
    help_text = make("help").stdout
    assert all(
        f"\n{target} " in f"\n{help_text}" for target in ("hpo", "summary", "dashboard", "test", "check")
    )
