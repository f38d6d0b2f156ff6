"""The records of one small study, as they were when golden.json was written.

A change that means to change results writes it again, in a commit that says why, from the project's folder:

    python -m tests.hpo.engine.test_golden

Other processors round differently, so that what is computed may differ a little; what is drawn may not. TPE
goes by the order of values alone, and these are far enough apart that their order is the same everywhere.
"""

import json
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("golden.json")

FLAGS = [
    "--data=periodic",
    "--model=mlp",
    "--budget=20k",
    "--context=12",
    "--limit=300",
    "--epochs=3",
    "--trials=8",
    "--startup-trials=4",
    "--prune-warmup=1",
    "--precision=fp32",
    "--threads=1",
    "--device=cpu",
    "--experiment=golden",
]
"""Forced, random and TPE's trials; one of the latter is pruned."""

FIELDS = (
    "trial_number",
    "state",
    "origin",
    "seed",
    "params",
    "value",
    "intermediate_values",
    "constraints",
    "user_attrs",
    "learning_curve",
    "metrics",
)

LOSS_TOLERANCE = 1e-4
TOLERANCES = {"params": 1e-9, "learning_rate": 1e-9, "skill": 1e-3, "direction_accuracy": 1e-2}
"""Relative, of the fields that are no losses, and of all below them. A skill near 0 is a difference of two
losses, an accuracy a count.
"""


def run_study(out):
    """The records of the study, but for what a clock measures."""
    subprocess.run(
        [sys.executable, "-m", "hpo", "run", f"--out={out}", *FLAGS],
        check=True,
        capture_output=True,
        timeout=280,
    )
    records = [json.loads(path.read_text()) for path in sorted(out.glob("golden/trials/*.json"))]
    for record in records:
        for row in record["learning_curve"]:
            del row["seconds"]
    return [{field: record[field] for field in FIELDS} for record in records]


def near(golden, tolerance=LOSS_TOLERANCE):
    """Equal to all that is the same but for rounding."""
    if isinstance(golden, dict):
        return {key: near(value, TOLERANCES.get(key, tolerance)) for key, value in golden.items()}
    if isinstance(golden, list):
        return [near(value, tolerance) for value in golden]
    return pytest.approx(golden, rel=tolerance) if isinstance(golden, float) else golden


def test_a_study_gives_the_records_that_it_gave(tmp_path):
    golden = json.loads(GOLDEN.read_text())
    records = run_study(tmp_path)
    for record, expected in zip(records, golden, strict=True):
        assert record == near(expected)


def test_values_are_far_enough_apart_that_their_order_is_the_same_everywhere():
    golden = json.loads(GOLDEN.read_text())
    for state in ("COMPLETE", "PRUNED"):
        values = sorted(record["value"] for record in golden if record["state"] == state)
        assert values
        assert all(worse > (1 + 20 * LOSS_TOLERANCE) * better for better, worse in pairwise(values))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(json.dumps(run_study(Path(folder)), indent=1) + "\n")
