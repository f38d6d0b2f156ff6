"""docs/python.md does what it says: its code blocks run, in their order, as one script."""

import os
import re
import subprocess
import sys
from pathlib import Path

import hpo

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "python.md").read_text()


def test_the_code_of_the_page_runs_and_prints_what_it_says(tmp_path):
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    script = tmp_path / "page.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    promised = [line.rsplit("  # ", 1)[1] for line in code.splitlines() if "print(" in line]
    assert sorted(done.stdout.splitlines()) == sorted(promised), "but for the events, which come as they come"


def test_the_page_names_every_public_name():
    left_out = [name for name in hpo.__all__ if not re.search(rf"\b{name}\b", PAGE)]
    assert left_out == ["Listener", "Preview", "Study", "StudyEvent", "TrialRecord"], (
        "types of what it tells of"
    )
