"""The catalogue of model families: one file and one line each."""

from . import (
    dlinear,
    geosparse,
    informer,
    itransformer,
    lstm,
    mlp,
    patchtst,
    psann,
    psann_conv,
    respsann,
    sgrpsann,
    tcn,
    transformer,
    waveresnet,
)
from .base import ModelFamily

FAMILIES: dict[str, ModelFamily] = {
    "psann": psann.FAMILY,
    "respsann": respsann.FAMILY,
    "psann_conv": psann_conv.FAMILY,
    "waveresnet": waveresnet.FAMILY,
    "sgrpsann": sgrpsann.FAMILY,
    "geosparse": geosparse.FAMILY,
    "mlp": mlp.FAMILY,
    "tcn": tcn.FAMILY,
    "lstm": lstm.FAMILY,
    "transformer": transformer.FAMILY,
    "dlinear": dlinear.FAMILY,
    "patchtst": patchtst.FAMILY,
    "itransformer": itransformer.FAMILY,
    "informer": informer.FAMILY,
}
