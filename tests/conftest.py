import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from hpo.data import prepare
from hpo.data.base import DataRequest

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
def data_dir():
    """The folder of the real files: a file that is missing there fails its test; without it they skip."""
    if "HPO_DATA_DIR" not in os.environ:
        pytest.skip("HPO_DATA_DIR is not set: the real files are not here")
    return Path(os.environ["HPO_DATA_DIR"])
