"""The command line as a user starts it."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from hpo.cli.main import main
from hpo.search.forced import forced_configs
from hpo.study.config import build_config, read_study_file

ROOT = Path(__file__).parents[3]
COMMANDS = ("run", "plan", "status", "rerun", "models", "data", "summary", "rebuild", "audit", "dashboard")


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


def flags_in(text):
    """The flags that a help lists, plain or in rich's panels."""
    return set(re.findall(r"^[\s│]*(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))


def test_help_is_quick_and_lists_every_command(tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = hpo("--help", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)
    assert hpo(cwd=tmp_path).stdout == done.stdout
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert cpu_seconds < 0.5, (
        "the wall time of it is what a user sees; other processes don't count in this one"
    )


def test_the_version(tmp_path):
    done = hpo("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"hpo {version('budget-hpo')}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_a_page_in_the_docs(tmp_path, command):
    done = hpo(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example" in done.stdout
    flags = flags_in(done.stdout)
    assert "--help" in flags
    docs = (ROOT / "docs" / "commands.md").read_text()
    assert f"## hpo {command}" in docs
    pages = [command, "run"] if command == "plan" else [command]
    text = "".join(docs.split(f"## hpo {page}\n")[1].split("\n## ")[0] for page in pages)
    missing = [flag for flag in flags - {"--help"} if f"`{flag}" not in text]
    assert not missing, f"docs/commands.md leaves out {missing}"


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
    (["run", "--modle", "psann"], "did you mean '--model'?"),
    (["run", "--startup-trials", "-1"], "--startup-trials: must be"),
    (["run", "--min-delta", "nan"], "--min-delta: "),
    (["run", "--precision", "bf61"], "did you mean 'bf16'?"),
    (["run", "--objective", "acu"], "did you mean 'auc'?"),
    (["run", "--data", ""], "--data: must not be empty"),
    (["run", "--experiment", "../evil"], "experiment"),
    (["run", "--experiment", "/tmp/evil"], "experiment"),
    (["run", "--experiment", "x" * 300], "experiment"),
    (["run", "--split", "contigous"], "contiguous"),
    (["run", "--features", "a50"], "a20"),
    (["run", "--features", "a2O", "--data", "spy"], "did you mean 'a20'?"),
    (["run", "--data", "beijing", "--groups", "Guanyuam"], "did you mean 'Guanyuan'?"),
    (["run", "--data", "etth1", "--target", "OTT"], "did you mean 'OT'?"),
    (["run", "--loss", "mse"], "bce"),
    (["run", "--device", "cuda:0"], "cuda"),
    (["run", "--task", "ternary"], "did you mean 'binary'?"),
    (["run", "--storage", "nonsense"], "storage"),
    (["run", "--study", "none.toml"], "none.toml"),
    (["run", "extra"], "extra"),
    (["rum"], "unknown command 'rum': did you mean 'run'?"),
    (["run", "--data", "none.csv"], "no such file"),
    (["run", "--data", "."], "folder"),
    (["run", "--target", "load"], "target"),
    (["plan", "--budget", "2X"], "200M"),
    (["plan", "--model", "mpl"], "mlp"),
    (["status"], "no study database"),
    (["rerun", "trial_0000.json"], "trial_0000.json"),
    (["rerun"], "record"),
    (["data", "check", "none.csv"], "no such file"),
    (["data", "chek"], "check"),
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


def test_an_error_in_a_study_file_names_the_file(tmp_path, monkeypatch, capfd):
    (tmp_path / "my.toml").write_text("[search]\ntrials = 0\nstartup_trials = 3\n")
    monkeypatch.chdir(tmp_path)
    for more, words in (([], "hpo: my.toml: trials: must be"), (["--trials=-1"], "hpo: --trials: must be")):
        monkeypatch.setattr(sys, "argv", ["hpo", "run", "--study=my.toml", *more])
        with pytest.raises(SystemExit):
            main()
        assert capfd.readouterr().err.startswith(words)


def test_bad_input_in_a_process_of_its_own(tmp_path):
    done = hpo("run", "--model", "psan", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("hpo: unknown model 'psan': did you mean 'psann'?")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path, tiny_arguments):
    (tmp_path / "outputs").write_text("a file")
    done = hpo("run", *tiny_arguments, cwd=tmp_path)
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


def test_a_plan_is_exact_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    done = hpo("plan", "--budget", "750k", "--context", "20", "--json", cwd=tmp_path / "work")
    assert done.returncode == 0, done.stderr
    preview = json.loads(done.stdout)
    assert [trial["origin"] for trial in preview["forced"]] == [c.origin for c in forced_configs((750_000,))]
    for trial in preview["forced"] + preview["shapes"]:
        assert abs(trial["budget_deviation"]) <= 0.02
        # Each parameter of a dense network takes part in three products forward and backward; the first
        # layer's input needs no gradient.
        assert 3.9 <= trial["flops_per_step"] / trial["param_count"] / trial["batch_size"] <= 6
        assert trial["predicted_memory_bytes"] > 20 * trial["param_count"]
        assert trial["predicted_seconds"] > 0
    assert list((tmp_path / "work").iterdir()) == []
    assert [p.name for p in (tmp_path / "cache" / "budget-hpo").iterdir()] == ["calibration.json"]


def test_status_rerun_and_catalogues(tmp_path, tiny_study):
    done = hpo("status", f"--out={tiny_study.parent}", "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert (row["experiment"], row["complete"], row["running"], row["n_trials"]) == (tiny_study.name, 3, 0, 3)
    assert row["seconds_left"] == 0
    assert tiny_study.name in hpo("status", f"--out={tiny_study.parent}", cwd=tmp_path).stdout
    path = tiny_study / "trials" / "trial_0001.json"
    done = hpo("rerun", str(path), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["reproduced"]
    assert answer["recorded"] == answer["again"]
    assert {row["name"] for row in json.loads(hpo("models", "--json", cwd=tmp_path).stdout)} >= {
        "psann",
        "mlp",
    }
    assert "sp500" in [row["name"] for row in json.loads(hpo("data", "--json", cwd=tmp_path).stdout)]
    assert list(tmp_path.iterdir()) == []


def test_a_rerun_that_differs_says_so(tmp_path, tiny_study):
    copy = tmp_path / tiny_study.name
    shutil.copytree(tiny_study, copy)
    path = copy / "trials" / "trial_0000.json"
    record = json.loads(path.read_text())
    record["seed"] += 1
    path.write_text(json.dumps(record))
    done = hpo("rerun", str(path), cwd=tmp_path)
    assert done.returncode == 1
    assert "not reproduced" in done.stdout


def test_a_file_is_explained(tmp_path):
    rows = "".join(
        f"2024-01-{1 + i // 24:02d} {i % 24:02d}:00,{i % 24 + i / 100},{i * i % 7}\n" for i in range(600)
    )
    (tmp_path / "my.csv").write_text("date,load,wind\n" + rows)
    report = json.loads(hpo("data", "check", "my.csv", "--target", "load", "--json", cwd=tmp_path).stdout)
    assert (report["rows"], report["frequency"], report["season"], report["gaps"]) == (600, "hour", 24, 0)
    shown = hpo("data", "check", "my.csv", cwd=tmp_path).stdout
    assert "no TARGET was given".lower() in shown.lower()
    assert "make hpo MODEL=patchtst BUDGET=20k DATA=my.csv TARGET=wind TIME=date" in shown


@pytest.mark.slow
def test_a_study_file_is_the_same_as_its_flags(tmp_path, tiny_arguments):
    """Every flag is a key and the other way round: the config that a run saves starts the same study."""
    first = hpo("run", *tiny_arguments, "--trials=1", "--out=a", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    saved = tmp_path / "a" / "sp500_mlp_h1_20k" / "study.toml"
    second = hpo("run", f"--study={saved}", "--out=b", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    texts = [(tmp_path / out / "sp500_mlp_h1_20k" / "study.toml").read_text() for out in "ab"]
    assert texts[0].replace('out = "a"', 'out = "b"') == texts[1]
    values = [
        json.loads((tmp_path / out / "sp500_mlp_h1_20k" / "trials" / "trial_0000.json").read_text())["value"]
        for out in "ab"
    ]
    assert values[0] == values[1]


def test_the_studies_of_the_project_are_valid():
    paths = list((ROOT / "studies").glob("*.toml"))
    assert ROOT / "studies" / "quickstart.toml" in paths
    for path in paths:
        assert build_config({}, read_study_file(path)).n_trials >= 1


def test_summary_prints_json(tmp_path, tiny_study):
    done = hpo(
        "summary", "--experiment", tiny_study.name, "--out", str(tiny_study.parent), "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["overview"]["experiment"] == tiny_study.name
