"""What a study's results came from: versions, code, data, hardware, seeds, references, every command."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hpo.data.base import ForecastData
from hpo.errors import StorageError
from hpo.scoring.references import References, restore_references
from hpo.scoring.task import Task
from hpo.store.layout import ExperimentFiles
from hpo.store.windows import read_reference_losses
from hpo.study.config import RULES
from hpo.system.files import move_to_quarantine, read_json, write_json
from hpo.system.hardware import describe
from hpo.trial.record import Code, DataSource, Part

logger = logging.getLogger(__name__)

PACKAGES = ("torch", "psann", "optuna", "numpy", "pandas", "scikit-learn", "TA-Lib", "arch", "sqlalchemy")


def write_manifest(
    files: ExperimentFiles,
    *,
    data: DataSource,
    parts: dict[str, Part],
    references: References,
    seed: int,
    command: list[str],
) -> None:
    """Write the manifest in a study's first run; later runs add their command, and references found since."""
    manifest = _read(files)
    if not manifest:
        if files.manifest.exists():
            logger.warning("%s: torn; moved to quarantine and written anew", files.manifest)
            move_to_quarantine(files.quarantine, files.manifest)
        manifest = {
            "schema_version": 1,
            "rules": RULES,
            "experiment": files.experiment,
            "python": sys.version.split()[0],
            "packages": {name: _version(name) for name in PACKAGES},
            "code": code_version().model_dump(),
            "data": data.model_dump(),
            "split": {name: part.model_dump() for name, part in parts.items()},
            "hardware": describe(),
            "seed": seed,
            "test_part_uses": 0,
            "runs": [],
        }
    manifest["references"] = references.stored()
    manifest["runs"].append({"started": datetime.now(UTC).isoformat(), "command": command})
    write_json(files.manifest, manifest)


def stored_references(files: ExperimentFiles, folds: Sequence[ForecastData], task: Task) -> References | None:
    """The references that earlier runs computed; None in the first, or if the data have changed.

    None, too, where their losses a window are gone: whoever computes them writes them again.
    """
    manifest = _read(files)
    if manifest.get("data", {}).get("sha256") != folds[0].table.sha256:
        return None
    try:
        return restore_references(folds, task, manifest["references"], read_reference_losses(files))
    except (KeyError, StorageError):  # written by another version
        return None


def stored_rules(files: ExperimentFiles) -> int:
    """By which rules the study on disk was run; today's where there is no manifest to say."""
    manifest = _read(files)
    return int(manifest.get("rules", 1)) if manifest else RULES


def _read(files: ExperimentFiles) -> dict[str, Any]:
    """The manifest; empty where there is none or where it is torn."""
    try:
        manifest = read_json(files.manifest)
    except StorageError:
        return {}
    whole = isinstance(manifest, dict) and all(
        isinstance(manifest.get(key), kind)
        for key, kind in (("data", dict), ("references", dict), ("runs", list))
    )
    return manifest if whole else {}


@lru_cache(maxsize=1)
def code_version() -> Code:
    """The version of this package and, in a checkout, its commit."""
    try:
        installed = version("budget-hpo")
    except PackageNotFoundError:
        installed = "uninstalled"
    commit = _git("rev-parse", "HEAD")
    dirty = None if commit is None else bool(_git("status", "--porcelain", "--untracked-files=no"))
    return Code(version=installed, commit=commit, dirty=dirty)


def _git(*arguments: str) -> str | None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
