"""``import hpo`` as its users do: scripts, threads, notebooks, data frames."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import nbclient
import nbformat
import numpy as np
import pandas as pd
import pytest

import hpo

ROOT = Path(__file__).parents[2]
NAMES = {
    "run",
    "plan",
    "open",
    "load",
    "Study",
    "BestTrial",
    "Forecaster",
    "Preview",
    "TrialRecord",
    "StopFlag",
    "Listener",
    "StudyEvent",
    "StudyStarted",
    "Said",
    "TrialStarted",
    "EpochEnded",
    "TrialEnded",
    "StudyEnded",
    "HpoError",
    "ConfigError",
    "UnknownNameError",
    "BudgetError",
    "DatasetError",
    "StorageError",
}
TINY = {
    "target": "load",
    "horizon": 2,
    "context": 6,
    "model": "mlp",
    "budget": "20k",
    "epochs": 2,
    "threads": 1,
    "device": "cpu",
}


def make_frame(seed=0, n_rows=300):
    rng = np.random.default_rng(seed)
    hours = np.arange(n_rows)
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=n_rows, freq="h"),
            "temperature": rng.normal(size=n_rows),
            "load": np.sin(hours / 24 * 2 * np.pi) + 0.1 * rng.normal(size=n_rows),
        }
    )


def everything(folder):
    """Every file of a folder with its content."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run_script(path, text, *arguments, **environment):
    """A script as a user writes it, in an interpreter of its own, started somewhere else than its code."""
    path.write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, str(path), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


class Heard:
    """A listener that remembers."""

    def __init__(self, then=lambda event: None):
        self.events = []
        self.then = then

    def told(self, event):
        self.events.append(event)
        self.then(event)


@pytest.fixture(scope="module")
def finished_frame_study(tmp_path_factory):
    """A finished study of a data frame. Not to be changed."""
    out = tmp_path_factory.mktemp("frame") / "outputs"
    return hpo.run(data=make_frame(), time="date", trials=2, out=out, **TINY)


def test_the_public_names_and_nothing_else():
    assert set(hpo.__all__) == NAMES == set(dir(hpo))
    for name in NAMES:
        assert getattr(hpo, name).__doc__ or name == "StudyEvent", f"{name} has no docstring"
    modules = {path.stem for path in (ROOT / "hpo").iterdir()} | {"models", "data", "studies"}
    assert not NAMES & modules, "importing such a module would put it where the name is"
    with pytest.raises(AttributeError, match="no_such"):
        _ = hpo.no_such


def test_import_is_quick_and_imports_nothing_heavy(tmp_path):
    text = """
        import sys, time
        started = time.perf_counter()
        import hpo
        print(time.perf_counter() - started)
        print(sorted({"torch", "pandas", "numpy", "optuna", "pydantic"} & set(sys.modules)))
        hpo.HpoError
        print("torch" in sys.modules)
        """
    runs = [run_script(tmp_path / "quick.py", text).stdout.split("\n") for _ in range(3)]
    assert min(float(lines[0]) for lines in runs) < 0.1
    assert runs[0][1:3] == ["[]", "False"]


def test_internal_modules_imported_first_change_no_public_name(tmp_path):
    text = """
        import importlib, inspect, sys
        for name in sys.argv[1:]:
            importlib.import_module(name)
        import hpo
        print([name for name in hpo.__all__ if inspect.ismodule(getattr(hpo, name))])
        print(callable(hpo.run), callable(hpo.plan), callable(hpo.open))
        """
    paths = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "hpo").rglob("*.py")]
    modules = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    modules.remove("hpo.__main__")
    done = run_script(tmp_path / "modules.py", text, *sorted(modules, key=len, reverse=True))
    assert (done.stdout.split("\n")[:2], done.stderr) == (["[]", "True True True"], "")


