"""In memory, TPE suggests what it did when Optuna's database was asked: over histories of all kinds."""

import zlib

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from hpo.engine.context import make_context
from hpo.models.base import ForecastShape
from hpo.search.plan import make_plan
from hpo.search.tpe import Tpe, to_distributions, trial_seed
from hpo.study.catalogue import get_family
from hpo.study.config import build_config
from hpo.trial.history import History

SHAPE = ForecastShape(context_length=24, n_channels=2, n_outputs=1)
N_STARTUP = 8


class SamplerOfBefore(BaseSampler):
    """The sampler as it was while suggestions were drawn in the database, one parameter after another."""

    def __init__(self, seed, n_startup_trials):
        self.seed, self.n_startup_trials = seed, n_startup_trials
        self.sampler = RandomSampler(seed=seed)

    def before_trial(self, study, trial):
        seed = trial_seed(self.seed, trial.number)
        self.sampler = TPESampler(seed=seed, n_startup_trials=self.n_startup_trials, multivariate=True)
        self.sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study, trial):
        return self.sampler.infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, name, distribution):
        seed = trial_seed(self.seed, trial.number, zlib.crc32(name.encode()))
        sampler = TPESampler(seed=seed, n_startup_trials=self.n_startup_trials, multivariate=True)
        return sampler.sample_independent(study, trial, name, distribution)


class Recorder:
    """A study in a database of Optuna's, and the records of the same trials beside it."""

    def __init__(self, plan, record, direction, url):
        self.plan, self.record = plan, record
        self.study = optuna.create_study(
            storage=url, direction=direction, sampler=SamplerOfBefore(3, N_STARTUP)
        )
        self.tpe = Tpe(plan.space, direction, 3, N_STARTUP)
        self.history = History()
        self.running = {}

    def ask(self):
        """A trial as before, and the point that the records suggest for it."""
        number = len(self.history)
        suggestion = self.tpe.suggest(number, self.history)
        trial = self.study.ask(to_distributions(self.plan.space))
        fields = {"trial_number": number, "state": "RUNNING", "value": None, "constraints": {}}
        fields |= {"params": trial.params, "distributions": dict(suggestion.distributions)}
        fields |= {"datetime_complete": None, "duration_seconds": None}
        record = self.record.updated(**fields, intermediate_values={})
        self.history.put(record)
        self.running[number] = trial, record
        return trial.params, suggestion.params

    def end(self, number, state, value, scores=(), constraints=None):
        """End a trial in both."""
        trial, record = self.running.pop(number)
        for step, score in enumerate(scores, start=1):
            trial.report(score, step)
        for name, violation in (constraints or {}).items():
            trial.set_constraint(name, violation)
        told = None if state == "FAIL" or value is None else value
        if state == "PRUNED":
            told = None  # Optuna takes the last score
        self.study.tell(trial, told, TrialState[state])
        fields = {"state": state, "value": value, "constraints": constraints or {}}
        scores = dict(enumerate(scores, start=1))
        self.history.put(record.updated(**fields, intermediate_values=scores))


@pytest.fixture(params=["minimize", "maximize"])
def recorder(request, record, tmp_path):
    plan = make_plan(get_family("psann"), SHAPE, (20_000, 40_000))
    return Recorder(plan, record, request.param, f"sqlite:///{tmp_path}/before.db")


def end_somehow(recorder, number, rng):
    """Completed, pruned after some epochs or before any, infeasible, failed."""
    kind, value = (
        rng.choice(["complete", "complete", "complete", "pruned", "infeasible", "bug"]),
        rng.random(),
    )
    scores = [value + 0.1, value]
    if kind == "complete":
        recorder.end(number, "COMPLETE", value, scores)
    elif kind == "pruned":
        recorder.end(number, "PRUNED", value, scores)
    elif kind == "infeasible":
        recorder.end(number, "PRUNED", None, constraints={"diverged": 1.0})
    else:
        recorder.end(number, "FAIL", None)


@pytest.mark.parametrize("seed", range(2))
def test_one_after_another(recorder, seed):
    rng = np.random.default_rng(seed)
    for number in range(30):
        before, now = recorder.ask()
        assert now == before, number
        end_somehow(recorder, number, rng)


def test_with_several_that_run_at_a_time(recorder):
    """Trials that run count as bad, and end in another order than they began in."""
    rng = np.random.default_rng(5)
    for number in range(30):
        before, now = recorder.ask()
        assert now == before, number
        while len(recorder.running) > rng.integers(1, 5):
            end_somehow(recorder, rng.choice(list(recorder.running)), rng)


def test_the_forced_configs_of_a_study_are_points_of_its_space():
    context = make_context(build_config({"data": "periodic", "model": "mlp", "budget": "20k", "limit": 100}))
    for forced in context.plan.forced:
        assert forced.params.keys() == context.plan.space.keys()
