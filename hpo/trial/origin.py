"""Where a trial's point of the search space comes from."""

from typing import Self

from hpo.trial.text import Text


class Origin(Text):
    """A kind, and what tells more, separated by colons.

    `forced:<group>:<name>` a forced config · `startup` drawn at random · `startup:published` a published
    config · `tpe` · `confirm:<number>` a trial once more, with another seed · `enqueued` by the user ·
    `promoted` from an earlier phase · `transfer` from another study · `paired:<name>` one point in two
    studies. Kinds of newer versions are read likewise.
    """

    __slots__ = ()

    @classmethod
    def forced(cls, group: str, name: str) -> Self:
        """A forced config: what it is the extreme of, and its name in that group."""
        return cls(f"forced:{group}:{name}")

    @property
    def kind(self) -> str:
        """Its first word, such as "forced" or "tpe"."""
        return self.partition(":")[0]

    @property
    def is_forced(self) -> bool:
        """Whether it is a forced config: tried whatever the search thinks, and never pruned."""
        return self.kind == "forced"

    @property
    def detail(self) -> str:
        """What follows the kind, such as "dropout:2M-0.1"; empty where nothing does."""
        return self.partition(":")[2]

    @property
    def group(self) -> str:
        """What a forced config is the extreme of, such as "dropout"; of others the detail's first word."""
        return self.detail.partition(":")[0]

    @property
    def name(self) -> str:
        """A forced config's own name, such as "2M-0.1"; empty where there is none."""
        return self.detail.partition(":")[2]

    @property
    def setting(self) -> str:
        """What a forced config sets its group to: "0.1" of "2M-0.1", "deep" of "2M-deep"."""
        return self.name.partition("-")[2]

    @property
    def label(self) -> str:
        """What trials are grouped by: "forced: dropout", "tpe". A trial's number groups nothing."""
        return self.kind if not self.group or self.group.isdigit() else f"{self.kind}: {self.group}"


STARTUP = Origin("startup")
TPE = Origin("tpe")
