"""What every executor promises; those of the catalogue and the fake one go through it."""

import threading
from dataclasses import replace

import pytest
from fakes import ScriptedExecutor, follow_all

from hpo.engine.intent import make_job
from hpo.execute.executor import follow
from hpo.execute.executors import EXECUTORS
from hpo.search.searcher import Verdict
from hpo.system.stop import StopFlag
from hpo.trial.events import EpochResult, Failed, Finished, Interrupted


def scripted():
    return ScriptedExecutor(lambda seed, before: [0.5, 0.4, 0.3])


@pytest.fixture(params=[*EXECUTORS, "scripted"])
def executor(request):
    return scripted() if request.param == "scripted" else EXECUTORS[request.param]()


@pytest.fixture
def job(context, record):
    return make_job(context, record, beats=None)


def test_a_trial_tells_its_epochs_in_order_and_last_its_outcome(executor, job):
    *rows, outcome = follow_all(executor.run(job, StopFlag()))
    assert [row.epoch for row in rows if isinstance(row, EpochResult)] == [1, 2, 3]
    assert isinstance(outcome, Finished)
    assert outcome.stopped_because == "epochs"
    assert outcome.folds[0].best_value == min(row.value for row in rows)


def test_a_verdict_ends_it_after_its_epoch(executor, job):
    rows = []

    def answer(event):
        rows.append(event)
        return Verdict.STOP if len(rows) == 2 else Verdict.CONTINUE

    outcome = follow(executor.run(job, StopFlag()), answer)
    assert isinstance(outcome, Finished)
    assert (outcome.stopped_because, len(rows)) == ("report", 2)


def test_a_stop_interrupts_it(executor, job):
    stop = StopFlag()

    def answer(event):
        stop.set()
        return Verdict.CONTINUE

    long = replace(job, settings=replace(job.settings, epochs=3))
    assert follow(executor.run(long, stop), answer) == Interrupted()


def test_leaving_it_ends_it(executor, job):
    events = executor.run(job, StopFlag())
    assert isinstance(next(events), EpochResult)
    events.close()
    assert [type(event) for event in events] == []
    assert isinstance(follow_all(executor.run(job, StopFlag()))[-1], Finished)


def test_several_run_at_a_time(executor, job):
    outcomes = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(follow_all(executor.run(job, StopFlag()))[-1]))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(outcome) for outcome in outcomes] == [Finished, Finished]


def test_an_answer_that_fails_ends_the_trial(executor, job):
    def answer(event):
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        follow(executor.run(job, StopFlag()), answer)


def test_a_failure_is_an_outcome_and_no_exception(executor, job):
    broken = replace(job, family="none such")
    if isinstance(executor, ScriptedExecutor):
        executor.script = lambda seed, before: Failed(kind="error", type="E", message="m", traceback=None)
    (outcome,) = follow_all(executor.run(broken, StopFlag()))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "error"