HOST = """
    import logging, multiprocessing, os, random, signal, sys, time, warnings
    from multiprocessing import forkserver

    import numpy as np
    import optuna
    import pandas as pd
    import torch

    import hpo

    frame = pd.read_parquet(sys.argv[1])
    logging.getLogger("host").addHandler(logging.NullHandler())
    signal.signal(signal.SIGUSR1, lambda *_: None)
    torch.set_num_threads(3)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["json"])
    forkserver.ensure_running()  # the host's own, whose children would need a main guard


    def state():
        return {
            "handlers": {n: signal.getsignal(n) for n in signal.valid_signals()},
            "mask": signal.pthread_sigmask(signal.SIG_BLOCK, []),
            "verbosity": optuna.logging.get_verbosity(),
            "optuna": (list(logging.getLogger("optuna").handlers), logging.getLogger("optuna").filters),
            "logging": (logging.root.level, list(logging.root.handlers), logging.getLogger("hpo").handlers),
            "warnings": list(warnings.filters),
            "threads": torch.get_num_threads(),
            "seeds": (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()),
            "preload": list(forkserver._forkserver._preload_modules),
            "method": multiprocessing.get_start_method(allow_none=True),
            "folder": os.getcwd(),
            "environment": dict(os.environ),
            "path": list(sys.path),
            "streams": (sys.stdout, sys.stderr, sys.excepthook),
        }


    before = state()
    settings = dict(time="date", target="load", horizon=2, context=6, model="mlp", budget="20k", epochs=2)
    hpo.plan(data=frame, device="cpu", out="planned", **settings)
    # scipy, sympy and torch add warning filters and variables, and draw numbers, when they are imported.
    before |= {key: value for key, value in state().items() if key in ("warnings", "environment", "seeds")}
    hpo.plan(data=frame, device="cpu", out="planned", **{**settings, "context": 7})
    study = hpo.run(data=frame, trials=3, startup_trials=1, threads=1, device="cpu", **settings)
    after = state()
    print("changed:", [key for key in before if before[key] != after[key]])
    print("host's server:", forkserver._forkserver._forkserver_pid is not None
          and os.waitpid(forkserver._forkserver._forkserver_pid, os.WNOHANG) == (0, 0))
    print("trials:", [str(record.state) for record in study.records])
    print("planned:", os.path.exists("planned"))
    print("here:", study.folder.relative_to(os.getcwd()))
    """


def test_a_plain_script_without_a_main_guard_whose_state_stays_its_own(tmp_path):
    make_frame().to_parquet(tmp_path / "mine.parquet")
    done = run_script(
        tmp_path / "host.py", HOST, tmp_path / "mine.parquet", XDG_CACHE_HOME=str(tmp_path / "cache")
    )
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert lines[:4] == [
        "changed: []",
        "host's server: True",
        "trials: ['COMPLETE', 'COMPLETE', 'COMPLETE']",
        "planned: False",
    ]
    assert lines[4].startswith("here: outputs/frame-")
    assert len(lines) == 5, "nothing but what the script itself prints"


def test_two_studies_at_the_same_time_in_two_threads(tmp_path):
    studies, errors = {}, []

    def work(seed):
        try:
            data = make_frame(seed)
            studies[seed] = hpo.run(data=data, time="date", trials=3, out=tmp_path, seed=seed, **TINY)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert studies[1].folder != studies[2].folder
    for seed, study in studies.items():
        assert [record.state for record in study.records] == ["COMPLETE"] * 3
        alone = hpo.run(
            data=make_frame(seed), time="date", trials=3, out=tmp_path / "alone", seed=seed, **TINY
        )
        assert [r.value for r in alone.records] == [r.value for r in study.records], (
            "neither disturbs the other"
        )


def test_a_study_can_be_stopped_from_another_thread_and_goes_on(tmp_path):
    stop = hpo.StopFlag()
    listener = Heard(lambda event: stop.set() if isinstance(event, hpo.EpochEnded) else None)
    settings = {**TINY, "epochs": 300, "patience": 300, "data": make_frame(), "out": tmp_path, "trials": 1}
    study = hpo.run(listener=listener, stop=stop, **settings)
    assert study.interrupted
    assert study.records == ()
    assert study.best is None
    study = hpo.run(**settings)
    assert [(record.state, record.resumed) for record in study.records] == [("COMPLETE", 1)]


def test_a_listener_is_told_what_happens(tmp_path):
    listener = Heard()
    study = hpo.run(data=make_frame(), trials=2, out=tmp_path, listener=listener, **TINY)
    kinds = [type(event).__name__ for event in listener.events if not isinstance(event, hpo.Said)]
    trial = ["TrialStarted", "EpochEnded", "EpochEnded", "TrialEnded"]
    assert kinds == ["StudyStarted", *trial, *trial, "StudyEnded"]
    ends = [event.record for event in listener.events if isinstance(event, hpo.TrialEnded)]
    assert ends == list(study.records)
    with pytest.raises(hpo.ConfigError, match=r"listener: must have a method told\(event\), got <built-in"):
        hpo.run(data=make_frame(), listener=print, out=tmp_path / "none", **TINY)
    assert not (tmp_path / "none").exists()


def test_what_a_study_gives(finished_frame_study):
    study = finished_frame_study
    rows = json.loads((study.folder / f"{study.experiment}_all_trials.json").read_text())
    assert study.trials.columns.tolist() == list(rows[0])
    assert study.trials["trial_number"].tolist() == [row["trial_number"] for row in rows]
    assert study.best.value == study.trials["value"].min() == min(r.value for r in study.records)
    assert study.references == study.best.references
    assert "load" not in study.references
    assert study.summary_path.is_file()
    assert "mlp" in study.summary_path.read_text()
    assert repr(study) == (
        f"<hpo.Study {str(study.folder)!r}: 2 trials, "
        f"best val_loss {study.best.value:.4g} (trial {study.best.trial_number})>"
    )
    again = hpo.open(study.folder)
    assert again == study
    assert again.trials.equals(study.trials)


