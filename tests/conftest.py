import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from fakes import ScriptedExecutor, follow_all, make_tpe
from hypothesis import settings

from hpo.data import prepare
from hpo.data.base import DataRequest
from hpo.engine.context import make_context
from hpo.engine.intent import intent_record, make_job
from hpo.engine.outcome import final_record
from hpo.search.searcher import Suggestion
from hpo.study.config import build_config
from hpo.system.stop import StopFlag

# The same examples in every run: a failure is the change's, and comes again.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
# Tests run on all cores, one each: threads of torch would only be in each other's way.
torch.set_num_threads(1)


COSTLY = {"tiny_study", "finished"}
"""Fixtures that run a study: the tests that share one stay in one process."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        for name in COSTLY & set(item.fixturenames):
            item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def sp500_data():
    return prepare("sp500", DataRequest(context_length=80, horizon=1))


TINY = [
    "--model=mlp",
    "--budget=20k",
    "--context=5",
    "--limit=300",
    "--epochs=2",
    "--trials=3",
    "--threads=1",
    "--device=cpu",
]


@pytest.fixture(scope="session")
def tiny_arguments():
    """Flags of a study that takes a few seconds."""
    return TINY


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory):
    """The folder of a finished study, run as a user runs it. Not to be changed."""
    out = tmp_path_factory.mktemp("tiny") / "outputs"
    subprocess.run(
        [sys.executable, "-m", "hpo", "run", *TINY, f"--out={out}"],
        check=True,
        capture_output=True,
        timeout=280,
    )
    return out / "sp500_mlp_h1_20k"


@pytest.fixture(scope="session")
def record(small_study):
    """The record of a trial that completed, to be copied with changes."""
    forced = small_study.plan.forced[0]
    distributions = make_tpe(small_study).distributions
    suggestion = Suggestion(params=forced.params, distributions=distributions, origin=forced.origin)
    intent = intent_record(small_study, 0, suggestion, datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))
    (*curve, ended) = follow_all(ScriptedExecutor().run(make_job(small_study, intent, None), StopFlag()))
    return final_record(intent, curve, ended, pruned=False, earlier=[], seconds=1.5)


@pytest.fixture(scope="session")
def small_study():
    """The context of a study on a small synthetic series; what a test writes goes elsewhere."""
    settings = {
        "data": "periodic",
        "model": "mlp",
        "budget": "5k",
        "context": 24,
        "trials": 12,
        "startup_trials": 10,
        "prune_warmup": 1,
        "epochs": 3,
        "limit": 200,
        "device": "cpu",
        "threads": 1,
    }
    return make_context(build_config(settings))


@pytest.fixture
def context(small_study, tmp_path):
    """That study in a folder of the test's own."""
    out = tmp_path / "outputs"
    out.mkdir()
    study = small_study.config.study.model_copy(update={"out": out})
    return replace(small_study, config=small_study.config.model_copy(update={"study": study}))


@pytest.fixture(scope="session")
def data_dir():
    """The folder of the real files: a file that is missing there fails its test; without it they skip."""
    if "HPO_DATA_DIR" not in os.environ:
        pytest.skip("HPO_DATA_DIR is not set: the real files are not here")
    return Path(os.environ["HPO_DATA_DIR"])
