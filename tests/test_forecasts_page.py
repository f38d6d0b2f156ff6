"""docs/forecasts.md does what it says: its commands run as they are written, in their order."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "forecasts.md").read_text()
HEADER = "series,origin,timestamp,step,column,forecast"


def test_the_commands_of_the_page_run(tmp_path):
    commands = [line.strip() for line in PAGE.splitlines() if line.startswith("    hpo ")]
    assert len(commands) == 6
    answers = {}
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            capture_output=True,
            text=True,
            timeout=280,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        answers[command] = done.stdout
    forecast = answers["hpo predict periodic_mlp_h3_20k"]
    assert forecast.startswith(HEADER)
    assert HEADER in PAGE
    assert (tmp_path / "forecast.csv").read_text() == forecast
    assert answers["hpo predict winner"] == forecast
    assert answers["hpo predict winner --data winner/example.csv"] == forecast
