"""The loop with a store in memory and an executor that plays scripts: seconds for the whole suite."""

import errno
import threading
import time
from dataclasses import replace

import pytest
from fakes import Hearer, MemoryStore, ScriptedExecutor, bug, killed

from hpo.cost.memory import MemoryNeed
from hpo.engine.coordinator import Coordinator
from hpo.engine.listener import EpochEnded, TrialEnded, TrialStarted
from hpo.search.searcher import Verdict
from hpo.search.searchers import SearchSettings, make_searcher
from hpo.system.files import read_json
from hpo.system.stop import StopFlag
from hpo.trial.events import Failed, Interrupted

MEMORY = MemoryNeed(base_bytes=1, state_bytes=1, step_bytes=1, window_bytes=1)


@pytest.fixture
def make(context, monkeypatch):
    """Makes a coordinator of the small study; what a trial would take in memory is tested elsewhere."""
    monkeypatch.setattr("hpo.engine.intent.memory_need", lambda *args, **kwargs: MEMORY)

    def build(executor=None, store=None, listener=None, stop=None, workers=1, keep=5, **search):
        section = context.config.search.model_copy(update=search)
        study = context.config.study.model_copy(update={"workers": workers, "keep": keep})
        config = context.config.model_copy(update={"search": section, "study": study})
        settings = SearchSettings(
            plan=context.plan,
            direction="minimize",
            seed=0,
            n_startup_trials=section.startup_trials,
            prune_warmup=section.prune_warmup if section.prune else None,
        )
        return Coordinator(
            context=replace(context, config=config),
            store=store or MemoryStore(),
            searcher=make_searcher("tpe", settings),
            executor=executor or ScriptedExecutor(),
            listener=listener or Hearer(),
            stop=stop or StopFlag(),
        )

    return build


def stops_at(trial, stop, script=lambda seed, before: [0.5, 0.4]):
    """A script under which the study is told to stop while a trial trains."""
    begun = []

    def stopping(seed, before):
        begun.append(seed)
        if len(begun) == trial + 1:
            stop.set()
            return Interrupted()
        return script(seed, before)

    return stopping


def test_it_runs_the_forced_configs_and_then_the_search_up_to_the_total(make, context):
    coordinator = make(trials=14)
    records = coordinator.run()
    assert [record.trial_number for record in records] == list(range(14))
    forced = [trial.origin for trial in context.plan.forced]
    assert [record.origin for record in records][: len(forced)] == forced
    assert {record.origin for record in records[len(forced) :]} == {"startup", "tpe"}
    assert all(record.state == "COMPLETE" and record.value == 0.3 for record in records)
    assert read_json(context.files.best())["trial_number"] == 0
    assert len(read_json(context.files.all_trials)) == 14


def test_its_listener_hears_each_trial_begin_train_and_end(make):
    hearer = Hearer()
    make(listener=hearer, trials=2).run()
    kinds = [type(event) for event in hearer.events]
    assert kinds == [TrialStarted, EpochEnded, EpochEnded, EpochEnded, TrialEnded] * 2
    assert [e.best for e in hearer.events if isinstance(e, EpochEnded)] == [None] * 3 + [0.3] * 3
    assert hearer.events[-1].n_finished == 2


def test_a_higher_total_extends_and_a_reached_one_adds_nothing(make):
    store = MemoryStore()
    first = make(store=store, trials=3).run()
    assert make(store=store, trials=3).run() == first
    assert make(store=store, trials=5).run()[:3] == first
    assert len(store.history) == 5


def test_trials_of_other_processes_count_and_are_left_alone(make):
    ours = MemoryStore()
    coordinator = make(store=ours, trials=4)
    theirs = MemoryStore(ours.place).claim(coordinator._propose)
    records = coordinator.run()
    assert [record.trial_number for record in records] == [1, 2, 3]
    assert theirs.record.trial_number == 0


def test_a_stopped_study_goes_on_with_the_same_trial(make):
    stop, store = StopFlag(), MemoryStore()
    executor = ScriptedExecutor(stops_at(trial=2, stop=stop))
    records = make(executor=executor, store=store, stop=stop, trials=5).run()
    assert [record.trial_number for record in records] == [0, 1]
    interrupted = store.history.get(2)
    assert interrupted.state == "RUNNING"
    records = make(store=store, trials=5).run()
    assert [record.trial_number for record in records] == [0, 1, 2, 3, 4]
    assert (records[2].resumed, records[2].params) == (1, interrupted.params)
    assert records[2].seed == interrupted.seed


def test_its_result_does_not_depend_on_stops(make):
    def what_counts(records):
        return [(r.trial_number, r.origin, r.params, r.value, r.seed) for r in records]

    def script(seed, before):
        return [0.5, 0.3 + seed / 2**32]

    unbroken = make(executor=ScriptedExecutor(script), trials=14).run()
    store = MemoryStore()
    for trial in (1, 4, 0, 3):
        stop = StopFlag()
        executor = ScriptedExecutor(stops_at(trial, stop, script))
        make(executor=executor, store=store, stop=stop, trials=14).run()
        assert len(store.history) < 14
    assert what_counts(make(executor=ScriptedExecutor(script), store=store, trials=14).run()) == what_counts(
        unbroken
    )


def test_a_file_named_stop_stops_it_and_is_taken_away(make, context):
    class StopsAfterTwo(Hearer):
        def told(self, event):
            super().told(event)
            if isinstance(event, TrialEnded) and event.n_finished == 2:
                context.files.stop.touch()

    hearer = StopsAfterTwo()
    assert len(make(listener=hearer, trials=9).run()) == 2
    assert "STOP file found: stopping" in hearer.texts()
    assert not context.files.stop.exists()


