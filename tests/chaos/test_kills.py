"""Killed at any instant, a study ends as if nothing had happened."""

import json
import random
import time

import pytest

LONG = pytest.mark.chaos, pytest.mark.timeout(5400)


def wait_for_its_moment(run, rng):
    """Half of the kills fall into a trial's life, the others anywhere from the first instant on."""
    if rng.random() < 0.5:
        run.wait_for("epochs in" if rng.random() < 0.3 else "trial ")
        time.sleep(rng.uniform(0.0, 1.0))
    else:
        time.sleep(rng.uniform(0.0, 8.0))


@pytest.mark.parametrize("n_kills", [pytest.param(2, marks=pytest.mark.slow), pytest.param(200, marks=LONG)])
def test_the_whole_group_is_killed_at_random_instants(service, n_kills):
    rng = random.Random(n_kills)
    kills, resumed, goes_on, seed = 0, 0, 0, 0
    while kills < n_kills:
        # One study after another, until there were enough kills.
        arguments = (
            f"--seed={seed}",
            f"--trials={4 if n_kills < 10 else 30}",
            "--epochs=40",
            "--patience=40",
        )
        whole = service(f"whole{seed}", *arguments)
        assert whole.run().returncode == 0
        broken = service(f"broken{seed}", *arguments)
        while True:
            run = broken.start()
            if kills < n_kills:
                wait_for_its_moment(run, rng)
                if run.process.poll() is None:
                    run.kill()
                    kills += 1
                    goes_on += "goes on after epoch" in run.text
                    continue
            assert run.wait() == 0, run.text
            break
        assert broken.results() == whole.results()
        broken.assert_at_one()
        resumed += sum(record.resumed for record in broken.records())
        assert not list(broken.files.folder.glob("checkpoints/*/resume.safetensors"))
        assert not list(broken.files.folder.rglob("*.tmp"))
        seed += 1
    print(
        f"\n{kills} kills over {seed} studies; trials taken up again {resumed} times, {goes_on} of them from "
        "a checkpoint; every result the same to the last digit"
    )
    assert resumed >= n_kills // 10
    assert goes_on >= n_kills // 20


@pytest.mark.chaos
@pytest.mark.timeout(5400)
@pytest.mark.parametrize(("n_processes", "n_kills"), [(4, 60), (8, 8)])
def test_several_processes_share_a_study_and_are_killed(service, n_processes, n_kills):
    """All sampling is random here, so that what is tried does not depend on who ends first."""
    rng = random.Random(n_kills)
    n_trials = max(n_kills, 24)
    arguments = (f"--trials={n_trials}", "--startup-trials=1000", "--no-prune", "--budget=2M", "--epochs=3")
    whole, shared = service("whole", *arguments), service("shared", *arguments)
    assert whole.run().returncode == 0
    runs = [shared.start() for _ in range(n_processes)]
    for _ in range(n_kills):
        victim = rng.randrange(len(runs))
        time.sleep(rng.uniform(0.0, 6.0))
        if runs[victim].process.poll() is None:
            runs[victim].kill()
        runs[victim] = shared.start()
    for run in runs:
        assert run.wait(900) == 0, run.text
    # One that found all trials begun has left; a trial whose owner was killed after that is taken up now.
    assert shared.run().returncode == 0
    records = shared.records()
    assert [record.trial_number for record in records] == list(range(n_trials))
    origins = [record.origin for record in records if record.origin.startswith("forced:")]
    assert len(origins) == len(set(origins)) == 9
    flags = [record.flags for record in records]  # a near-duplicate is flagged in the one that ends later
    assert [{**r, "flags": []} for r in without(shared)] == [{**r, "flags": []} for r in without(whole)], (
        flags
    )
    shared.assert_at_one()


def without(service):
    """Results but for what depends on the order in which trials end."""
    rows = [json.loads(row) for row in service.results()]
    for row in rows:
        row["user_attrs"].pop("flags", None)
        if row["origin"] in ("startup", "tpe"):
            row["origin"] = row["user_attrs"]["origin"] = "searched"
    return rows
