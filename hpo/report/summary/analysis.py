"""From the records of a study to the numbers and the words of its summary. It reads no file."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import TypeVar

from hpo.report.evidence import Evidence
from hpo.report.summary.answer import find_answer
from hpo.report.summary.classification import confusion, intervals
from hpo.report.summary.findings import find_findings
from hpo.report.summary.groups import (
    by_budget,
    by_depth,
    by_origin,
    by_width,
    forced_comparisons,
)
from hpo.report.summary.importance import sensitivity
from hpo.report.summary.schema import (
    Alike,
    Analysis,
    Best,
    FlagCount,
    Overview,
    Problem,
    Reference,
    Summary,
)
from hpo.report.summary.spread import closeness, distribution
from hpo.trial.columns import Row, row_values
from hpo.trial.record import ClassCounts, ConfusionMatrix, TrialRecord, rank, ranked_references
from hpo.trial.state import State

T = TypeVar("T")


def analyse(records: Iterable[TrialRecord], evidence: Evidence | None = None) -> Summary:
    """Sum up a study.

    Args:
        records: Its trials, in any order; at least one.
        evidence: What their losses a window say; None where there are none.

    Raises:
        ValueError: There is no record.
    """
    trials = sorted(records, key=lambda record: record.trial_number)
    if not trials:
        raise ValueError("a summary needs at least one trial, got none")
    done = rank(trials)
    best = _best(done[0]) if done else None
    analysis = Analysis(
        overview=_overview(trials),
        best=best,
        references=_references(done[0] if done else trials[-1], best),
        verdict=evidence.verdict if evidence else None,
        alike=Alike(trials=list(evidence.alike), tested=evidence.tested) if evidence else None,
        closeness=closeness(done),
        by_budget=by_budget(trials),
        by_depth=by_depth(trials),
        by_width=by_width(trials),
        by_origin=by_origin(trials),
        forced=forced_comparisons(trials),
        sensitivity=sensitivity(trials),
        distribution=distribution(done),
        flags=_flags(trials),
        problems=[_problem(record) for record in trials if record.failure is not None],
        trials=_rows(trials, done),
    )
    return Summary(**dict(analysis), answer=find_answer(analysis), findings=find_findings(analysis))


def _overview(trials: Sequence[TrialRecord]) -> Overview:
    first = trials[0]
    states = Counter(record.state for record in trials)
    ends = [record.datetime_complete for record in trials if record.datetime_complete is not None]
    seconds = [record.duration_seconds for record in trials if record.duration_seconds is not None]
    return Overview(
        experiment=first.experiment,
        study_name=first.study_name,
        objective=first.objective,
        score=first.objective.metric_in(first.naive.metrics),
        data=_distinct(record.data for record in trials),
        split=first.split,
        families=_distinct(record.architecture.family for record in trials),
        budgets=sorted({record.architecture.parameter_budget for record in trials}),
        trials=len(trials),
        states={state: states[state] for state in State if states[state]},
        origins=dict(Counter(record.origin.kind for record in trials)),
        total_seconds=sum(seconds),
        median_seconds=median(seconds) if seconds else None,
        first_start=min(record.datetime_start for record in trials),
        last_end=max(ends) if ends else None,
        devices=_distinct(record.resources.device for record in trials),
        code=_distinct(record.code for record in trials),
    )


def _best(record: TrialRecord) -> Best:
    assert record.value is not None
    matrix = record.confusion_matrix
    val = record.metrics.val if record.metrics else {}
    return Best(
        trial_number=record.trial_number,
        origin=record.origin,
        value=record.value,
        value_std=record.value_std,
        folds=record.folds,
        skill=record.naive.skill,
        reference=record.naive.name,
        reference_score=record.objective.score(record.naive.metrics),
        seed=record.seed,
        architecture=record.architecture,
        training=record.training,
        params=record.params,
        metrics=record.metrics,
        # A mean over folds has no interval from their counts together.
        intervals=intervals(matrix, val) if isinstance(matrix, ConfusionMatrix) and not record.folds else {},
        confusion=confusion(matrix, bool(record.folds)) if isinstance(matrix, ConfusionMatrix) else None,
        class_counts=matrix if isinstance(matrix, ClassCounts) else None,
        flags=record.flags,
        resources=record.resources,
        duration_seconds=record.duration_seconds,
    )


def _references(record: TrialRecord, best: Best | None) -> list[Reference]:
    """All references, best first; a naive forecast that the references leave out comes with them."""
    metrics = {record.naive.name: record.naive.metrics} | record.references
    scores: dict[str, float | None] = dict(ranked_references(record))
    scores |= {name: None for name in sorted(metrics) if name not in scores}
    return [
        Reference(
            name=name,
            score=score,
            metrics=metrics[name],
            skill_of_best=record.objective.skill(best.value, score) if best and score is not None else None,
        )
        for name, score in scores.items()
    ]


def _flags(trials: Sequence[TrialRecord]) -> dict[str, FlagCount]:
    """Trials by flag, by its name: near-duplicates of whatever trial count together."""
    carried = [(flag.name, record) for record in trials for flag in record.flags if flag.name]
    return {
        name: FlagCount(
            trials=sum(flag == name for flag, _ in carried),
            completed=sum(flag == name and record.state == State.COMPLETE for flag, record in carried),
        )
        for name in sorted({flag for flag, _ in carried})
    }


def _problem(record: TrialRecord) -> Problem:
    assert record.failure is not None
    return Problem(
        trial_number=record.trial_number,
        state=record.state,
        type=record.failure.type,
        message=record.failure.message,
    )


def _rows(trials: Sequence[TrialRecord], done: Sequence[TrialRecord]) -> list[Row]:
    """Best first, then completed without a value, pruned, failed and running ones by number."""
    ranked = {record.trial_number for record in done}
    rest = [record for record in trials if record.trial_number not in ranked]
    order = list(State)
    return [_row(record) for record in [*done, *sorted(rest, key=lambda r: order.index(r.state))]]


def _row(record: TrialRecord) -> Row:
    values = row_values(record)
    if record.state != State.COMPLETE:  # its value may be its last, its skill is that of its best
        values["skill"] = None
    return Row(**values)


def _distinct(items: Iterable[T]) -> list[T]:
    """The items in their order, without repeats."""
    seen: list[T] = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen
