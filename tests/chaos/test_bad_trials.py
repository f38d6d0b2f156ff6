"""Trials that end badly are recorded with their reason, and the study goes on."""

import json
import signal
import subprocess
import time

import psutil
import pytest

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* The wall clock jumps back by a day as soon as a certain file exists. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    struct stat status;
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    const char *jumped = getenv("CLOCK_JUMPED");
    if (clock == CLOCK_REALTIME && jumped && stat(jumped, &status) == 0) now->tv_sec -= 86400;
    return result;
}
"""


def in_child(run, act):
    """Do something to the process of each running trial, once it trains, until the run has ended."""
    seen = set()
    while run.process.poll() is None:
        for child in run.children():
            if child.pid not in seen:
                time.sleep(0.3)
                try:
                    act(child)
                except (psutil.NoSuchProcess, ProcessLookupError):
                    continue
                seen.add(child.pid)
        time.sleep(0.05)
    return seen


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGSEGV, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, marks=pytest.mark.chaos),
    ],
)
def test_five_trials_that_die_alike_stop_the_study_and_the_next_run_goes_on(service, number):
    """Each child is killed by a real signal, twice a trial: one more try, then a failure."""
    broken = service("broken", "--epochs=100000", "--patience=100000", "--no-prune")
    run = broken.start()
    killed = in_child(run, lambda child: child.send_signal(number))
    assert run.wait() == 3, run.text
    records = broken.records()
    assert [record.state for record in records] == ["FAIL"] * 5
    assert {record.failure.type for record in records} == {number.name}
    assert len(killed) == 10
    assert f"5 trials in a row failed alike ({number.name}: " in run.text
    broken.assert_at_one()


@pytest.mark.chaos
def test_a_trial_that_runs_out_of_memory_is_infeasible_and_the_study_goes_on(service):
    """The limit is the operating system's (RLIMIT_AS), set on the running process."""
    small = service(
        "small", "--trials=2", "--epochs=100000", "--patience=100000", "--trial-timeout-seconds=8"
    )
    run = small.start()
    seen = []

    def starve(child):
        if not seen:
            seen.append(child.pid)
            child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms, child.memory_info().vms))

    in_child(run, starve)
    assert run.wait() in (0, 3), run.text
    first, second = small.records()
    assert (first.state, first.constraints) == ("PRUNED", {"out_of_memory": 1.0}), first.failure
    assert first.failure.traceback
    assert (second.state, second.training.stopped_because, second.constraints) == ("PRUNED", "time limit", {})
    assert second.value == min(row.val_loss for row in second.learning_curve)
    assert 8 <= second.duration_seconds < 30
    small.assert_at_one()


@pytest.mark.chaos
def test_a_clock_that_jumps_back_changes_nothing(service, tmp_path):
    compiler = subprocess.run(["which", "cc"], capture_output=True, text=True).stdout.strip()
    if not compiler:
        pytest.skip("needs a C compiler")
    (tmp_path / "clock.c").write_text(CLOCK)
    library, jumped = tmp_path / "clock.so", tmp_path / "jumped"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "clock.c", "-ldl"], check=True)
    arguments = ("--trials=4",)
    whole = service("whole", *arguments)
    assert whole.run().returncode == 0
    broken = service("broken", *arguments, LD_PRELOAD=str(library), CLOCK_JUMPED=str(jumped))
    run = broken.start()
    assert run.wait_for("trial 1 of")
    jumped.touch()
    assert run.wait() == 0, run.text
    records = broken.records()
    assert records[-1].datetime_start < records[0].datetime_start, "the clock did jump"
    assert all(record.datetime_complete >= record.datetime_start for record in records)
    assert all(0 < record.duration_seconds < 60 for record in records)
    assert broken.results() == whole.results()
    broken.assert_at_one()
    json.loads(broken.files.summary_json.read_text())
