"""The real program as a user starts it: processes, signals, disks, SQLite. Nothing in it is replaced."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from hpo.store.database import load_records, load_study, open_existing
from hpo.store.layout import ExperimentFiles
from hpo.store.records import read_records
from hpo.trial.record import TrialRecord

NAME = "chaos"


@dataclass
class Service:
    """One study in an output folder of its own."""

    out: Path
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def files(self):
        return ExperimentFiles(out=self.out, experiment=NAME)

    @property
    def database(self):
        return self.out / "studies.db"

    def hpo(self, *arguments, timeout=280):
        return subprocess.run(
            [sys.executable, "-m", "hpo", *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **self.environment},
        )

    def run(self, *more, timeout=280):
        return self.hpo("run", f"--out={self.out}", *self.arguments, *more, timeout=timeout)

    def tool(self, command, *more):
        return self.hpo(command, f"--out={self.out}", *more)

    def start(self, *more):
        """Start it in a process group of its own, to be killed as a whole."""
        return Running(
            subprocess.Popen(
                [sys.executable, "-m", "hpo", "run", f"--out={self.out}", *self.arguments, *more],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"},
            )
        )

    def records(self):
        records, errors = read_records(self.files)
        assert errors == []
        return records

    def stored(self):
        with open_existing(f"sqlite:///{self.database}") as storage:
            return load_records(load_study(storage, NAME))

    def results(self):
        """What must not depend on when, where, or how often interrupted a study ran."""
        return [_what_counts(record) for record in self.records()]

    def assert_at_one(self):
        """Files and storage hold the same, and the program itself finds nothing to say."""
        assert finished(self.stored()) == finished(self.records())
        audit = self.tool("audit")
        assert (audit.returncode, audit.stderr) == (0, ""), audit.stdout


def finished(records):
    """A running trial's scores are in storage as they come; its file waits for its end."""
    return [record for record in records if record.state != "RUNNING"]


def _what_counts(record: TrialRecord):
    fields = ("trial_number", "state", "value", "origin", "params", "distributions", "intermediate_values")
    fields = (
        *fields,
        "constraints",
        "flags",
        "seed",
        "metrics",
        "architecture",
        "training",
        "learning_curve",
    )
    fields = (*fields, "user_attrs", "system_attrs", "confusion_matrix")
    kept = json.loads(record.model_dump_json(include=set(fields)))
    for row in kept["learning_curve"]:
        del row["seconds"]
    return json.dumps(kept, sort_keys=True)  # as text: to the last digit


class Running:
    """A run under way; its output is read as it comes."""

    begun: ClassVar[list] = []

    def __init__(self, process):
        self.begun.append(process)
        self.process = process
        self.lines = []
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self.lines.append("")
            self._news.notify_all()

    @property
    def text(self):
        return "".join(self.lines)

    def wait_for(self, words, timeout=120):
        """Wait for a line with these words; False if the process ended without one."""
        with self._news:
            self._news.wait_for(lambda: words in self.text or self.lines[-1:] == [""], timeout)
        return words in self.text

    def wait(self, timeout=280):
        code = self.process.wait(timeout)
        self.wait_for("\0", timeout=20)  # all of its output
        return code

    def kill(self):
        """SIGKILL to the whole group, the fork server and the trial among it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait_for_child(self, timeout=120):
        """The process of the first running trial: on a busy machine the fork server takes a while to load."""
        deadline = time.monotonic() + timeout
        while not (found := self.children()):
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)
        return found[0]

    def children(self):
        """The processes of its running trials: forked from the fork server, which may start others to look
        around while it loads.
        """
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in family if child.ppid() != self.process.pid and _is_forked(child)]
        except psutil.NoSuchProcess:
            return []


def _is_forked(process):
    return any("multiprocessing.forkserver" in word for word in process.cmdline())


@pytest.fixture(autouse=True)
def nothing_is_left():
    """A test that fails half-way must not leave a run behind to slow down the others."""
    Running.begun.clear()
    yield
    for process in Running.begun:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    """Makes services; all of them run the same study unless told otherwise."""

    def make(name, *arguments, out=None, **environment):
        base = [
            f"--experiment={NAME}",
            "--model=mlp",
            "--budget=20k",
            "--context=5",
            "--limit=400",
            "--epochs=12",
            "--patience=12",
            "--trials=8",
            "--startup-trials=5",
            "--threads=1",
            "--device=cpu",
            "--checkpoint-seconds=0",
        ]
        return Service(out or tmp_path_factory.mktemp(name) / "out", [*base, *arguments], environment)

    return make
