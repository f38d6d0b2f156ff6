"""A copy of the project on which a recipe of CONTRIBUTING.md is followed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def recipe(heading):
    """The text of one recipe."""
    return (ROOT / "CONTRIBUTING.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def code_of(heading):
    """The file that a recipe shows."""
    (code,) = re.findall(r"```python\n(.*?)```", recipe(heading), flags=re.DOTALL)
    return code


def entry_of(heading):
    """The line of a catalogue that a recipe shows."""
    (entry,) = re.findall(r"^    (\S.*)$", recipe(heading).split("```")[-1], flags=re.MULTILINE)
    return entry


class Copy:
    """The project's sources in a folder of their own; what runs there finds them before what is installed."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("hpo", "models", "data", "studies", "tests", "docs"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "CONTRIBUTING.md"):
            shutil.copy(ROOT / name, folder)

    def write(self, path, text):
        """Add a file."""
        (self.folder / path).write_text(text)

    def replace(self, path, *changes):
        """Change a file; each text must be there once."""
        text = (self.folder / path).read_text()
        for old, new in changes:
            assert text.count(old) == 1, (path, old)
            text = text.replace(old, new)
        (self.folder / path).write_text(text)

    def run(self, *arguments):
        """Run a module there; its output."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        environment.pop("PYTEST_ADDOPTS", None)  # those of this run are not meant for the one inside
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def test(self, *arguments):
        """Run tests there."""
        return self.run("pytest", "-q", "-p", "no:cacheprovider", *arguments)
