"""The house: a package imports only packages below it, and Optuna stays in a few files."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = (
    "cli",
    "api",
    "report",
    "engine",
    "execute",
    "cost",
    "learn",
    "store",
    "search",
    "study",
    "trial",
    "scoring",
    "system",
    "errors",
    "models",
    "data",
    "studies",
)
"""The packages from top to bottom; of models, data and studies none imports another."""

MAY_IMPORT_OPTUNA = {
    "hpo/search/tpe.py",
    "hpo/store/database.py",
    "hpo/store/view.py",
    "hpo/report/dashboard.py",
    "hpo/report/summary/importance.py",
}
PRIVATE_OPTUNA = "hpo/store/view.py"
"""The one file that uses what Optuna keeps to itself; its docstring says why."""

MAX_LINES = 320
OPTUNAS_OWN = {"_storage", "_trial_id", "_study_id", "_suggest", "_backend"}
FILES = sorted(p for folder in ("hpo", "models", "data", "studies") for p in (ROOT / folder).rglob("*.py"))


def module_of(path):
    """Full name of a file's module, as it is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "hpo":
        parts = ("hpo", *parts)
    return ".".join(part for part in parts if part != "__init__")


def imports_of(path, nodes=None):
    """Full names of what a file imports; relative ones resolved."""
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())) if nodes is None else nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def package_of(name):
    """The package of a name of ours: "engine" of "hpo.engine.context"; None for hpo itself and others."""
    parts = name.split(".")
    return parts[1] if parts[0] == "hpo" and len(parts) > 1 and parts[1] in ORDER else None


def imports_any(path, *modules):
    return {n for n in imports_of(path) if any(n == m or n.startswith(m + ".") for m in modules)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_package_imports_only_packages_below_it(path):
    here = package_of(module_of(path))
    if here is None:  # hpo/__init__.py and hpo/__main__.py are outermost
        return
    for name in imports_of(path):
        if name.split(".")[0] != "hpo":
            continue
        other = package_of(name)
        assert other is not None, f"{name} is in no package"
        if other != here:
            assert ORDER.index(other) > ORDER.index(here), f"{here} imports {name}, which is above it"
            assert here not in ("models", "data"), f"{here} knows nothing of other packages, got {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_optuna_and_typer_stay_where_they_belong(path):
    name = str(path.relative_to(ROOT))
    if name not in MAY_IMPORT_OPTUNA:
        assert not imports_any(path, "optuna")
    if not name.startswith("hpo/cli/"):
        assert not imports_any(path, "typer"), "the command line is outermost"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_optuna_keeps_to_itself_is_used_in_one_file(path):
    """Nothing underscored is imported from Optuna, nor read from what may be Optuna's."""
    if str(path.relative_to(ROOT)) == PRIVATE_OPTUNA:
        return
    private = [n for n in imports_any(path, "optuna", "optuna_dashboard") if "._" in n]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            text = ast.unparse(node)
            if node.attr in OPTUNAS_OWN or text.startswith(("optuna.", "optuna_dashboard.")):
                private.append(text)
    assert private == []


def test_a_quick_help_imports_nothing_heavy():
    code = """if True:
        import sys
        from hpo.cli.main import main
        sys.argv = ["hpo", "--help"]
        try:
            main()
        finally:
            print(*sys.modules, file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr.split()
    assert "typer" in loaded
    assert not {"torch", "optuna", "pandas", "numpy", "sqlalchemy", "pydantic", "rich"} & set(loaded)
    assert {name for name in loaded if name.startswith("hpo.")} == {
        "hpo.cli",
        "hpo.cli.main",
        "hpo.cli.exits",
        "hpo.cli.forecasts",
        "hpo.cli.options",
        "hpo.errors",
    }


def test_the_training_loop_knows_torch_and_a_callable():
    ours = {n for n in imports_of(ROOT / "hpo" / "learn" / "loop.py") if n.startswith("hpo.")}
    assert all(n.startswith(("hpo.learn.", "hpo.scoring.losses.", "hpo.trial.events.")) for n in ours), ours


def test_the_catalogues_have_one_door():
    catalogues = {"hpo.models.FAMILIES", "hpo.data.DATASETS", "hpo.data.prepare", "hpo.data.prepare_folds"}
    importers = {str(path.relative_to(ROOT)) for path in FILES if imports_of(path) & catalogues}
    assert importers == {"hpo/study/catalogue.py"}


def test_every_package_has_its_place_and_is_in_the_wheel():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {module_of(path) for path in FILES if path.name == "__init__.py"}
    assert packages == set(setuptools["packages"])
    top = {module_of(path).split(".")[1] for path in FILES if "." in module_of(path)}
    assert top - {"__main__"} == set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES, "probably two ideas"
