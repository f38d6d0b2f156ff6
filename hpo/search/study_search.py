"""A study's search: the forced configs in their order, then TPE; trials worse than the median end."""

from dataclasses import dataclass

from hpo.search.plan import Plan
from hpo.search.pruning import is_pruned
from hpo.search.searcher import RunningTrial, Suggestion, Verdict
from hpo.search.tpe import Tpe
from hpo.trial.history import History


@dataclass(frozen=True)
class StudySearch:
    """The default searcher.

    Attributes:
        plan: Its space and forced configs.
        tpe: What follows these.
        prune_warmup: Epochs before a trial may be pruned; None never prunes.
    """

    plan: Plan
    tpe: Tpe
    prune_warmup: int | None

    def suggest(self, number: int, history: History) -> Suggestion:
        """The first forced config that no trial has, or TPE's point."""
        begun = {record.origin for record in history}
        for forced in self.plan.forced:
            if forced.origin not in begun:
                return Suggestion(
                    params=forced.params, distributions=self.tpe.distributions, origin=forced.origin
                )
        return self.tpe.suggest(number, history)

    def judge(self, trial: RunningTrial, history: History) -> Verdict:
        """The median rule."""
        if self.prune_warmup is not None and is_pruned(trial, history, self.prune_warmup):
            return Verdict.STOP
        return Verdict.CONTINUE
