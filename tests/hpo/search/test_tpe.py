import optuna
import pytest

from hpo.models.space import Choice, Float, Int
from hpo.search.tpe import TrialSeededTPESampler, to_distributions, trial_seed

SPACE = {
    "a": Float(1e-5, 1e-1, log=True),
    "b": Choice((True, False)),
    "c": Int(1, 9),
    "d": Choice((32, 64, 128)),
}


def value_of(params):
    return params["a"] + params["c"] * 0.1 + (0.5 if params["b"] else 0.0)


def run(study, n_trials, seed=0):
    study.sampler = TrialSeededTPESampler(seed, n_startup_trials=5)
    for _ in range(n_trials):
        trial = study.ask(to_distributions(SPACE))
        study.tell(trial, value_of(trial.params))
    return [trial.params for trial in study.trials]


def test_a_resumed_search_suggests_what_an_unbroken_one_does():
    unbroken = run(optuna.create_study(), 16)
    resumed = optuna.create_study()
    for part in (3, 4, 1, 8):
        params = run(resumed, part)
    assert params == unbroken


def test_no_two_trials_and_no_two_seeds_repeat():
    params = run(optuna.create_study(), 12)
    assert len({repr(p) for p in params}) == 12
    assert run(optuna.create_study(), 12, seed=1)[0] != params[0]
    assert len({trial_seed(seed, number) for seed in range(50) for number in range(50)}) == 2500


def test_tpe_finds_better_than_random():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    wins = 0
    for seed in range(5):
        guided, chance = optuna.create_study(), optuna.create_study()
        guided.sampler = TrialSeededTPESampler(seed, n_startup_trials=5)
        chance.sampler = TrialSeededTPESampler(seed, n_startup_trials=10_000)
        for study in (guided, chance):
            for _ in range(40):
                trial = study.ask(to_distributions(SPACE))
                study.tell(trial, value_of(trial.params))
        mean = [sum(t.value for t in study.trials[20:]) / 20 for study in (guided, chance)]
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
