"""Install the wheel in a virtual environment outside the checkout, import every module, run a tiny study.

Usage: check_wheel.py WHEEL CONSTRAINTS
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

IMPORT_ALL = """
import importlib, pkgutil, hpo
assert "site-packages" in hpo.__file__, hpo.__file__
names = [m.name for m in pkgutil.walk_packages(hpo.__path__, "hpo.") if m.name != "hpo.__main__"]
for name in names:
    importlib.import_module(name)
from importlib.resources import files
assert (files("hpo") / "py.typed").is_file()
print(len(names), "modules imported")
expected = {"hpo.models.psann", "hpo.data.sets.sp500", "hpo.report.summary.plots", "hpo.studies"}
assert expected <= set(names), names
"""


def main() -> None:
    wheel, constraints = (Path(argument).resolve() for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        venv.create(environment, with_pip=True)
        python = str(environment / "bin" / "python")

        def run(*command: str) -> None:
            subprocess.run(command, cwd=folder, check=True, timeout=900)

        run(python, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), str(wheel))
        run(python, "-c", IMPORT_ALL)
        hpo = str(environment / "bin" / "hpo")
        run(
            hpo,
            *[
                "run",
                "--model",
                "psann",
                "--budget",
                "20k",
                "--context",
                "5",
                "--limit",
                "200",
                "--epochs",
                "2",
                "--trials",
                "2",
            ],
        )
        summary = Path(folder) / "outputs" / "sp500_psann_h1_20k" / "sp500_psann_h1_20k_study_summary.md"
        assert summary.is_file(), f"no summary at {summary}"
        run(hpo, "summary", "--experiment", "sp500_psann_h1_20k", "--from-files")
    print("the wheel works outside the checkout")


if __name__ == "__main__":
    main()
