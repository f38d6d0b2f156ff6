"""Stopped politely, it keeps everything; stopped rudely, it loses nothing."""

import os
import signal
import time

import pytest

LONG_TRIAL = ("--trials=1", "--epochs=200", "--patience=200", "--checkpoint-seconds=30")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        *(pytest.param(other, marks=pytest.mark.chaos) for other in (signal.SIGTERM, "STOP")),
    ],
)
def test_a_stop_keeps_the_running_trial_to_the_batch(service, number):
    """The interval of checkpoints is far away: what is kept is what the stop itself has kept."""
    whole, broken = service("whole", *LONG_TRIAL), service("broken", *LONG_TRIAL)
    assert whole.run().returncode == 0
    run = broken.start()
    assert run.wait_for("trial 0 of")
    time.sleep(1.5)
    if number == "STOP":
        (broken.files.folder / "STOP").touch()
    else:
        os.killpg(run.process.pid, number)
    assert run.wait(60) == 130, run.text
    assert "Traceback" not in run.text
    assert not (broken.files.folder / "STOP").exists()
    (record,) = broken.records()
    assert (record.state, record.resumed) == ("RUNNING", 0)
    broken.assert_at_one()
    again = broken.run()
    assert again.returncode == 0, again.stderr
    assert "goes on after epoch" in again.stdout
    (record,) = broken.records()
    assert record.resumed == 1
    assert broken.results() == whole.results()


@pytest.mark.chaos
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_twice_leaves_at_once(service, number):
    broken = service("broken", "--trials=1", "--epochs=100000", "--patience=100000")
    run = broken.start()
    child = run.wait_for_child()
    time.sleep(1.0)
    child.suspend()  # it cannot finish its batch
    os.kill(run.process.pid, number)
    time.sleep(1.0)
    assert run.process.poll() is None, "it waits for the batch"
    started = time.monotonic()
    os.kill(run.process.pid, number)
    assert run.process.wait(20) == 130, run.text  # its output ends with the child, which cannot leave
    assert time.monotonic() - started < 5
    child.kill()
    assert broken.run("--trial-timeout-seconds=1").returncode == 3  # pruned: nothing completed
    broken.assert_at_one()
