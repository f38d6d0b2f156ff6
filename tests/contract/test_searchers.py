"""What every searcher promises: those of the catalogue, and one that is no study's."""

from dataclasses import dataclass

import pytest
from fakes import epochs, make_tpe

from hpo.engine.intent import intent_record
from hpo.search.searcher import RunningTrial, Suggestion, Verdict
from hpo.search.searchers import SEARCHERS, SearchSettings, make_searcher
from hpo.trial.history import History


@dataclass
class Fixed:
    """Tries one point again and again, and ends nothing."""

    suggestion: Suggestion

    def suggest(self, number, history):
        return self.suggestion

    def judge(self, trial, history):
        return Verdict.CONTINUE


@pytest.fixture(params=[*SEARCHERS, "fixed"])
def make(request, small_study):
    """Makes a searcher anew, as another process would."""
    if request.param == "fixed":
        forced = small_study.plan.forced[0]
        distributions = make_tpe(small_study).distributions
        suggestion = Suggestion(params=forced.params, distributions=distributions, origin="enqueued")
        return lambda seed=0: Fixed(suggestion)

    def build(seed=0):
        settings = SearchSettings(
            plan=small_study.plan, direction="minimize", seed=seed, n_startup_trials=4, prune_warmup=1
        )
        return make_searcher(request.param, settings)

    return build


@pytest.fixture
def search(small_study, record):
    """Lets a searcher run for a number of trials; their values are made up."""

    def run(searcher, n_trials, history):
        for _ in range(n_trials):
            number = len(history)
            suggestion = searcher.suggest(number, history)
            intent = intent_record(small_study, number, suggestion, record.datetime_start)
            kept = (
                "trial_number",
                "params",
                "distributions",
                "origin",
                "architecture",
                "training",
                "user_attrs",
            )
            changes = {name: getattr(intent, name) for name in kept}
            value = intent.training.learning_rate + intent.training.dropout
            history.put(record.updated(**changes, value=value))
        return history

    return run


def points(history):
    return [(record.origin, record.params) for record in history]


def test_suggestions_are_whole_points_of_the_space(make, search, small_study):
    for record in search(make(), 8, History()):
        assert record.params.keys() == record.distributions.keys() == small_study.plan.space.keys()
        assert record.origin
        small_study.plan.resolve(record.params, record.origin)


def test_the_same_arguments_give_the_same_answer_in_whatever_process(make, search):
    history = search(make(), 9, History())
    suggestion = make().suggest(9, history)
    searcher = make()
    searcher.suggest(3, History(list(history)[:3]))
    assert searcher.suggest(9, history) == searcher.suggest(9, History(history)) == suggestion


def test_a_search_that_was_broken_off_anywhere_goes_on_alike(make, search):
    whole = points(search(make(), 10, History()))
    history = History()
    for part in (1, 4, 2, 3):
        search(make(), part, history)
    assert points(history) == whole


def test_a_trial_is_judged_by_the_records_alone(make, search, record):
    history = search(make(), 6, History())
    curve = epochs([0.9, 0.9, 0.9])
    open_ones = {"state": "RUNNING", "value": None, "datetime_complete": None, "duration_seconds": None}
    running = record.updated(trial_number=6, origin="tpe", **open_ones)
    verdicts = {make().judge(RunningTrial(running, curve[:n]), history) for n in (1, 1)}
    assert len(verdicts) == 1
    assert verdicts <= set(Verdict)
