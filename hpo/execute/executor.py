"""The port of an executor: where a trial trains. It tells events; epochs are answered by verdicts."""

import contextlib
from collections.abc import Callable, Generator
from typing import Protocol, TypeAlias

from hpo.learn.job import Job
from hpo.search.searcher import Verdict
from hpo.system.stop import StopFlag
from hpo.trial.events import EpochResult, Event, Failed, Finished, Interrupted, Outcome

Events: TypeAlias = Generator[Event, Verdict | None, None]
"""A trial's events in their order, the last of them its outcome; an epoch waits for its verdict."""


class Executor(Protocol):
    """Trains trials, each apart from all others: what one does to itself costs that one."""

    def run(self, job: Job, stop: StopFlag) -> Events:
        """Train one trial, from its checkpoint if there is one.

        Yields :class:`Resumed` first if it goes on, an :class:`EpochResult` an epoch, which is to be answered
        by ``send(verdict)``, notices of what could not be read or written, and last its outcome:
        :class:`Finished`, :class:`Failed`, or :class:`Interrupted` if ``stop`` was set before it ended.
        Closing the generator ends the trial.
        """


def follow(events: Events, answer: Callable[[Event], Verdict | None]) -> Outcome:
    """Follow a trial to its outcome.

    Args:
        events: From :meth:`Executor.run`.
        answer: Told of each event but the outcome; gives an epoch's verdict, where None goes on.
    """
    with contextlib.closing(events):
        event = next(events)
        while not isinstance(event, Finished | Failed | Interrupted):
            verdict = answer(event)
            if isinstance(event, EpochResult):
                event = events.send(verdict or Verdict.CONTINUE)
            else:
                event = next(events)
        return event