def test_a_trial_worse_than_the_median_is_ended_and_recorded_as_pruned(make):
    seeds = []

    def script(seed, before):
        if seed not in seeds:
            seeds.append(seed)
        return [0.9, 0.9, 0.9] if seeds.index(seed) in (0, 6) else [0.5, 0.4, 0.3]

    executor = ScriptedExecutor(script)
    records = make(executor=executor, trials=7).run()
    assert records[-1].state == "PRUNED"
    assert (records[-1].training.stopped_because, records[-1].training.epochs_run) == ("pruned", 2)
    assert executor.verdicts[-1] is Verdict.STOP
    assert all(record.state == "COMPLETE" for record in records[:-1]), "forced configs never are"
    seeds.clear()
    kept = make(executor=ScriptedExecutor(script), trials=7, prune=False).run()
    assert kept[-1].state == "COMPLETE"


def test_a_killed_trial_gets_one_more_try(make):
    hearer = Hearer()
    executor = ScriptedExecutor(lambda seed, before: killed() if before == 0 else [0.5])
    (record,) = make(executor=executor, listener=hearer, trials=1).run()
    assert record.state == "COMPLETE"
    assert len(executor.jobs) == 2
    assert any("trying once more" in text for text in hearer.texts())


def test_a_trial_that_is_killed_twice_fails_and_the_study_goes_on(make):
    seeds = []

    def script(seed, before):
        seeds.append(seed)
        return killed() if seed == seeds[0] else [0.5]

    records = make(executor=ScriptedExecutor(script), trials=2).run()
    assert [record.state for record in records] == ["FAIL", "COMPLETE"]
    assert records[0].failure.type == "SIGKILL"


def test_infeasible_trials_are_pruned_with_a_constraint(make):
    outcome = Failed(kind="diverged", type="DivergedError", message="nan", traceback=None)
    (record,) = make(executor=ScriptedExecutor(lambda seed, before: outcome), trials=1).run()
    assert (record.state, record.constraints) == ("PRUNED", {"diverged": 1.0})


def test_five_failures_alike_stop_the_study(make):
    coordinator = make(executor=ScriptedExecutor(lambda seed, before: bug()), trials=12)
    assert len(coordinator.run()) == 5
    assert "failed alike" in coordinator.gave_up
    assert coordinator.stop.is_set()


def test_failures_of_several_kinds_do_not(make):
    count = iter(range(100))
    coordinator = make(executor=ScriptedExecutor(lambda seed, before: bug(str(next(count)))), trials=7)
    assert len(coordinator.run()) == 7
    assert coordinator.gave_up is None


class FullDisk(MemoryStore):
    """A disk that takes nothing for the first few tries at each record that ended."""

    def __init__(self, failures):
        super().__init__()
        self.left = failures

    def save(self, record):
        if record.state != "RUNNING" and self.left:
            self.left -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        super().save(record)


def test_a_full_disk_costs_time_and_nothing_else(make, monkeypatch):
    monkeypatch.setattr("hpo.system.retry._RETRY_SECONDS", 0.0)
    hearer, store = Hearer(), FullDisk(failures=4)
    records = make(store=store, listener=hearer, trials=3).run()
    assert [record.state for record in records] == ["COMPLETE"] * 3
    assert sum("cannot write" in text for text in hearer.texts()) == 1
    assert sum("writing again" in text for text in hearer.texts()) == 1


def test_an_epochs_score_that_cannot_be_written_does_not_end_its_trial(make):
    class Unreported(MemoryStore):
        def report(self, number, step, value):
            raise OSError(errno.ENOSPC, "No space left on device")

    (record,) = make(store=Unreported(), trials=1).run()
    assert record.state == "COMPLETE"


def test_a_stop_ends_the_wait_for_a_full_disk(make):
    stop = StopFlag()
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    assert make(store=FullDisk(failures=10**6), stop=stop, trials=3).run() == []
    assert time.monotonic() - started < 3


def test_several_workers_share_a_study(make):
    def slow(seed, before):
        time.sleep(0.01)
        return [0.5]

    executor = ScriptedExecutor(slow)
    records = make(executor=executor, workers=4, trials=12).run()
    assert [record.trial_number for record in records] == list(range(12))
    assert len({job.seed for job in executor.jobs}) == 12


def test_a_bug_of_its_own_is_raised(make):
    class Breaks(Hearer):
        def told(self, event):
            raise RuntimeError("listener broke")

    with pytest.raises(RuntimeError, match="listener broke"):
        make(listener=Breaks(), trials=3).run()


def test_only_the_best_keep_their_weights(make, context):
    scores = iter([0.5, 0.3, 0.4, 0.2])

    class Writes(ScriptedExecutor):
        def finished(self, job, curve, reason):
            job.weights.parent.mkdir(parents=True, exist_ok=True)
            job.weights.touch()
            job.weights.with_name("config.json").touch()
            return super().finished(job, curve, reason)

    make(executor=Writes(lambda seed, before: [next(scores)]), trials=4, keep=2).run()
    folders = sorted(path.name for path in context.files.folder.glob("checkpoints/*"))
    assert folders == ["trial_0001", "trial_0003"]
    kept = sorted(path.parent.name for path in context.files.folder.glob("checkpoints/*/model.safetensors"))
    assert kept == folders
