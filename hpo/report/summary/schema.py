"""The fields of ``<experiment>_study_summary.json``.

Scores are in the objective's units; null stands wherever the records do not hold a number.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hpo.scoring.evidence import Verdict
from hpo.scoring.objective import Objective
from hpo.trial.columns import Row
from hpo.trial.flags import Flag
from hpo.trial.origin import Origin
from hpo.trial.record import (
    Architecture,
    ClassCounts,
    Code,
    ConfusionMatrix,
    DataSource,
    FoldScore,
    Metrics,
    Part,
    Resources,
    Training,
)
from hpo.trial.state import State

SCHEMA_VERSION = 1


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class Overview(_Fields):
    """What was searched, on what, by which code.

    Attributes:
        score: The metric that is the objective, such as "log_loss"; null if no metric is.
        data: More than one entry means that the data changed while the study ran.
        origins: Trials by kind of origin: forced, startup, tpe, ...
        total_seconds: Sum over trials.
        median_seconds: Over trials that ended.
    """

    experiment: str
    study_name: str
    objective: Objective
    score: str | None
    data: list[DataSource]
    split: dict[str, Part]
    families: list[str]
    budgets: list[int]
    trials: int
    states: dict[State, int]
    origins: dict[str, int]
    total_seconds: float
    median_seconds: float | None
    first_start: datetime
    last_end: datetime | None
    devices: list[str]
    code: list[Code]


class Interval(_Fields):
    """An estimate with its 95 % interval, for windows taken as independent."""

    estimate: float
    low: float
    high: float
    method: Literal["Wilson", "Hanley-McNeil"]


class Confusion(ConfusionMatrix):
    """Validation counts at probability 0.5 and what follows from them.

    Attributes:
        base_rate: Share of windows that are positive.
        majority_accuracy: Accuracy of always predicting the more frequent class.
        hindsight_log_loss: Log-loss, in nats, of always forecasting the base rate: the best score of any
            constant, to be known only afterwards. Null for the counts of several folds.
        precision: Null where nothing is predicted positive.
        recall: Null where nothing is positive.
        f1: Null where both are.
    """

    base_rate: float
    majority_accuracy: float
    hindsight_log_loss: float | None
    accuracy: float
    precision: float | None
    recall: float | None
    f1: float | None


class Best(_Fields):
    """The best completed trial.

    Attributes:
        value_std: Standard deviation of the value between the folds of a walk-forward split.
        folds: Those folds.
        skill: The share of the way from the best naive forecast's score to a perfect one.
        reference: Name of the best naive forecast.
        intervals: By metric, where counts allow one; the objective has none, because records hold
            no loss per window.
    """

    trial_number: int
    origin: Origin
    value: float
    value_std: float | None
    folds: list[FoldScore]
    skill: float | None
    reference: str
    reference_score: float | None
    seed: int
    architecture: Architecture
    training: Training
    params: dict[str, bool | int | float | str | None]
    metrics: Metrics | None
    intervals: dict[str, Interval]
    confusion: Confusion | None
    class_counts: ClassCounts | None
    flags: list[Flag]
    resources: Resources
    duration_seconds: float | None


class Reference(_Fields):
    """A simple forecast on the same validation rows; ``skill_of_best`` is the best trial's against it."""

    name: str
    score: float | None
    metrics: dict[str, float]
    skill_of_best: float | None


class Group(_Fields):
    """Trials that share something, such as a depth; best and median are over its completed ones."""

    label: str
    parameter_budget: int | None
    trials: int
    completed: int
    best: float | None
    median: float | None
    best_trial: int | None


class ForcedComparison(_Fields):
    """A forced config beside the default config of its budget.

    Attributes:
        delta: Its value less the default's; null unless both completed.
        better: Whether it is the better of the two; null as above.
    """

    origin: Origin
    group: str
    name: str
    parameter_budget: int
    trial_number: int
    state: State
    value: float | None
    default_trial: int | None
    delta: float | None
    better: bool | None


class ParamSensitivity(_Fields):
    """How the objective goes with one parameter.

    Attributes:
        importance: PED-ANOVA; shares of 1 over all parameters.
        n: Completed trials in which the parameter acted.
        spearman: Rank correlation with the objective; above 0, larger values go with larger scores.
        p_value: Two-sided, of the correlation.
        p_adjusted: The same after Benjamini-Hochberg over all parameters.
    """

    name: str
    importance: float
    n: int
    spearman: float | None
    p_value: float | None
    p_adjusted: float | None


class Sensitivity(_Fields):
    """Parameters by importance.

    Attributes:
        reason: Why nothing is shown; null where something is.
        n_trials: Completed trials it rests on.
        n_top: Trials that count as the best tenth.
        left_out: Parameters that took one value only.
    """

    reason: str | None
    n_trials: int
    n_top: int
    params: list[ParamSensitivity]
    left_out: list[str]


class Distribution(_Fields):
    """Objective values of completed trials; ``std`` is the sample's (n - 1), null for one trial."""

    n: int
    min: float
    q1: float
    median: float
    q3: float
    max: float
    mean: float
    std: float | None


class Closeness(_Fields):
    """How near to each other the best trials lie, and what moves a score by chance.

    Attributes:
        n: Best trials compared, at most five.
        spread: The worst of them less the best, as a distance.
        epoch_change: Median change of their score from one epoch to the next.
        twins: Pairs of completed near-duplicates anywhere in the study.
        twin_difference: Median distance between the two values of such a pair.
    """

    n: int
    spread: float
    epoch_change: float | None
    twins: int
    twin_difference: float | None


class Alike(_Fields):
    """Trials that cannot be told from the best on these windows, by 95 % confidence.

    Attributes:
        trials: Their numbers, least mean loss first.
        tested: Of so many, those with the least mean loss.
    """

    trials: list[int]
    tested: int


class FlagCount(_Fields):
    """How many trials carry a flag, and how many of them completed."""

    trials: int
    completed: int


class Problem(_Fields):
    """A trial that failed, diverged or ran out of memory."""

    trial_number: int
    state: State
    type: str
    message: str


class Analysis(_Fields):
    """Every number of a summary."""

    schema_version: int = SCHEMA_VERSION
    overview: Overview
    best: Best | None
    references: list[Reference]
    verdict: Verdict | None = None
    alike: Alike | None = None
    closeness: Closeness | None
    by_budget: list[Group]
    by_depth: list[Group]
    by_width: list[Group]
    by_origin: list[Group]
    forced: list[ForcedComparison]
    sensitivity: Sensitivity
    distribution: Distribution | None
    flags: dict[str, FlagCount]
    problems: list[Problem]
    trials: list[Row]
    """Best first; ``skill`` is given for completed trials."""


class Finding(_Fields):
    """One plain sentence or two that follow from the numbers; ``topic`` is for programs."""

    topic: str
    text: str


class Summary(Analysis):
    """The numbers and what they say."""

    answer: str
    findings: list[Finding]
