"""The answer a summary starts with, in two or three sentences."""

import hpo.report.formats as fmt
from hpo.report.summary.schema import Analysis, Best


def find_answer(analysis: Analysis) -> str:
    """The answer in a few sentences: the verdict, the lead, what it is, how far to trust it."""
    best = analysis.best
    if best is None:
        return f"No trial completed, so there is no best trial to show. {states_in_words(analysis)}"
    done = n_completed(analysis)
    which = f"the best of {done} completed trials" if done > 1 else "the only completed trial"
    score = f"{analysis.overview.objective.name} {fmt.score(best.value)}"
    who = f"{which}, trial {best.trial_number}, scores {score}"
    if best.reference_score is None:
        first = f"{who[0].upper()}{who[1:]}; no reference has a score to hold it against."
    elif not beats_reference(analysis):
        skill = "" if best.skill is None else f" (skill {fmt.percent(best.skill, plus=True)})"
        first = f"The search found nothing better than {_reference(best)}: {who}{skill}."
    elif best.skill is None:
        first = f"{who[0].upper()}{who[1:]}, better than {_reference(best)}, the best naive forecast."
    else:
        better = f"{_lead(analysis, best.skill)} {_reference(best)}, {_toughest(analysis, best)}"
        first = f"{who[0].upper()}{who[1:]}, {better}{_hindsight(analysis, best)}."
    verdict = f"{analysis.verdict.text} " if analysis.verdict else ""
    return f"{verdict}{first} {_describe(best)} {_caution(analysis)}"


def beats_reference(analysis: Analysis) -> bool:
    """Whether the best trial is better than the best naive forecast."""
    best = analysis.best
    if best is None or best.reference_score is None:
        return False
    return analysis.overview.objective.is_better(best.value, than=best.reference_score)


def _toughest(analysis: Analysis, best: Best) -> str:
    """What the naive forecast is among the references, and how the best of all of them compares."""
    if len(analysis.references) == 1:
        return "the only reference"
    toughest = analysis.references[0]
    if toughest.name == best.reference or toughest.skill_of_best is None or toughest.score is None:
        return f"the best of {len(analysis.references)} references"
    joint = "and" if toughest.skill_of_best > 0 else "but"
    return (
        f"the best naive forecast, {joint} {_lead(analysis, toughest.skill_of_best)} the best "
        f"reference, {toughest.name} ({fmt.score(toughest.score)})"
    )


def _lead(analysis: Analysis, skill: float) -> str:
    """A skill in words: of a loss, how much smaller it is; else the share of the way to a perfect 1."""
    if analysis.overview.objective.direction == "maximize":
        return f"with a skill of {fmt.percent(skill, plus=True)} over"
    return f"{fmt.percent(abs(skill))} {'better' if skill > 0 else 'worse'} than"


def states_in_words(analysis: Analysis) -> str:
    """How many trials ended how, as a sentence."""
    counts = ", ".join(
        f"{n} {'' if state.is_finished else 'still '}{state.in_words}"
        for state, n in analysis.overview.states.items()
    )
    return f"Of {fmt.plural(analysis.overview.trials, 'trial')}: {counts}."


def n_completed(analysis: Analysis) -> int:
    """Trials that completed with a score."""
    return analysis.distribution.n if analysis.distribution else 0


def _describe(best: Best) -> str:
    a, t = best.architecture, best.training
    heads = f" and {fmt.plural(a.n_heads, 'head')}" if a.n_heads else ""
    return (
        f"It is {a.family} with {fmt.plural(a.n_layers, 'layer')} of width {a.d_model}{heads} "
        f"({fmt.params(a.param_count)} parameters), with learning rate "
        f"{fmt.rate(t.learning_rate)}, weight decay {fmt.rate(t.weight_decay)}, dropout "
        f"{fmt.rate(t.dropout)} and batch size {t.batch_size}."
    )


def _caution(analysis: Analysis) -> str:
    done = n_completed(analysis)
    chosen = f"Being the best of {done} on the validation part flatters it; n" if done > 1 else "N"
    return f"{chosen}o score on this page comes from the test part."


def _hindsight(analysis: Analysis, best: Best) -> str:
    """A lead over the base rate that a better level alone would give is no skill in telling windows apart."""
    if analysis.overview.score != "log_loss" or best.confusion is None:
        return ""
    constant = best.confusion.hindsight_log_loss
    if constant is None or best.value < constant:
        return ""
    return f", but no better than the best constant forecast in hindsight ({fmt.score(constant)})"


def _reference(best: Best) -> str:
    score = "" if best.reference_score is None else f" ({fmt.score(best.reference_score)})"
    return f"{best.reference}{score}"
