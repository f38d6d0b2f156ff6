"""What to know of a trial before its score is believed."""

from typing import Self

from hpo.trial.text import Text


class Flag(Text):
    """A name, and behind a space what it is about: a trial's number, a metric.

    Names of newer versions are read likewise.
    """

    __slots__ = ()

    @classmethod
    def near_duplicate_of(cls, trial_number: int) -> Self:
        """The trial repeats an earlier one but for small changes."""
        return cls(f"{NEAR_DUPLICATE} {trial_number}")

    @classmethod
    def not_finite(cls, metric: str) -> Self:
        """A metric of the trial was no finite number and is left out."""
        return cls(f"metric_not_finite {metric}")

    @property
    def name(self) -> str:
        """Its first word: flags of one name are counted together."""
        return next(iter(self.split()), "")

    @property
    def trial_number(self) -> int | None:
        """The trial that it is about; None where it is about none."""
        word = self.split()[-1] if self.split() else ""
        return int(word) if word.isascii() and word.isdigit() else None


NEAR_DUPLICATE = "near_duplicate_of"

COLLAPSED = Flag("collapsed_predictions")
"""The probabilities are nearly all equal: the model tells no window from another."""

WORSE_THAN_NAIVE = Flag("worse_than_naive")
"""The best naive forecast has a better objective on the same windows."""

LEAKS = Flag("leaking_protocol")
"""The split is one of old, in which the test rows leak into training: no evidence of anything."""
