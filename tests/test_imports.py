"""The rooms of the house: which module may import which."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT_OPTUNA = {
    "hpo/prepare.py",
    "hpo/storage.py",
    "hpo/stored.py",
    "hpo/runner.py",
    "hpo/space.py",
    "hpo/summary/importance.py",
}
FILES = sorted(p for folder in ("hpo", "models", "data", "studies") for p in (ROOT / folder).rglob("*.py"))


def imports_of(path):
    """Full names of the modules a file imports; relative ones resolved."""
    package = path.relative_to(ROOT).parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            names.add(".".join(part for part in (base, node.module) if part))
    return names


def imports_any(path, *modules):
    return {n for n in imports_of(path) if any(n == m or n.startswith(m + ".") for m in modules)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_flow_one_way(path):
    name = str(path.relative_to(ROOT))
    if name.startswith(("models/", "data/")):
        assert not imports_any(path, "hpo", "optuna"), "models/ and data/ know nothing of hpo/"
        other = "data" if name.startswith("models/") else "models"
        assert not imports_any(path, other)
    if name == "hpo/train.py":
        allowed = {"hpo.scoring.losses"}
        assert imports_any(path, "hpo") <= allowed, "the training loop knows torch and a report callable"
    if name not in MAY_IMPORT_OPTUNA:
        assert not imports_any(path, "optuna")
    if name.startswith("hpo/") and name not in ("hpo/cli.py", "hpo/options.py", "hpo/__main__.py"):
        assert not imports_any(path, "hpo.cli.main", "typer"), "the command line is outermost"
    if name in ("hpo/cli.py", "hpo/options.py"):
        tree = ast.parse(path.read_text())
        top = {n.module for n in tree.body if isinstance(n, ast.ImportFrom)}
        ours = {name for name in top if name and name.startswith("hpo")}
        assert ours <= {"hpo.errors", "hpo.cli.options"}, "a quick --help imports nothing heavy"


def test_the_catalogues_have_one_door():
    importers = {
        str(path.relative_to(ROOT)) for path in FILES if imports_of(path) & {"hpo.models", "hpo.data"}
    }
    assert importers == {"hpo/registry.py"}