def test_open_refuses_what_is_no_study(tmp_path, finished_frame_study):
    with pytest.raises(hpo.StorageError, match="no study is here"):
        hpo.open(tmp_path / "nothing")
    with pytest.raises(hpo.ConfigError, match="experiment"):
        hpo.open(tmp_path / "a b")
    assert not list(tmp_path.iterdir())


def test_a_frame_is_kept_whole_and_named_by_its_content(finished_frame_study):
    study = finished_frame_study
    prefix, rest = study.experiment.split("_", 1)
    assert prefix.startswith("frame-")
    assert len(prefix) == len("frame-12345678")
    assert rest == "mlp_h2_20k"
    kept = study.folder / "data.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(kept), make_frame())
    config = (study.folder / "study.toml").read_text()
    assert f'data = "{kept}"' in config
    manifest = json.loads((study.folder / "manifest.json").read_text())
    assert manifest["data"] == study.best.data.model_dump()
    assert manifest["data"]["name"] == prefix
    assert f"data='{prefix}'" in manifest["runs"][0]["command"]


def test_the_same_frame_again_resumes_and_a_changed_one_is_another_study(tmp_path):
    first = hpo.run(data=make_frame(), trials=1, out=tmp_path, **TINY)
    stored = (first.folder / "data.parquet").stat()
    listener = Heard()
    more = hpo.run(data=make_frame(), trials=2, out=tmp_path, listener=listener, **TINY)
    assert more.records[0] == first.records[0]
    assert listener.events[0] == hpo.StudyStarted(experiment=first.experiment, n_trials=2, n_finished=1)
    assert (first.folder / "data.parquet").stat().st_mtime_ns == stored.st_mtime_ns
    changed = make_frame()
    changed.loc[7, "temperature"] += 1e-9
    other = hpo.run(data=changed, trials=1, out=tmp_path, **TINY)
    assert other.folder != first.folder


def test_a_changed_frame_under_a_given_name_is_refused_and_nothing_is_touched(tmp_path):
    study = hpo.run(data=make_frame(), trials=1, out=tmp_path, experiment="mine", **TINY)
    before = everything(study.folder)
    with pytest.raises(hpo.ConfigError, match=r"data: experiment 'mine' keeps another data frame"):
        hpo.run(data=make_frame(seed=5), trials=2, out=tmp_path, experiment="mine", **TINY)
    assert everything(study.folder) == before


@pytest.mark.slow
def test_every_command_works_without_the_frame_and_from_elsewhere(tmp_path):
    study = hpo.run(data=make_frame(), time="date", trials=1, out=tmp_path / "here", **TINY)

    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "hpo", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=elsewhere,
            timeout=280,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command("run", "--study", study.folder / "study.toml", "--trials", 2)
    command("rerun", study.folder / "trials" / "trial_0001.json")
    assert len(hpo.open(study.folder).records) == 2
    moved = tmp_path / "moved"
    study.files.out.rename(moved)
    command("rerun", moved / study.experiment / "trials" / "trial_0001.json")
    (moved / "studies.db").unlink()
    command("rebuild", "--out", moved)
    again = hpo.run(data=make_frame(), time="date", trials=3, out=moved, **TINY)
    assert len(again.records) == 3


def indexed():
    return make_frame().set_index("date")


