"""What the service adds to training, and how soon it answers."""

import subprocess
import sys
import time
from itertools import pairwise
from statistics import median

import pytest

from hpo.store.layout import ExperimentFiles
from hpo.store.records import read_records

pytestmark = pytest.mark.benchmark


def test_a_trial_costs_at_most_half_a_second_beside_its_training(tmp_path, tiny_arguments):
    """Child, fsynced JSON, SQLite, progress: wall time a trial less the time of its epochs.

    The limit holds for a trial of 20 epochs, each reported, stored and answered.
    """
    out = tmp_path / "outputs"
    arguments = [*tiny_arguments, "--epochs=20", "--patience=20", "--trials=12", "--no-prune"]
    subprocess.run([sys.executable, "-m", "hpo", "run", *arguments, f"--out={out}"], check=True, timeout=280)
    records, _ = read_records(ExperimentFiles(out=out, experiment="sp500_mlp_h1_20k"))
    assert len(records) == 12
    # The first trial waits for the fork server, which starts once a run.
    wall = [(b.datetime_complete - a.datetime_complete).total_seconds() for a, b in pairwise(records)]
    training = [sum(epoch.seconds for epoch in record.learning_curve) for record in records[1:]]
    overhead = median(w - t for w, t in zip(wall, training, strict=True))
    print(f"overhead a trial of 20 epochs: {overhead:.3f} s beside {median(training):.3f} s of training")
    assert overhead <= 0.5


def test_help_answers_within_half_a_second():
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "hpo", "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    print(f"hpo --help: {min(seconds):.3f} s")
    assert min(seconds) <= 0.5
