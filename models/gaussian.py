"""A Gaussian forecast: a covariance beside the mean that a family forecasts.

The covariance head is small and the same for every family: a linear map of what the window last held and how
much it varied. It starts at the identity, in the targets' scaled units.

Legend: B batch, L context_length, C channels, O forecasts.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Covariance = Literal["none", "diagonal", "full"]

_UNIT = 0.5413248546129181
"""softplus of this is 1."""

_LEAST_SCALE = 1e-3
"""Below this a standard deviation is not forecast: a likelihood has no upper bound."""


class GaussianForecast(nn.Module):
    """A core's forecast (B, O) and beside it the factor of its covariance, flattened: (B, O + n_scales).

    Of a diagonal covariance the factor is its standard deviations (O of them); of a full one the lower
    triangle of its Cholesky factor, row by row (O (O + 1) / 2). :func:`split_gaussian` reads it.
    """

    def __init__(self, core: nn.Module, n_channels: int, n_forecasts: int, covariance: Covariance) -> None:
        """Wrap a core that maps (B, L, C) to (B, O)."""
        super().__init__()
        self.core = core
        self.scale = nn.Linear(2 * n_channels, n_scales(n_forecasts, covariance))
        nn.init.zeros_(self.scale.weight)
        nn.init.zeros_(self.scale.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, O + n_scales)."""
        spread = (x - x.mean(dim=1, keepdim=True)).square().mean(dim=1).add(1e-5).sqrt()
        return torch.cat([self.core(x), self.scale(torch.cat([x[:, -1], spread], dim=1))], dim=1)


def n_scales(n_forecasts: int, covariance: Covariance) -> int:
    """Numbers in a covariance's factor."""
    if covariance == "full":
        return n_forecasts * (n_forecasts + 1) // 2
    return n_forecasts if covariance == "diagonal" else 0


def split_gaussian(outputs: Tensor, n_forecasts: int) -> tuple[Tensor, Tensor]:
    """Outputs of a :class:`GaussianForecast` as mean (B, O) and Cholesky factor (B, O, O).

    Raises:
        ValueError: The outputs hold neither a diagonal nor a full factor.
    """
    mean, raw = outputs[:, :n_forecasts], outputs[:, n_forecasts:]
    if raw.shape[1] == n_forecasts:
        return mean, torch.diag_embed(_positive(raw))
    if raw.shape[1] != n_scales(n_forecasts, "full"):
        raise ValueError(f"{raw.shape[1]} numbers are no covariance of {n_forecasts} forecasts")
    rows, columns = torch.tril_indices(n_forecasts, n_forecasts, device=raw.device)
    factor = raw.new_zeros(len(raw), n_forecasts, n_forecasts)
    factor[:, rows, columns] = raw
    return mean, factor.tril(-1) + torch.diag_embed(_positive(factor.diagonal(dim1=1, dim2=2)))


def standard_deviations(outputs: Tensor, n_forecasts: int) -> Tensor:
    """Of each forecast number, (B, O)."""
    if outputs.shape[1] == 2 * n_forecasts:
        return _positive(outputs[:, n_forecasts:])
    _, factor = split_gaussian(outputs, n_forecasts)
    return factor.square().sum(dim=2).sqrt()


def correlations(outputs: Tensor, n_forecasts: int) -> Tensor:
    """Between the forecast numbers, (B, O, O)."""
    _, factor = split_gaussian(outputs, n_forecasts)
    unit = functional.normalize(factor, dim=2)
    return unit @ unit.mT


def gaussian_nll(outputs: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of targets (B, O) under the forecast, in nats a number, mean over B."""
    n_forecasts = targets.shape[1]
    if outputs.shape[1] == 2 * n_forecasts:
        mean, scale = outputs[:, :n_forecasts], standard_deviations(outputs, n_forecasts)
        likelihood: Tensor = torch.distributions.Normal(mean, scale, validate_args=False).log_prob(targets)
        return -likelihood.mean()
    mean, factor = split_gaussian(outputs, n_forecasts)
    normal = torch.distributions.MultivariateNormal(mean, scale_tril=factor, validate_args=False)
    likelihood = normal.log_prob(targets)
    return -likelihood.mean() / n_forecasts


def raw_scale(std: Tensor) -> Tensor:
    """What the head would have to say for these standard deviations."""
    return torch.log(torch.expm1((std - _LEAST_SCALE).clamp_min(_LEAST_SCALE))) - _UNIT


def _positive(raw: Tensor) -> Tensor:
    return functional.softplus(raw + _UNIT) + _LEAST_SCALE