FRAMES = {
    "a time index with a name": (indexed(), "date"),
    "a time index without one": (indexed().rename_axis(None), "time"),
    "periods": (indexed().to_period("h"), "date"),
    "rows that were chosen": (make_frame().drop(index=range(10)), "date"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_an_index_of_times_becomes_a_column(name, tmp_path):
    frame, column = FRAMES[name]
    preview = hpo.plan(data=frame, out=tmp_path / "out", **TINY)
    assert preview.experiment.startswith("frame-")
    study = hpo.run(data=frame, trials=1, out=tmp_path, **{**TINY, "epochs": 1})
    assert study.experiment == preview.experiment
    kept = pd.read_parquet(study.folder / "data.parquet")
    assert kept.columns.tolist() == [column, "temperature", "load"]
    assert len(kept) == len(frame)


BAD = {
    "column names of a data frame must be text, got 0": make_frame().rename(columns={"temperature": 0}),
    "index ['station'] is neither times nor row numbers": make_frame().rename_axis("station"),
    "index [None, None] is neither times nor row numbers": make_frame().set_axis(
        pd.MultiIndex.from_product([[0], range(300)])
    ),
    "a time index and a column, both 'date'": make_frame().set_axis(pd.DatetimeIndex(make_frame()["date"])),
    "cannot be kept as Parquet": make_frame().assign(temperature=[1, *["x"] * 299]),
    "column 'load' holds infinity, first in row 4": make_frame().replace(
        {"load": {make_frame()["load"][3]: np.inf}}
    ),
    "no column 'load'": make_frame().drop(columns="load"),
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_frame_is_refused_and_nothing_is_left(message, tmp_path):
    with pytest.raises(hpo.DatasetError) as caught:
        hpo.run(data=BAD[message], out=tmp_path / "new" / "outputs", **TINY)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modle": "mlp"}, "unknown setting 'modle': did you mean 'model'?"),
        ({"model": "patchtts"}, "did you mean 'patchtst'?"),
        ({"trials": 0}, "trials: "),
        ({"data": "no/such.csv"}, "there is no such file"),
    ],
)
def test_bad_settings_are_refused_and_nothing_is_left(settings, message, tmp_path):
    given = {**TINY, "data": make_frame(), "out": tmp_path / "outputs", **settings}
    with pytest.raises(hpo.HpoError) as caught:
        hpo.run(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_settings_are_taken_as_python_has_them(tmp_path):
    """Lists, numbers of numpy, paths; and the signature names them all."""
    path = tmp_path / "mine.parquet"
    make_frame().to_parquet(path)
    settings = {**TINY, "target": ["load", "temperature"], "budget": [20_000, 30_000], "horizon": np.int64(2)}
    preview = hpo.plan(data=path, out=tmp_path, **settings)
    assert preview.experiment == "mine_mlp_h2_20k-30k"
    import inspect

    from hpo.study.config import settings as all_settings

    parameters = inspect.signature(hpo.run).parameters
    assert set(parameters) == {*all_settings(), "study", "listener", "stop"}
    assert parameters["epochs"].default == 50


def test_ctrl_c_keeps_everything(tmp_path):
    make_frame().to_parquet(tmp_path / "mine.parquet")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import signal
            import hpo

            # Python's own: a shell in the background would have it ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)

            class Show:
                def told(self, event):
                    if isinstance(event, hpo.EpochEnded):
                        print(event.row.epoch, flush=True)

            settings = dict(target="load", model="mlp", budget="20k", context=6, threads=1, device="cpu")
            long = dict(epochs=100_000, patience=100_000, trials=1)
            try:
                hpo.run(data="mine.parquet", listener=Show(), **long, **settings)
            except KeyboardInterrupt:
                print("stopped")
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == "1\n"
    os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the trial, too
    out, err = process.communicate(timeout=60)
    assert (out.splitlines()[-1], err, process.returncode) == ("stopped", "", 0)
    (folder,) = (tmp_path / "outputs").glob("mine_*")
    (record,) = [json.loads(path.read_text()) for path in folder.glob("trials/*.json")]
    assert record["state"] == "RUNNING"
    assert list(folder.glob("checkpoints/*/resume.safetensors"))


def test_a_notebook(tmp_path):
    make_frame().to_parquet(tmp_path / "mine.parquet")
    cells = [
        "import pandas as pd, hpo\nframe = pd.read_parquet('mine.parquet').set_index('date')",
        f"study = hpo.run(data=frame, trials=2, **{TINY!r})",
        "study.trials[['trial_number', 'state']]",
        "study",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    outputs = [cell.outputs for cell in notebook.cells]
    assert outputs[0] == outputs[1] == [], "nothing is printed"
    assert outputs[2][0]["data"]["text/plain"].count("COMPLETE") == 2
    assert "2 trials, best val_loss" in outputs[3][0]["data"]["text/plain"]
    (folder,) = (tmp_path / "outputs").glob("frame-*_mlp_h2_20k")
    assert len(hpo.open(folder).records) == 2


@pytest.mark.slow
def test_a_host_that_forks_and_a_server_that_dies(tmp_path):
    """The process that trials come from is the host's own; one that was killed is started anew."""
    make_frame().to_parquet(tmp_path / "mine.parquet")
    text = f"""
        import os, sys
        import psutil
        import hpo

        settings = dict(data="mine.parquet", trials=1, **{TINY!r})
        print([str(r.state) for r in hpo.run(experiment="first", **settings).records], flush=True)
        (server,) = psutil.Process().children()
        if os.fork() == 0:
            print([str(r.state) for r in hpo.run(experiment="forked", **settings).records], flush=True)
            os._exit(0)
        os.wait()
        print(server.is_running() and server.status() != psutil.STATUS_ZOMBIE, flush=True)
        server.kill()
        server.wait()
        print([str(r.state) for r in hpo.run(experiment="again", **settings).records], flush=True)
        """
    done = run_script(tmp_path / "host.py", text)
    assert done.stderr == ""
    complete = "['COMPLETE']"
    assert done.stdout.splitlines() == [complete, complete, "True", complete]
