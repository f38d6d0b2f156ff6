"""A disk that fills up costs nothing but time."""

import contextlib
import os
import subprocess
import time

import pytest

LONG = pytest.mark.chaos, pytest.mark.timeout(3600)
BLOCK = 4096
ROOMS = (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Blocks that are left free: what needs more is the first write to fail."""


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 12 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk, blocks_left):
    """Fill a disk up to so many blocks; returns the file to delete."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(BLOCK))
        file.truncate(max(0, file.tell() // BLOCK - blocks_left) * BLOCK)
    return filler


def epochs_trained(run):
    """CPU seconds of the running trial's process."""
    return sum(sum(child.cpu_times()[:2]) for child in run.children())


@pytest.mark.parametrize(
    "rooms", [pytest.param((0,), marks=pytest.mark.slow), pytest.param(ROOMS, marks=LONG)]
)
def test_a_full_disk_stops_no_trial_and_is_told_once(service, small_disk, rooms):
    """The disk fills again and again, with ever other room left, at ever other moments of the study."""
    # With room enough, several trials end while the disk is looked at.
    whole = service("whole", f"--trials={6 * len(rooms)}")
    assert whole.run().returncode == 0
    broken = service("broken", f"--trials={6 * len(rooms)}", out=small_disk / "out")
    run = broken.start()
    assert run.wait_for("trial 0 of")
    waited = 0
    for n, room in enumerate(rooms):
        run.wait_for(f"trial {2 * n} ")
        before = run.text
        files = {path: path.read_bytes() for path in broken.files.trials.glob("trial_*.json")}
        filler = fill(small_disk, room)
        time.sleep(3.0)
        assert run.process.poll() is None, run.text
        assert set(files) <= set(broken.files.trials.glob("trial_*.json"))
        told = run.text.removeprefix(before)
        assert told.count("cannot write") <= 1, "told once"
        waited += "cannot write" in told
        filler.unlink()
        if "cannot write" in told:
            assert run.wait_for("writing again") or run.process.poll() is None
    assert run.wait() == 0, run.text
    assert waited >= 1, "the disk was never full when something was to be written"
    assert broken.results() == whole.results()
    broken.assert_at_one()
    for path in (
        broken.files.best(),
        broken.files.all_trials,
        broken.files.summary_md,
        broken.files.manifest,
    ):
        assert path.stat().st_size > 0
    print(f"\n{len(rooms)} times full, {waited} times in the way of a write; the same result")


@pytest.mark.chaos
def test_a_trial_goes_on_training_while_the_disk_is_full(service, small_disk):
    broken = service("broken", "--trials=1", "--epochs=100000", "--patience=100000", out=small_disk / "out")
    run = broken.start()
    assert run.wait_for("trial 0 of")
    time.sleep(1.0)
    filler = fill(small_disk, 0)
    time.sleep(1.0)
    before = epochs_trained(run)
    time.sleep(2.0)
    assert epochs_trained(run) > before + 0.5, "it trains"
    assert run.text.count("cannot write") == 1, run.text
    filler.unlink()
    time.sleep(1.0)
    (broken.files.folder / "STOP").touch()
    assert run.wait(60) == 130, run.text
    assert broken.files.checkpoint(0).stat().st_size > 0, "with space again the checkpoint is written"


@pytest.mark.chaos
def test_a_disk_that_is_full_from_the_start_is_a_clear_error(service, small_disk):
    fill(small_disk, 0)
    done = service("x", out=small_disk / "out").run()
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "No space left" in done.stderr or "full" in done.stderr


@pytest.mark.chaos
def test_a_stop_while_the_disk_is_full_loses_nothing(service, small_disk):
    whole = service("whole", "--trials=3")
    assert whole.run().returncode == 0
    broken = service("broken", "--trials=3", out=small_disk / "out")
    run = broken.start()
    assert run.wait_for("trial 0 of")
    filler = fill(small_disk, 0)
    run.wait_for("cannot write")
    os.killpg(run.process.pid, 15)
    assert run.wait(60) == 130, run.text
    filler.unlink()
    assert broken.run().returncode == 0
    assert broken.results() == whole.results()
    broken.assert_at_one()
