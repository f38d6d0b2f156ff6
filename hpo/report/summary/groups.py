"""Trials grouped by depth, width, budget and origin, and the forced configs beside their default."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median

from hpo.report.summary.schema import ForcedComparison, Group
from hpo.system.counts import format_budget
from hpo.trial.origin import Origin
from hpo.trial.record import TrialRecord, rank
from hpo.trial.state import State

MAX_DISTINCT = 8
"""More distinct depths or widths than this are gathered between powers of two."""


def by_depth(records: Sequence[TrialRecord]) -> list[Group]:
    """Groups of equal depth within each budget, shallowest first."""
    return _by_size(records, lambda record: record.architecture.n_layers)


def by_width(records: Sequence[TrialRecord]) -> list[Group]:
    """Groups of equal width within each budget, narrowest first."""
    return _by_size(records, lambda record: record.architecture.d_model)


def by_budget(records: Sequence[TrialRecord]) -> list[Group]:
    """A group for each budget, smallest first."""
    budgets = sorted({record.architecture.parameter_budget for record in records})
    return [
        _group(format_budget(budget), budget, [r for r in records if _budget(r) == budget])
        for budget in budgets
    ]


def by_origin(records: Sequence[TrialRecord]) -> list[Group]:
    """A group for each origin, in the order in which they first appear."""
    members: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in records:
        members[record.origin.label].append(record)
    return [_group(label, None, group) for label, group in members.items()]


def forced_comparisons(records: Sequence[TrialRecord]) -> list[ForcedComparison]:
    """Each forced config beside the default config of its budget: the budget's shallow shape."""
    defaults: dict[int, TrialRecord] = {}
    for record in records:
        if record.origin == Origin.forced("architecture", f"{format_budget(_budget(record))}-shallow"):
            defaults.setdefault(_budget(record), record)
    return [_compare(record, defaults.get(_budget(record))) for record in records if record.origin.is_forced]


def bin_label(value: int) -> str:
    """The span between powers of two that holds a value: "64-127" for 100, "1" for 1."""
    low = 1 << (value.bit_length() - 1)
    return str(low) if low == 1 else f"{low}-{2 * low - 1}"


def _compare(record: TrialRecord, default: TrialRecord | None) -> ForcedComparison:
    value, base = _result(record), None
    if default is not None and default is not record:
        base = _result(default)
    delta = None if value is None or base is None else value - base
    return ForcedComparison(
        origin=record.origin,
        group=record.origin.group,
        name=record.origin.name,
        parameter_budget=_budget(record),
        trial_number=record.trial_number,
        state=record.state,
        value=record.value,
        default_trial=default.trial_number if default else None,
        delta=delta,
        better=None if delta is None else record.objective.sign * delta < 0,
    )


def _by_size(records: Sequence[TrialRecord], size: Callable[[TrialRecord], int]) -> list[Group]:
    few = len({size(record) for record in records}) <= MAX_DISTINCT
    members: dict[tuple[int, int], list[TrialRecord]] = defaultdict(list)
    for record in records:
        members[_budget(record), size(record) if few else size(record).bit_length()].append(record)
    return [
        _group(str(key[1]) if few else bin_label(size(group[0])), key[0], group)
        for key, group in sorted(members.items())
    ]


def _group(label: str, budget: int | None, records: list[TrialRecord]) -> Group:
    done = rank(records)
    values = [record.value for record in done if record.value is not None]
    return Group(
        label=label,
        parameter_budget=budget,
        trials=len(records),
        completed=len(values),
        best=values[0] if values else None,
        median=median(values) if values else None,
        best_trial=done[0].trial_number if done else None,
    )


def _budget(record: TrialRecord) -> int:
    return record.architecture.parameter_budget


def _result(record: TrialRecord) -> float | None:
    return record.value if record.state == State.COMPLETE else None
