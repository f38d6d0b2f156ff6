"""What the numbers say, in plain sentences. Each follows from the numbers and claims no more than they do."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import hpo.report.formats as fmt
from hpo.report.summary.answer import beats_reference, n_completed, states_in_words
from hpo.report.summary.order import order, selection
from hpo.report.summary.schema import Analysis, Finding, ForcedComparison
from hpo.system.counts import format_budget
from hpo.trial.flags import COLLAPSED
from hpo.trial.origin import TPE


def find_findings(analysis: Analysis) -> list[Finding]:
    """All findings that apply, the most important first."""
    finders: dict[str, Callable[[Analysis], Iterator[str]]] = {
        "data": _data_changed,
        "reference": _best_and_reference,
        "collapse": _collapse,
        "constant": _constant,
        "worse_than_reference": _worse_than_reference,
        "majority": _majority,
        "auc": _auc,
        "closeness": order,
        "selection": selection,
        "depth": _depth,
        "budget": _budgets,
        "forced": _single_changes,
        "search": _search,
        "training": _training,
        "generalisation": _generalisation,
        "problems": _problems,
    }
    return [Finding(topic=topic, text=text) for topic, find in finders.items() for text in find(analysis)]


def _data_changed(analysis: Analysis) -> Iterator[str]:
    n = len(analysis.overview.data)
    if n > 1:
        yield (
            f"The data changed while the study ran: its trials saw {n} different files. "
            "Scores of trials on different data cannot be compared."
        )


def _best_and_reference(analysis: Analysis) -> Iterator[str]:
    best = analysis.best
    if best is None:
        yield f"No trial completed. {states_in_words(analysis)}"
        return
    if best.skill is None:
        if not beats_reference(analysis):
            yield f"On this evidence {best.reference} is the forecast to use."
        return
    if best.skill <= 0:
        verdict = "is no better than" if best.skill == 0 else "is worse than"
        yield (
            f"The best trial {verdict} {best.reference} (skill {fmt.percent(best.skill, plus=True)}). "
            f"On this evidence {best.reference} is the forecast to use."
        )
        return
    beaten = sum(row.skill_of_best is not None and row.skill_of_best > 0 for row in analysis.references)
    others = len(analysis.references)
    yield (
        f"The best trial beats the best naive forecast, {best.reference}, by {_skill(analysis)}"
        f"{fmt.percent(best.skill)}"
        + (f", and {beaten} of {others} references in all." if others > 1 else ".")
    )
    toughest = analysis.references[0]
    if toughest.skill_of_best is not None and toughest.skill_of_best <= 0:
        yield (
            f"It does not beat {toughest.name}: over that its skill is "
            f"{fmt.percent(toughest.skill_of_best, plus=True)}. "
            f"On this evidence {toughest.name} is the forecast to use."
        )


def _collapse(analysis: Analysis) -> Iterator[str]:
    count = analysis.flags.get(COLLAPSED.name)
    if analysis.best is not None and COLLAPSED in analysis.best.flags:
        yield (
            "The best trial's predictions are collapsed: nearly the same probability for every window. "
            "It has learned the base rate and tells windows apart hardly or not at all."
        )
    elif count is not None and count.completed:
        yield f"{count.completed} of {n_completed(analysis)} completed trials have collapsed predictions."


def _worse_than_reference(analysis: Analysis) -> Iterator[str]:
    skills = [row.skill for row in analysis.trials if row.skill is not None]
    if analysis.best is not None and skills:
        worse = sum(skill < 0 for skill in skills)
        verb = "is" if worse == 1 else "are"
        yield f"{worse} of {len(skills)} completed trials {verb} worse than {analysis.best.reference}."


def _constant(analysis: Analysis) -> Iterator[str]:
    # A better level alone can beat the base rate of the training part.
    best = analysis.best
    if best is None or best.confusion is None or analysis.overview.score != "log_loss":
        return
    constant, rate = best.confusion.hindsight_log_loss, fmt.percent(best.confusion.base_rate)
    if constant is None:
        return
    if best.value >= constant:
        verdict = "The best trial is no better: its score alone does not show that it tells windows apart."
    else:
        verdict = f"The best trial is {fmt.percent(1 - best.value / constant)} better than that, too."
    yield (
        f"A constant forecast of {rate}, the validation part's own share of yes, to be known only in "
        f"hindsight, would score {fmt.score(constant)}. {verdict}"
    )


def _majority(analysis: Analysis) -> Iterator[str]:
    best = analysis.best
    if best is None or best.confusion is None or "accuracy" not in best.intervals:
        return
    interval, majority = best.intervals["accuracy"], best.confusion.majority_accuracy
    if interval.estimate <= majority:
        verdict = "As a yes-or-no answer at probability 0.5 it adds nothing."
        if best.skill is not None and best.skill > 0:
            verdict = f"{verdict[:-1]}; what it adds is in its probabilities."
    elif interval.low > majority:
        verdict = "The whole interval lies above that."
    else:
        verdict = "The interval includes that: on this many windows the two cannot be told apart."
    yield (
        f"The best trial is right on {fmt.percent(interval.estimate)} of windows "
        f"(95 % interval {fmt.percent(interval.low)} to {fmt.percent(interval.high)}); always predicting the "
        f"more frequent class is right on {fmt.percent(majority)}. {verdict}"
    )


def _auc(analysis: Analysis) -> Iterator[str]:
    interval = analysis.best.intervals.get("auc") if analysis.best else None
    if interval is None:
        return
    if interval.low > 0.5:
        verdict = "lies above 0.5, which is guessing"
    elif interval.high < 0.5:
        verdict = "lies below 0.5, which is guessing: it ranks windows the wrong way round"
    else:
        verdict = "includes 0.5, which is guessing"
    yield (
        f"The best trial's AUC is {fmt.score(interval.estimate)}; its 95 % interval, "
        f"{fmt.score(interval.low)} to {fmt.score(interval.high)}, {verdict}."
    )


def _depth(analysis: Analysis) -> Iterator[str]:
    for row in analysis.forced:
        if row.group != "architecture" or row.origin.setting != "deep" or row.delta is None:
            continue
        budget = format_budget(row.parameter_budget)
        if row.delta == 0:
            yield f"At {budget} the default shallow and deep shapes score the same."
            continue
        winner, loser = ("deep", "shallow") if row.better else ("shallow", "deep")
        lead = fmt.distance(abs(row.delta))
        yield f"At {budget} {winner} beats {loser} by {lead} in the default config, one run each."


def _budgets(analysis: Analysis) -> Iterator[str]:
    rows = [
        (format_budget(g.parameter_budget or 0), g.best) for g in analysis.by_budget if g.best is not None
    ]
    if len(rows) < 2:
        return
    sign = analysis.overview.objective.sign
    steps = [sign * (after - before) for (_, before), (_, after) in pairwise(rows)]
    if all(step > 0 for step in steps):
        verdict = "Bigger was worse"
    elif all(step < 0 for step in steps):
        verdict = "Bigger was better"
    else:
        verdict = "More parameters neither helped nor hurt throughout"
    listed = ", ".join(f"{name} {fmt.score(best)}" for name, best in rows)
    yield f"{verdict}, by the best trial of each budget: {listed}."


def _single_changes(analysis: Analysis) -> Iterator[str]:
    sign = analysis.overview.objective.sign
    for budget in analysis.overview.budgets:
        changes = [
            (sign * row.delta, row)
            for row in analysis.forced
            if row.parameter_budget == budget and row.group != "architecture" and row.delta is not None
        ]
        if not changes:
            continue
        delta, row = min(changes, key=lambda change: change[0])
        tried = f"{len(changes)} single changes" if len(changes) > 1 else "one single change"
        head = f"Of the {tried} to the default config at {format_budget(budget)}, "
        if delta >= 0:
            yield f"{head}none improves on it."
        else:
            n = sum(change < 0 for change, _ in changes)
            improve = "improves" if n == 1 else "improve"
            yield f"{head}{n} {improve} on it, most of all {_setting(row)} (by {fmt.distance(-delta)})."


def _search(analysis: Analysis) -> Iterator[str]:
    done = [(row, row.score) for row in analysis.trials if row.score is not None]
    sign = analysis.overview.objective.sign
    tpe = [sign * value for row, value in done if row.origin.kind == TPE]
    others = [sign * value for row, value in done if row.origin.kind != TPE]
    if not tpe or not others:
        return
    gain = min(others) - min(tpe)
    if gain > 0:
        yield (
            f"TPE found the best trial: {fmt.distance(gain)} better than the best of the "
            f"{len(others)} that did not come from it."
        )
    else:
        yield (
            f"TPE's {fmt.plural(len(tpe), 'completed trial')} did not improve on the best of the "
            f"{len(others)} that did not come from it."
        )


def _training(analysis: Analysis) -> Iterator[str]:
    if analysis.best is None:
        return
    training = analysis.best.training
    if analysis.best.folds:
        return
    if training.best_epoch == 1 and training.epochs_run > 1:
        more = training.epochs_run - 1
        yield f"The best trial was best after its first epoch and got no better in {more} more."
    elif training.best_epoch is not None and training.best_epoch == training.epochs_planned:
        yield (
            f"The best trial was best in the last of its {training.epochs_planned} planned epochs: "
            "with more epochs it might get better."
        )


def _generalisation(analysis: Analysis) -> Iterator[str]:
    best, name = analysis.best, analysis.overview.score
    if best is None or best.metrics is None or name is None:
        return
    train, val = best.metrics.train.get(name), best.metrics.val.get(name)
    if train is None or val is None or not analysis.overview.objective.is_better(train, than=val):
        return
    more = ""
    if analysis.overview.objective.direction == "minimize" and train > 0:
        more = f", {fmt.percent(val / train - 1)} more"
    yield (
        f"The best trial scores {fmt.score(train)} on the training part and {fmt.score(val)} on the "
        f"validation part{more}: overfitting, a harder part, or both."
    )


def _problems(analysis: Analysis) -> Iterator[str]:
    kinds = Counter(problem.type for problem in analysis.problems)
    if kinds:
        listed = ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))
        of = fmt.plural(analysis.overview.trials, "trial")
        yield f"{len(analysis.problems)} of {of} failed or could not be trained: {listed}."


def _setting(row: ForcedComparison) -> str:
    """What a forced config changes: "dropout 0.1" of "2M-0.1" in the group dropout."""
    return f"{row.group} {row.origin.setting}"


def _skill(analysis: Analysis) -> str:
    """A percentage of a loss speaks for itself."""
    return "a skill of " if analysis.overview.objective.direction == "maximize" else ""
