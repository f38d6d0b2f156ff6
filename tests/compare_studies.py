"""Run five small studies with two checkouts of this project and compare their trials' records.

It is run by hand, because another checkout, and perhaps an environment of its own, is no part of this one:

    git worktree add ../before COMMIT
    python tests/compare_studies.py --old ../before

Both checkouts get the same command lines, on the CPU with one thread; each study runs in both at once. In one
of them the process group is killed while a trial trains, and the same command goes on from its checkpoint.
Every field of every record must be the same to the last digit, but for ``IGNORED`` and ``EXPLAINED`` ones.
Exit code 0 if so, 1 if anything else differs. What they wrote stays in build/compare, a folder a checkout. It
takes about four minutes on two free cores.
"""

import argparse
import contextlib
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "compare"
CSV = FOLDER / "load.csv"

IGNORED = (
    "schema_version",
    "code.*",
    "datetime_start",
    "datetime_complete",
    "duration_seconds",
    "learning_curve.*.seconds",
    "resources.peak_memory_bytes",
    "resources.samples_per_second",
)
"""Versions, times, and what a machine measures: they differ from run to run. They must be there still."""

EXPLAINED: dict[str, str] = {
    "system_attrs": "empty where it held only what follows",
    "system_attrs.fixed_params.*": "forced configs waited in the database with their params; now they do not",
    "system_attrs.tpe:relative_params:*": "TPE noted its params there for other processes; now records tell",
}
"""Fields that may differ, or stand on one side alone, and why; "learning_curve.*.fold" would be one."""

ABSENT = "absent"

COMMON = "--device=cpu --threads=1 --startup-trials=4 --prune-warmup=1"


@dataclass(frozen=True)
class Study:
    """A study's flags, and the trial during which its process group is killed."""

    flags: str
    kill_at: int | None = None


STUDIES = {
    # Two budgets, enough trials after the startup that TPE and the median rule have much to say.
    "binary": Study(
        "--data=sp500 --model=mlp --budget=20k,40k --context=5 --limit=400 --epochs=3 --trials=16"
    ),
    # A file of the user's own: its columns, step, gap and season are found.
    "regression": Study(
        f"--data={CSV} --model=psann --budget=20k --context=12 --horizon=3 --epochs=2 --trials=8"
    ),
    # An objective that is a metric, and better where it is higher.
    "multiclass": Study(
        "--data=classification_clusters --model=transformer --budget=20k --context=1 --limit=600 "
        "--objective=f1 --epochs=3 --trials=10"
    ),
    "walk-forward": Study(
        "--data=periodic --split=walk-forward --folds=3 --model=tcn --budget=20k --context=16 --limit=400 "
        "--epochs=2 --trials=8"
    ),
    "gaussian": Study(
        "--data=drift --loss=gaussian_nll --model=mlp --budget=20k --context=24 --horizon=2 --limit=1500 "
        "--epochs=16 --patience=16 --checkpoint-seconds=0 --trials=7",
        kill_at=5,
    ),
}


@dataclass(frozen=True)
class Side:
    """One of the two checkouts.

    Attributes:
        name: "old" or "new".
        checkout: Its folder.
        python: The interpreter of its environment.
    """

    name: str
    checkout: Path
    python: str

    def trials(self, study: str) -> Path:
        """Where a study's records are."""
        return FOLDER / self.name / study / "trials"

    def run(self, study: str) -> None:
        """Run one study from its start to its end."""
        flags = STUDIES[study]
        if flags.kill_at is not None:
            self._run_until_killed(study, flags.kill_at)
        with self._start(study) as process:
            if process.wait() != 0:
                log = self._log(study)
                raise SystemExit(f"{self.name}, {study}: failed\n{log.read_text()[-2000:]}see {log}")

    def check(self) -> None:
        """Make sure that it is this checkout's code that runs."""
        found = subprocess.run(
            [self.python, "-c", "import hpo; print(hpo.__file__)"],
            cwd=FOLDER,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        if not Path(found.stdout.strip()).is_relative_to(self.checkout):
            raise SystemExit(
                f"{self.name}: hpo is imported from {found.stdout.strip()}, not from {self.checkout}"
            )

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.checkout)}

    def _log(self, study: str) -> Path:
        return FOLDER / self.name / f"{study}.log"

    def _start(self, study: str, own_group: bool = False) -> "subprocess.Popen[bytes]":
        flags = f"{COMMON} {STUDIES[study].flags}".split()
        with self._log(study).open("ab") as log:
            return subprocess.Popen(
                [
                    self.python,
                    "-m",
                    "hpo",
                    "run",
                    f"--out={FOLDER / self.name}",
                    f"--experiment={study}",
                    *flags,
                ],
                cwd=FOLDER,  # a checkout's own folder would come before PYTHONPATH
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=own_group,
            )

    def _run_until_killed(self, study: str, number: int) -> None:
        """Kill the run, and all it started, as soon as a trial has a checkpoint to go on from."""
        name = f"trial_{number:04d}"
        record = self.trials(study) / f"{name}.json"
        checkpoint = self.trials(study).parent / "checkpoints" / name / "resume.safetensors"
        with self._start(study, own_group=True) as process:
            try:
                while process.poll() is None and not checkpoint.exists():
                    time.sleep(0.01)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        state = json.loads(record.read_text())["state"] if record.exists() else "not there"
        if state != "RUNNING":
            raise SystemExit(f"{self.name}, {study}: the kill missed trial {number}: its record is {state}")


