"""Is it real, and by how much: statistics of losses a window, as pure functions of arrays."""

from hpo.scoring.evidence.confidence import confidence_set
from hpo.scoring.evidence.elsewhere import Beaten, beaten_by_references
from hpo.scoring.evidence.verdict import Finding, Verdict, sentence, verdict

__all__ = [
    "Beaten",
    "Finding",
    "Verdict",
    "beaten_by_references",
    "confidence_set",
    "sentence",
    "verdict",
]
