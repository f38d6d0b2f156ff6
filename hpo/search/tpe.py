"""The search space in Optuna's words, and the sampler that searches it."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.models.space import Choice, Dimension, Float, Space


def to_distribution(dimension: Dimension) -> BaseDistribution:
    """Translate one search dimension."""
    if isinstance(dimension, Float):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.values)
    return IntDistribution(dimension.low, dimension.high, log=dimension.log)


def to_distributions(space: Space) -> dict[str, BaseDistribution]:
    """Translate a search space."""
    return {name: to_distribution(dimension) for name, dimension in space.items()}


def trial_seed(seed: int, number: int, *more: int) -> int:
    """The seed of one trial, from the study's seed and the trial's number.

    A sampler or a network seeded with the study's seed alone would repeat itself in every trial and after
    every resume.
    """
    return int(np.random.SeedSequence([seed, number, *more]).generate_state(1, np.uint32)[0] & 0x7FFFFFFF)


class TrialSeededTPESampler(BaseSampler):
    """TPE that draws each trial from its own random stream.

    What it suggests for trial n depends on the study's seed, n and the finished trials, and not on which
    process asks or how often the study was resumed. Random sampling until ``n_startup_trials`` trials have
    finished.
    """

    def __init__(self, seed: int, n_startup_trials: int) -> None:
        """Take the study's seed and the number of trials before TPE takes over."""
        self._seed = seed
        self._n_startup_trials = n_startup_trials
        self._sampler: BaseSampler = RandomSampler(seed=seed)

    def is_startup(self, study: Study) -> bool:
        """Whether the next trial is still sampled at random."""
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return len(study.get_trials(deepcopy=False, states=states)) < self._n_startup_trials

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed the sampler for this trial."""
        seed = trial_seed(self._seed, trial.number)
        self._sampler = TPESampler(seed=seed, n_startup_trials=self._n_startup_trials, multivariate=True)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As TPE does."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As TPE does."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As TPE does, from a stream of the parameter's own.

        A trial that was killed between two of its parameters is asked for the rest only: what they are must
        not depend on how many were drawn before.
        """
        seed = trial_seed(self._seed, trial.number, zlib.crc32(param_name.encode()))
        sampler = TPESampler(seed=seed, n_startup_trials=self._n_startup_trials, multivariate=True)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """As TPE does."""
        self._sampler.after_trial(study, trial, state, values)
