"""What a confusion matrix says, and how sure its counts allow one to be.

The intervals take windows as independent of each other. Neighbouring windows share most of their rows, so
the truth is wider.
"""

import math
from collections.abc import Mapping

from scipy.special import entr
from scipy.stats import binomtest, norm

from hpo.report.summary.schema import Confusion, Interval
from hpo.trial.record import ConfusionMatrix

_Z95 = float(norm.ppf(0.975))


def confusion(matrix: ConfusionMatrix, pooled: bool = False) -> Confusion | None:
    """Rates of a confusion matrix; None if it counts nothing.

    Args:
        matrix: The counts.
        pooled: Whether it counts several parts together, each with a base rate of its own.
    """
    tn, fp = matrix.true_negative, matrix.false_positive
    fn, tp = matrix.false_negative, matrix.true_positive
    total = tn + fp + fn + tp
    if total == 0:
        return None
    base_rate = (tp + fn) / total
    return Confusion(
        true_negative=tn,
        false_positive=fp,
        false_negative=fn,
        true_positive=tp,
        base_rate=base_rate,
        majority_accuracy=max(base_rate, 1 - base_rate),
        hindsight_log_loss=None if pooled else float(entr(base_rate) + entr(1 - base_rate)),
        accuracy=(tp + tn) / total,
        precision=_share(tp, tp + fp),
        recall=_share(tp, tp + fn),
        f1=_share(2 * tp, 2 * tp + fp + fn),
    )


def intervals(matrix: ConfusionMatrix, metrics: Mapping[str, float]) -> dict[str, Interval]:
    """95 % intervals of the metrics that a confusion matrix carries, by metric.

    Accuracy, precision and recall are proportions and get Wilson's interval; AUC gets that of Hanley and
    McNeil from the numbers of positives and negatives.
    """
    tn, fp = matrix.true_negative, matrix.false_positive
    fn, tp = matrix.false_negative, matrix.true_positive
    counts = {
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
    }
    found = {name: _wilson(hits, of) for name, (hits, of) in counts.items() if of > 0}
    auc = metrics.get("auc")
    # At exactly 0 or 1 the formula gives no width at all, which would be a lie.
    if auc is not None and 0 < auc < 1 and tp + fn > 0 and tn + fp > 0:
        found["auc"] = _hanley_mcneil(auc, positives=tp + fn, negatives=tn + fp)
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _wilson(hits: int, of: int) -> Interval:
    ci = binomtest(hits, of).proportion_ci(confidence_level=0.95, method="wilson")
    return Interval(estimate=hits / of, low=float(ci.low), high=float(ci.high), method="Wilson")


def _hanley_mcneil(auc: float, positives: int, negatives: int) -> Interval:
    """Interval of an AUC from its standard error (Hanley and McNeil, Radiology 143, 1982, equation 2)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    half = _Z95 * math.sqrt(variance / (positives * negatives))
    return Interval(estimate=auc, low=max(0.0, auc - half), high=min(1.0, auc + half), method="Hanley-McNeil")
