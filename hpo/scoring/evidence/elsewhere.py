"""Where a reference is better than the best trial by another measure than the one it won by."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from hpo.scoring.tasks import METRICS


class Beaten(BaseModel):
    """A metric by which a reference is better; the best one where several are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    value: float
    reference: str
    reference_value: float

    @property
    def text(self) -> str:
        """The same in words: "auc: logistic regression has 0.799, it has 0.765"."""
        return f"{self.metric}: {self.reference} has {self.reference_value:.4g}, it has {self.value:.4g}"


def beaten_by_references(
    metrics: Mapping[str, float], references: Mapping[str, Mapping[str, float]]
) -> list[Beaten]:
    """Every metric by which some reference is better than the trial, in the metrics' own order.

    Args:
        metrics: The trial's, by name; those that only describe a forecast are passed over.
        references: The references' metrics on the same windows, by name.
    """
    found = []
    for name, value in metrics.items():
        better = METRICS[name].better if name in METRICS else None
        rivals = {reference: scores[name] for reference, scores in references.items() if name in scores}
        if better is None or not rivals:
            continue
        sign = 1.0 if better == "lower" else -1.0
        best = min(rivals, key=lambda reference: sign * rivals[reference])
        if sign * rivals[best] < sign * value:
            found.append(Beaten(metric=name, value=value, reference=best, reference_value=rivals[best]))
    return found