def write_csv() -> None:
    """A load by hour with a day's season, a weekend, an input, and an hour that is missing."""
    draw = random.Random(0)
    lines = ["time,temperature,load"]
    start = datetime(2024, 1, 1)
    for hour in range(900):
        if hour == 500:
            continue
        temperature = 10 + 8 * math.sin(hour / 180) + draw.gauss(0, 1)
        weekend = hour // 24 % 7 >= 5
        load = 50 + 12 * math.sin(math.tau * hour / 24) - 0.8 * temperature - 6 * weekend + draw.gauss(0, 2)
        lines.append(f"{start + timedelta(hours=hour)},{temperature:.3f},{load:.3f}")
    CSV.write_text("\n".join(lines) + "\n")


def read_trials(folder: Path) -> dict[int, dict[str, Any]]:
    """The records of a study as plain JSON, by trial number."""
    records = [json.loads(path.read_text()) for path in folder.glob("trial_*.json")]
    return {record["trial_number"]: record for record in records}


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """The values of nested JSON by their path, as in "learning_curve.0.val_loss"."""
    if not isinstance(value, dict | list) or not value:
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, Any] = {}
    for key, inner in items:
        found |= leaves(inner, f"{path}.{key}" if path else str(key))
    return found


def field_of(path: str) -> str:
    """A path without the places in lists: "learning_curve.*.val_loss"."""
    return ".".join("*" if part.isdigit() else part for part in path.split("."))


def matches(field: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(field, pattern) for pattern in patterns)


def differing(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The values that differ between two records, by path; ignored fields only where one side lacks them."""
    a, b = leaves(old), leaves(new)
    return {
        path: (a.get(path, ABSENT), b.get(path, ABSENT))
        for path in sorted(a.keys() | b.keys())
        if not (path in a and path in b and matches(field_of(path), IGNORED))
        and json.dumps(a.get(path, ABSENT)) != json.dumps(b.get(path, ABSENT))
    }


@dataclass(frozen=True)
class Comparison:
    """What one study gave on both sides.

    Attributes:
        n_trials: Trials that both have.
        covered: How those of the new side ended and where they came from.
        missing: One line a trial that one side alone has.
        fields: For each field that differs: in how many trials, and the first example.
    """

    n_trials: int
    covered: str
    missing: list[str]
    fields: dict[str, tuple[int, str]]

    @property
    def unexplained(self) -> list[str]:
        """What must not be."""
        return self.missing + [field for field in self.fields if not matches(field, EXPLAINED)]


def brief(value: Any) -> str:
    """A value as the report shows it."""
    return textwrap.shorten(repr(value), 80, placeholder=" ...")


def compare(old: dict[int, dict[str, Any]], new: dict[int, dict[str, Any]]) -> Comparison:
    """Compare all records of a study."""
    trials: Counter[str] = Counter()
    examples: dict[str, str] = {}
    both = sorted(old.keys() & new.keys())
    for number in both:
        differences = differing(old[number], new[number])
        for path, (was, is_) in differences.items():
            examples.setdefault(field_of(path), f"trial {number}: {path} was {brief(was)}, is {brief(is_)}")
        trials.update({field_of(path) for path in differences})
    ends = Counter(record["state"].lower() for record in new.values())
    origins = Counter(record["origin"].split(":")[0] for record in new.values())
    return Comparison(
        n_trials=len(both),
        covered=", ".join(f"{count} {what}" for what, count in (*ends.items(), *origins.items())),
        missing=[
            f"trial {number} is in {'old' if number in old else 'new'} alone"
            for number in sorted(old.keys() ^ new.keys())
        ],
        fields={field: (count, examples[field]) for field, count in sorted(trials.items())},
    )


def show(study: str, comparison: Comparison) -> None:
    """One line a study, and one a field that differs."""
    verdict = "same"
    if comparison.unexplained:
        verdict = "DIFFERS"
    elif comparison.fields:
        verdict = "same but for what is explained"
    print(f"{study:14}{comparison.n_trials:3} trials  {verdict}  ({comparison.covered})", flush=True)
    for line in comparison.missing:
        print(f"    {line}")
    for field, (count, example) in comparison.fields.items():
        reasons = [reason for pattern, reason in EXPLAINED.items() if fnmatchcase(field, pattern)]
        print(
            f"    {field}: in {count} trials; {example}{''.join(f'  [{reason}]' for reason in reasons[:1])}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Compare the records of five small studies of two checkouts."
    )
    parser.add_argument("--old", type=Path, required=True, help="folder of the other checkout")
    parser.add_argument("--old-python", default=sys.executable, help="interpreter of its environment")
    parser.add_argument("--python", default=sys.executable, help="interpreter of this one's")
    parser.add_argument("--only", choices=STUDIES, help="one study alone")
    given = parser.parse_args()
    sides = (Side("old", given.old.resolve(), given.old_python), Side("new", ROOT, given.python))
    shutil.rmtree(FOLDER, ignore_errors=True)
    for side in sides:
        (FOLDER / side.name).mkdir(parents=True)
        side.check()
    write_csv()
    unexplained = False
    with ThreadPoolExecutor(len(sides)) as pool:
        for study in [given.only] if given.only else STUDIES:
            list(pool.map(lambda side, study=study: side.run(study), sides))
            comparison = compare(*(read_trials(side.trials(study)) for side in sides))
            show(study, comparison)
            unexplained = unexplained or bool(comparison.unexplained)
    return int(unexplained)


if __name__ == "__main__":
    raise SystemExit(main())
