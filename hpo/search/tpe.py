"""TPE (Bergstra et al., NeurIPS 2011) in memory: from records to the next point, by Optuna's sampler.

What it suggests for a trial depends on the study's seed, the trial's number and the records alone, not on
which process asks or how often the study was resumed.
"""

import json
import zlib
from collections.abc import Container, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.models.space import Choice, Dimension, Float, Space
from hpo.search.searcher import Suggestion
from hpo.system.quiet import quiet
from hpo.trial.history import History
from hpo.trial.origin import STARTUP, TPE
from hpo.trial.record import TrialRecord

_STUDY = "search"


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


class Tpe:
    """Multivariate TPE over a fixed space; random until ``n_startup_trials`` trials have ended.

    A trial that failed teaches nothing; one that diverged or ran out of memory is known to be infeasible;
    one that still runs counts as bad, so that workers do not all try the same.
    """

    def __init__(self, space: Space, direction: str, seed: int, n_startup_trials: int) -> None:
        """Take the space, the objective's direction, the study's seed, and when TPE takes over."""
        self._distributions = to_distributions(space)
        self._json = {
            name: json.loads(distribution_to_json(distribution))
            for name, distribution in self._distributions.items()
        }
        self._seed = seed
        self._n_startup_trials = n_startup_trials
        self._past = _Past()
        with quiet("optuna"):
            self._past.create_new_study([_DIRECTIONS[direction]], _STUDY)
        self._known: dict[int, tuple[TrialRecord, FrozenTrial]] = {}
        # What all trials share is the whole space, unless one has another: Optuna would compare them all.
        self._joint = {name: d for name, d in sorted(self._distributions.items()) if not d.single()}
        self._foreign: set[int] = set()

    @property
    def distributions(self) -> dict[str, dict[str, Any]]:
        """The space in Optuna's JSON."""
        return self._json

    def suggest(self, number: int, history: History) -> Suggestion:
        """Draw a trial's point."""
        self._past.trials = [self._trial(record) for record in history]
        n_ended = sum(trial.state in _ENDED for trial in self._past.trials)
        origin = STARTUP if n_ended < self._n_startup_trials else TPE
        # A study of its own each time: Optuna's keeps the trials that it has seen.
        study = optuna.load_study(study_name=_STUDY, storage=self._past)
        trial = create_trial(state=TrialState.RUNNING)
        trial.number = number
        sampler = self._sampler(trial_seed(self._seed, number))
        sampler.before_trial(study, trial)
        if n_ended and not self._foreign:
            joint = self._joint
        else:
            joint = sampler.infer_relative_search_space(study, trial)
        relative = sampler.sample_relative(study, trial, joint)
        params = {}
        for name, distribution in self._distributions.items():
            if distribution.single():
                params[name] = _only_value(distribution)
                continue
            if name in relative:
                params[name] = relative[name]
                continue
            # From a stream of the parameter's own: what it is depends on no other's.
            alone = self._sampler(trial_seed(self._seed, number, zlib.crc32(name.encode())))
            params[name] = alone.sample_independent(study, trial, name, distribution)
        return Suggestion(params=params, distributions=self._json, origin=origin)

    def _sampler(self, seed: int) -> TPESampler:
        return TPESampler(seed=seed, n_startup_trials=self._n_startup_trials, multivariate=True)

    def _trial(self, record: TrialRecord) -> FrozenTrial:
        """A record as Optuna has it; made once."""
        known = self._known.get(record.trial_number)
        if known is not None and known[0] is record:
            return known[1]
        trial = FrozenTrial(
            number=record.trial_number,
            state=TrialState[record.state],
            value=record.value,
            datetime_start=record.datetime_start,
            datetime_complete=record.datetime_complete,
            params=dict(record.params),
            distributions={name: self._distribution(name, record) for name in record.params},
            user_attrs={},
            system_attrs={},
            intermediate_values=dict(record.intermediate_values),
            trial_id=record.trial_number,
        )
        if record.distributions != self._json:
            self._foreign.add(record.trial_number)
        for name, violation in record.constraints.items():
            trial.set_constraint(name, violation)
        self._known[record.trial_number] = record, trial
        return trial

    def _distribution(self, name: str, record: TrialRecord) -> BaseDistribution:
        fields = record.distributions[name]
        if fields == self._json.get(name):
            return self._distributions[name]
        return json_to_distribution(json.dumps(fields))


def _only_value(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return distribution.low


_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
_DIRECTIONS = {
    "minimize": optuna.study.StudyDirection.MINIMIZE,
    "maximize": optuna.study.StudyDirection.MAXIMIZE,
}


class _Past(InMemoryStorage):
    """A storage that shows a sampler the trials it is given, and takes no note of what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.trials: Sequence[FrozenTrial] = ()

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The given trials, which no sampler changes."""
        del study_id, deepcopy
        return [trial for trial in self.trials if states is None or trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """TPE's notes for other processes, which ask the records instead."""
