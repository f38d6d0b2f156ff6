"""A family is added as CONTRIBUTING.md says, and a study searches over it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_family_added_as_contributing_says_is_searched_and_tested(tmp_path):
    for folder in ("hpo", "models", "data", "studies", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    (tmp_path / "models" / "toy.py").write_text(example)
    catalogue = tmp_path / "models" / "__init__.py"
    text = catalogue.read_text()
    text = text.replace("    transformer,\n", "    toy,\n    transformer,\n")
    text = text.replace('    "mlp": mlp.FAMILY,\n', '    "mlp": mlp.FAMILY,\n    "toy": toy.FAMILY,\n')
    catalogue.write_text(text)

    def run(*arguments):
        # The copy is found through the working folder, before what is installed.
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        environment.pop("PYTEST_ADDOPTS", None)  # those of this run are not meant for the one inside
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "toy" in run("hpo", "models")
    study = "--model=toy --budget=20k --context=5 --limit=300 --epochs=2 --trials=2 --threads=1"
    run("hpo", "run", *study.split())
    folder = tmp_path / "outputs" / "sp500_toy_h1_20k"
    records = [json.loads(path.read_text()) for path in sorted((folder / "trials").glob("*.json"))]
    assert [record["state"] for record in records] == ["COMPLETE", "COMPLETE"]
    for record in records:
        assert record["architecture"]["family"] == "toy"
        assert abs(record["architecture"]["budget_deviation"]) <= 0.02
    run("pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_families.py", "-k", "toy")
