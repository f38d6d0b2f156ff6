"""The catalogue of model families: one file and one line each."""

from . import mlp, patchtst, psann
from .base import ModelFamily

FAMILIES: dict[str, ModelFamily] = {
    "psann": psann.FAMILY,
    "mlp": mlp.FAMILY,
    "patchtst": patchtst.FAMILY,
}
