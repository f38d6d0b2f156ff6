"""A setting is added as CONTRIBUTING.md says: one line, and it is everywhere."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent


def test_one_field_is_a_key_a_flag_a_variable_a_row_of_the_docs_and_part_of_the_identity(tmp_path):
    for folder in ("hpo", "models", "data", "studies", "tests", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    recipe = (ROOT / "CONTRIBUTING.md").read_text().split("## Add a setting")[1].split("\n## ")[0]
    (line,) = re.findall(r"^    \w+: .* = Field\(.*\)$", recipe, flags=re.MULTILINE)
    key = line.split(":")[0].strip()
    assert key == "grad_noise"
    fields = tmp_path / "hpo" / "study" / "settings.py"
    text = fields.read_text()
    docstring = '    """How a model is trained, beyond what is searched."""\n\n'
    assert text.count(docstring) == 1
    fields.write_text(text.replace(docstring, f"{docstring}{line}\n"))

    def python(*arguments, code=0):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    panel = python("-m", "hpo", "run", "--help").split("─ Training: ")[1].split("\n╭─ ")[0]
    assert re.search(
        r"--grad-noise\s+number 0 to 1\s+Standard deviation of noise added to gradients\. \[default: 0\]",
        panel,
    )
    assert "hpo: --grad-noise: must be less than or equal to 1, got '2'" in python(
        "-m", "hpo", "plan", "--grad-noise=2", code=2
    )
    assert "hpo: GRAD_NOISE: must be less than or equal to 1, got '2'" in python(
        "-m", "hpo.cli.make", "run", "GRAD_NOISE=2", code=2
    )
    (tmp_path / "my.toml").write_text("[training]\ngrad_noise = -1\n")
    assert "my.toml: grad_noise: must be" in python("-m", "hpo", "run", "--study=my.toml", code=2)
    python("-m", "tests.test_docs")
    row = "| `--grad-noise` | number 0 to 1 | 0 | standard deviation of noise added to gradients |"
    assert row in (tmp_path / "docs" / "commands.md").read_text()
    asked = "from hpo.study.config import build_config as b; import json; c = b({'grad_noise': '0.5'})"
    shown = python(
        "-c", f"{asked}; print(json.dumps([c.identity()['grad_noise'], 'grad_noise = 0.5' in c.to_toml()]))"
    )
    assert json.loads(shown) == [0.5, True]
    python(
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/hpo/cli/test_options.py",
        "-k",
        "grad_noise or panel",
    )
