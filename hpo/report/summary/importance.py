"""Which parameters the objective goes with: PED-ANOVA importance and rank correlations.

Both speak of the trials that were run, and the sampler drew those towards good values: they show association,
not effect.
"""

import json
import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import optuna
from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, create_trial
from scipy.stats import false_discovery_control, spearmanr

from hpo.models.apart import undisturbed
from hpo.report.summary.schema import ParamSensitivity, Sensitivity
from hpo.system.quiet import quiet
from hpo.trial.record import TrialRecord, rank

MIN_TRIALS = 10
"""With fewer completed trials than this, the best tenth is less than one trial."""

TOP_SHARE = 0.1
"""The share of trials that PED-ANOVA, by its default, holds against all."""

Direction: TypeAlias = Literal["minimize", "maximize"]


def sensitivity(records: Sequence[TrialRecord]) -> Sensitivity:
    """Importance and rank correlation of each parameter over the completed trials.

    Importance is Optuna's default, PED-ANOVA (Watanabe et al., IJCAI 2023): how differently a parameter is
    distributed in the best tenth of the trials and in all of them.
    """
    trials = [trial for record in rank(list(records)) if (trial := _trial(record)) is not None]
    values = [trial.values[0] for trial in trials]
    names = sorted({name for trial in trials for name in trial.params})
    varied = [name for name in names if len({t.params[name] for t in trials if name in t.params}) > 1]
    left_out = [name for name in names if name not in varied]
    reason, n_top, params = None, 0, []
    if len(trials) < MIN_TRIALS:
        reason = f"it takes {MIN_TRIALS} completed trials, and there are {len(trials)}"
    elif min(values) == max(values):
        reason = f"all {len(trials)} completed trials score the same"
    elif not varied:
        reason = "no parameter took more than one value"
    else:
        n_top, params = _n_top(values), _params(trials, varied, records[0].objective.direction)
    return Sensitivity(reason=reason, n_trials=len(trials), n_top=n_top, params=params, left_out=left_out)


def _trial(record: TrialRecord) -> FrozenTrial | None:
    """The trial as Optuna has it, with the parameters that had a say in it.

    A weight decay that is switched off has none. None where a value lies outside its distribution, which
    Optuna allows an enqueued trial but not a rebuilt one.
    """
    off = record.params.get("use_weight_decay") is False
    params = {name: value for name, value in record.params.items() if not (off and name == "weight_decay")}
    try:
        distributions = {n: json_to_distribution(json.dumps(record.distributions[n])) for n in params}
        return create_trial(params=params, distributions=distributions, value=record.value)
    except (KeyError, ValueError):
        return None


def _n_top(values: Sequence[float]) -> int:
    """How many trials are as good as the last of the best tenth; values come best first."""
    cutoff = values[math.ceil(TOP_SHARE * len(values)) - 1]
    return max(i for i, value in enumerate(values, start=1) if value == cutoff)


def _params(
    trials: Sequence[FrozenTrial], names: Sequence[str], direction: Direction
) -> list[ParamSensitivity]:
    importances = _importances(trials, names, direction)
    correlations = {name: found for name in names if (found := _correlation(trials, name)) is not None}
    p_values = [p for _, p in correlations.values()]
    adjusted = dict(zip(correlations, false_discovery_control(p_values), strict=True)) if p_values else {}
    rows = []
    for name in names:
        rho, p = correlations.get(name, (None, None))
        rows.append(
            ParamSensitivity(
                name=name,
                importance=importances[name],
                n=sum(name in trial.params for trial in trials),
                spearman=rho,
                p_value=p,
                p_adjusted=float(adjusted[name]) if name in adjusted else None,
            )
        )
    return sorted(rows, key=lambda row: (-row.importance, row.name))


def _correlation(trials: Sequence[FrozenTrial], name: str) -> tuple[float, float] | None:
    """Spearman's rho with the objective, and its p-value.

    None for what is not a number, for too few trials, and where one side does not vary.
    """
    pairs = [(trial.params[name], trial.values[0]) for trial in trials if name in trial.params]
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x, _ in pairs):
        return None
    if len(pairs) < MIN_TRIALS or any(len(set(side)) < 2 for side in zip(*pairs, strict=True)):
        return None
    result = spearmanr(*zip(*pairs, strict=True))
    return float(result.statistic), float(result.pvalue)


def _importances(
    trials: Sequence[FrozenTrial], names: Sequence[str], direction: Direction
) -> dict[str, float]:
    # Optuna warns of regimes with few trials, which the page gives in words.
    with quiet("optuna"), undisturbed(Warning):
        study = optuna.create_study(direction=direction)
        study.add_trials(trials)
        # Names in a fixed order, or ties would come out by the process's hash seed.
        return optuna.importance.get_param_importances(study, params=list(names))
