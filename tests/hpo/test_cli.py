"""The command line as a user starts it."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpo.cli import main
from hpo.config import keys

ROOT = Path(__file__).parents[2]
COMMANDS = ("run", "summary", "dashboard")


def hpo(*arguments, cwd, **kwargs):
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "hpo", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        **kwargs,
    )


def test_help_is_quick_and_lists_every_command(tmp_path):
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        done = hpo("--help", cwd=tmp_path)
        seconds.append(time.monotonic() - started)
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, hpo.cli; print(*sys.modules)"], capture_output=True, text=True
    ).stdout.split()
    assert not {"torch", "optuna", "pandas", "pydantic"} & set(loaded)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_a_page_in_the_docs(tmp_path, command):
    done = hpo(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example" in done.stdout
    options = re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", done.stdout, re.MULTILINE)
    assert options
    docs = (ROOT / "docs" / "commands.md").read_text()
    assert f"## hpo {command}" in docs
    section = docs.split(f"## hpo {command}")[1].split("\n## ")[0]
    missing = [option for option in options if option != "--help" and option not in section]
    assert not missing, f"docs/commands.md leaves out {missing}"


def test_every_flag_is_a_key_and_every_key_a_flag(tmp_path):
    flags = set(re.findall(r"^\s+--([a-z-]+)", hpo("run", "--help", cwd=tmp_path).stdout, re.MULTILINE))
    assert flags - {"help", "study"} == {key.replace("_", "-") for key in keys()}


def test_the_docs_say_the_defaults(tmp_path):
    from hpo.config import sections

    text = hpo("run", "--help", cwd=tmp_path).stdout
    for section in sections().values():
        for key, field in section.model_fields.items():
            if field.default is None:
                continue
            line = re.search(
                rf"^\s+--{key.replace('_', '-')}\b.*?(?=^\s+-|\Z)", text, re.MULTILINE | re.DOTALL
            )
            shown = field.default if not isinstance(field.default, bool) else "prune"
            shown = f"{shown:g}" if isinstance(shown, float) else str(shown)
            assert f"[{shown}" in line[0], f"--{key}: the help does not say its default {shown}"


BAD = [
    (["run", "--model", "psan"], "psann"),
    (["run", "--data", "sp50"], "sp500"),
    (["run", "--budget", "2X"], "200M"),
    (["run", "--budget", "0"], "budget"),
    (["run", "--trials", "0"], "trials"),
    (["run", "--trials", "-3"], "trials"),
    (["run", "--trials", "many"], "many"),
    (["run", "--epochs", "0"], "epochs"),
    (["run", "--horizon", "0"], "horizon"),
    (["run", "--context", "100000"], "context"),
    (["run", "--context", "5000"], "rows"),
    (["run", "--horizon", "4000"], "rows"),
    (["run", "--modle", "psann"], "--model"),
    (["run", "--experiment", "../evil"], "experiment"),
    (["run", "--experiment", "/tmp/evil"], "experiment"),
    (["run", "--experiment", "x" * 300], "experiment"),
    (["run", "--split", "contigous"], "contiguous"),
    (["run", "--features", "a50"], "a20"),
    (["run", "--loss", "mse"], "bce"),
    (["run", "--device", "cuda:0"], "cuda"),
    (["run", "--task", "ternary"], "task"),
    (["run", "--storage", "nonsense"], "storage"),
    (["run", "--study", "none.toml"], "none.toml"),
    (["run", "extra"], "extra"),
    (["rum"], "run"),
    (["summary", "--experiment", "nothing"], "no study database"),
    (["summary", "--experiment", "../x", "--from-files"], "experiment"),
    (["summary", "--experiment", "x", "--from-files"], "no trial files"),
    (["summary"], "--experiment"),
    (["dashboard"], "no study database"),
    (["dashboard", "--port", "0"], "port"),
]


@pytest.mark.parametrize(("arguments", "word"), BAD, ids=[" ".join(a)[:40] for a, _ in BAD])
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, monkeypatch, capfd, arguments, word):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["hpo", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    printed = capfd.readouterr()
    assert caught.value.code == 2
    assert len(printed.err.strip().splitlines()) == 1, printed.err
    assert word in printed.err
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_bad_input_in_a_process_of_its_own(tmp_path):
    done = hpo("run", "--model", "psan", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("hpo: unknown model 'psan': did you mean 'psann'?")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "outputs").write_text("a file")
    done = hpo("run", "--trials", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "out:" in done.stderr


def test_a_database_that_is_none(tmp_path):
    (tmp_path / "studies.db").write_bytes(b"this is no database, not at all" * 100)
    before = (tmp_path / "studies.db").read_bytes()
    done = hpo("run", "--trials", "1", "--storage", "sqlite:///studies.db", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert (tmp_path / "studies.db").read_bytes() == before


def test_debug_shows_where(tmp_path):
    done = hpo("--debug", "run", "--model", "nothing", cwd=tmp_path)
    assert "Traceback" in done.stderr


def test_summary_prints_json(tmp_path, tiny_study):
    done = hpo(
        "summary", "--experiment", tiny_study.name, "--out", str(tiny_study.parent), "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["overview"]["experiment"] == tiny_study.name
