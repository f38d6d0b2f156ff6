import pytest

from hpo.models.space import Choice, Float, Int
from hpo.search.tpe import Tpe, to_distributions, trial_seed
from hpo.trial.history import History

SPACE = {
    "a": Float(1e-5, 1e-1, log=True),
    "b": Choice((True, False)),
    "c": Int(1, 9),
    "d": Choice((32, 64, 128)),
    "e": Choice(("only",)),
}


@pytest.fixture
def ended(record):
    """Makes the record of a trial that ended with a value."""

    def make(number, suggestion, value):
        fields = {
            "trial_number": number,
            "state": "COMPLETE",
            "value": value,
            "params": dict(suggestion.params),
            "distributions": dict(suggestion.distributions),
            "origin": suggestion.origin,
            "constraints": {},
        }
        return record.updated(**fields)

    return make


def value_of(params):
    return params["a"] + params["c"] * 0.1 + (0.5 if params["b"] else 0.0)


def run(ended, n_trials, seed=0, n_startup_trials=5, parts=None):
    """Search with one searcher, or with a new one for each of some parts."""
    history = History()
    for part in parts or [n_trials]:
        tpe = Tpe(SPACE, "minimize", seed, n_startup_trials)
        for _ in range(part):
            number = len(history)
            suggestion = tpe.suggest(number, history)
            history.put(ended(number, suggestion, value_of(suggestion.params)))
    return list(history)


def params_of(records):
    return [record.params for record in records]


def test_a_resumed_search_suggests_what_an_unbroken_one_does(ended):
    assert params_of(run(ended, 16, parts=(3, 4, 1, 8))) == params_of(run(ended, 16))


def test_the_same_arguments_give_the_same_suggestion(ended):
    records = run(ended, 12)
    tpe = Tpe(SPACE, "minimize", 0, 5)
    first = tpe.suggest(12, History(records))
    other = tpe.suggest(30, History(records[:4]))
    assert tpe.suggest(12, History(records)) == first != other


def test_suggestions_are_whole_and_say_where_they_come_from(ended):
    records = run(ended, 12)
    assert all(record.params.keys() == SPACE.keys() == record.distributions.keys() for record in records)
    assert [record.origin for record in records] == ["startup"] * 5 + ["tpe"] * 7


def test_no_two_trials_and_no_two_seeds_repeat(ended):
    params = params_of(run(ended, 12))
    assert len({repr(p) for p in params}) == 12
    assert params_of(run(ended, 1, seed=1))[0] != params[0]
    assert len({trial_seed(seed, number) for seed in range(50) for number in range(50)}) == 2500


def test_tpe_finds_better_than_random(ended):
    wins = 0
    for seed in range(5):
        guided = run(ended, 40, seed=seed)
        chance = run(ended, 40, seed=seed, n_startup_trials=10_000)
        mean = [sum(record.value for record in records[20:]) / 20 for records in (guided, chance)]
        wins += mean[0] < mean[1]
    assert wins >= 4


@pytest.mark.parametrize("name", SPACE)
def test_bounds_survive_the_translation(name):
    dimension, distribution = SPACE[name], to_distributions(SPACE)[name]
    if isinstance(dimension, Choice):
        assert distribution.choices == dimension.values
    else:
        assert (distribution.low, distribution.high) == (dimension.low, dimension.high)
        assert distribution.log == dimension.log
