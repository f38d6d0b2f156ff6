"""The catalogue of searchers: one line each."""

from collections.abc import Callable
from dataclasses import dataclass

from hpo.errors import UnknownNameError
from hpo.search.plan import Plan
from hpo.search.searcher import Searcher
from hpo.search.study_search import StudySearch
from hpo.search.tpe import Tpe

NEVER = 2**31
"""Start-up trials of a search that stays random."""


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What a searcher is made of.

    Attributes:
        plan: The study's space and forced configs.
        direction: "minimize" or "maximize".
        seed: The study's.
        n_startup_trials: Trials, forced ones among them, before a model of the space takes over.
        prune_warmup: Epochs before a trial may be pruned; None never prunes.
    """

    plan: Plan
    direction: str
    seed: int
    n_startup_trials: int
    prune_warmup: int | None


def tpe_search(settings: SearchSettings) -> Searcher:
    """The forced configs, random start-up trials, then TPE."""
    tpe = Tpe(settings.plan.space, settings.direction, settings.seed, settings.n_startup_trials)
    return StudySearch(plan=settings.plan, tpe=tpe, prune_warmup=settings.prune_warmup)


def random_search(settings: SearchSettings) -> Searcher:
    """The forced configs, then random points: what a search has to beat."""
    never = Tpe(settings.plan.space, settings.direction, settings.seed, n_startup_trials=NEVER)
    return StudySearch(plan=settings.plan, tpe=never, prune_warmup=settings.prune_warmup)


SEARCHERS: dict[str, Callable[[SearchSettings], Searcher]] = {
    "tpe": tpe_search,
    "random": random_search,
}


def make_searcher(name: str, settings: SearchSettings) -> Searcher:
    """The searcher of that name.

    Raises:
        UnknownNameError: There is none; the nearest is named.
    """
    if name not in SEARCHERS:
        raise UnknownNameError("sampler", name, SEARCHERS)
    return SEARCHERS[name](settings)
