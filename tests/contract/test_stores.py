"""What every store promises; a new one is a line in STORES."""

import threading

import pytest
from fakes import MemoryStore, Place

from hpo.store.database import create_study, open_storage
from hpo.store.layout import ExperimentFiles
from hpo.store.local import LocalStore
from hpo.study.config import StudyConfig
from hpo.trial.state import State


class MemoryPlace:
    """Stores in memory, and how to open another on the same records."""

    def __init__(self, folder):
        self.place = Place()

    def open(self):
        return MemoryStore(self.place)

    def close(self):
        pass


class LocalPlace:
    """Files and SQLite in a folder; each store is opened as another process would."""

    def __init__(self, folder):
        self.files = ExperimentFiles(out=folder, experiment="study")
        self.opened = []

    def open(self):
        self.opened.append(open_storage(f"sqlite:///{self.files.out}/studies.db"))
        database = self.opened[-1].__enter__()
        store = LocalStore(create_study(database, "study", "minimize", StudyConfig().identity()), self.files)
        store.open()
        return store

    def close(self):
        for opened in self.opened:
            opened.__exit__(None, None, None)


STORES = {"memory": MemoryPlace, "local": LocalPlace}


@pytest.fixture(params=STORES)
def place(request, tmp_path):
    place = STORES[request.param](tmp_path)
    yield place
    place.close()


@pytest.fixture
def intent(record):
    """Proposes the intent of a new trial; ended() is how it ends."""
    fields = {"experiment": "study", "study_name": "study", "state": State.RUNNING, "value": None}
    fields |= {"datetime_complete": None, "duration_seconds": None, "metrics": None, "flags": []}
    fields |= {"intermediate_values": {}, "learning_curve": [], "naive": record.naive}

    def propose(number):
        origin = f"forced:dropout:{number}"
        changes = {"trial_number": number, "origin": origin, "user_attrs": {"origin": origin}}
        return record.updated(**fields, **changes)

    return propose


@pytest.fixture
def ended(record):
    def end(intent, value=0.25):
        kept = ("experiment", "study_name", "trial_number", "origin", "user_attrs", "resumed")
        changes = {name: getattr(intent, name) for name in kept}
        return record.updated(**changes, value=value)

    return end


def test_numbers_are_given_in_order_and_intents_are_kept_at_once(place, intent):
    store = place.open()
    claims = [store.claim(intent) for _ in range(3)]
    assert [claim.record.trial_number for claim in claims] == [0, 1, 2]
    assert not any(claim.is_resumed for claim in claims)
    assert list(place.open().history) == [claim.record for claim in claims]


def test_a_claimed_trial_is_nobody_elses(place, intent):
    ours, theirs = place.open(), place.open()
    first = ours.claim(intent)
    assert theirs.claim(intent).record.trial_number != first.record.trial_number


def test_an_interrupted_trial_comes_before_a_new_one_and_under_its_own_number(place, intent):
    ours, theirs = place.open(), place.open()
    first, second = ours.claim(intent), ours.claim(intent)
    first.release()
    again = theirs.claim(intent)
    assert (again.is_resumed, again.record.trial_number) == (True, first.record.trial_number)
    assert again.record.params == first.record.params
    assert ours.claim(intent).record.trial_number == second.record.trial_number + 1


def test_what_ended_is_seen_by_all_and_claimed_by_none(place, intent, ended):
    ours, theirs = place.open(), place.open()
    claim = ours.claim(intent)
    record = ended(claim.record)
    ours.save(record)
    claim.release()
    theirs.refresh()
    assert list(theirs.history) == list(ours.history) == [record]
    assert theirs.claim(intent).record.trial_number == 1
    assert place.open().history.get(0) == record


def test_another_attempts_intent_is_kept(place, intent):
    store = place.open()
    claim = store.claim(intent)
    store.save(claim.record.updated(resumed=1))
    claim.release()
    again = place.open().claim(intent)
    assert (again.is_resumed, again.record.resumed) == (True, 1)


def test_a_report_does_not_end_a_trial(place, intent, ended):
    store = place.open()
    claim = store.claim(intent)
    store.report(0, 1, 0.5)
    store.report(0, 1, 0.5)
    assert store.history.open_numbers == [0]
    store.save(ended(claim.record))
    assert place.open().history.get(0) == ended(claim.record)


def test_a_study_that_has_enough_trials_gives_none(place):
    store = place.open()
    assert store.claim(lambda number: None) is None
    assert len(store.history) == len(place.open().history) == 0


def test_a_proposal_that_fails_leaves_nothing(place, intent):
    store = place.open()

    def fail(number):
        raise RuntimeError("no idea")

    with pytest.raises(RuntimeError):
        store.claim(fail)
    assert store.claim(intent).record.trial_number == 0


def test_threads_and_stores_never_share_a_number(place, intent, ended):
    numbers, mutex = [], threading.Lock()

    def work(store):
        while (claim := store.claim(lambda n: intent(n) if n < 24 else None)) is not None:
            with mutex:
                numbers.append(claim.record.trial_number)
            store.save(ended(claim.record))
            claim.release()

    threads = [
        threading.Thread(target=work, args=[store])
        for store in (place.open(), place.open())
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(24))
    assert [record.state for record in place.open().history] == ["COMPLETE"] * 24
