import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from torch import nn

from hpo.models import FAMILIES
from hpo.models.base import ForecastShape
from hpo.models.gaussian import GaussianForecast, gaussian_nll, n_scales, raw_scale, split_gaussian
from hpo.models.sizing import count_params, count_real, fit_width

B, O = 7, 4  # noqa: E741  (the legend's name)


def outputs_of(covariance, seed=0):
    return torch.randn(B, O + n_scales(O, covariance), generator=torch.Generator().manual_seed(seed)).double()


@pytest.fixture
def targets():
    return torch.randn(B, O, generator=torch.Generator().manual_seed(9)).double()


def test_a_diagonal_likelihood_against_scipy(targets):
    outputs = outputs_of("diagonal")
    std = np.log1p(np.exp(outputs[:, O:].numpy() + math.log(math.e - 1))) + 1e-3
    expected = -norm.logpdf(targets.numpy(), outputs[:, :O].numpy(), std).mean()
    assert gaussian_nll(outputs, targets).item() == pytest.approx(expected)


def test_a_full_likelihood_against_scipy(targets):
    outputs = outputs_of("full")
    mean, factor = split_gaussian(outputs, O)
    assert torch.equal(factor, factor.tril())
    assert (factor.diagonal(dim1=1, dim2=2) > 0).all()
    expected = -np.mean(
        [
            multivariate_normal(m, f @ f.T).logpdf(t)
            for m, f, t in zip(mean.numpy(), factor.numpy(), targets.numpy(), strict=True)
        ]
    )
    assert gaussian_nll(outputs, targets).item() == pytest.approx(expected / O)


def test_a_full_factor_without_correlation_is_a_diagonal_one(targets):
    diagonal = outputs_of("diagonal")
    rows, columns = torch.tril_indices(O, O)
    factor = torch.zeros(B, len(rows), dtype=torch.float64)
    factor[:, rows == columns] = diagonal[:, O:]
    full = torch.cat([diagonal[:, :O], factor], dim=1)
    assert gaussian_nll(full, targets).item() == pytest.approx(gaussian_nll(diagonal, targets).item())


def test_it_finds_the_covariance_of_the_noise():
    """Noise of known scale and correlation around a constant: the likelihood's optimum is that covariance."""
    torch.manual_seed(0)
    wanted = torch.tensor([[1.0, 0.0], [0.6, 0.5]])
    noise = torch.randn(4000, 2) @ wanted.T
    raw = nn.Parameter(torch.zeros(1, 5))
    optimizer = torch.optim.LBFGS([raw], max_iter=200)

    def closure():
        optimizer.zero_grad()
        loss = gaussian_nll(raw.expand(len(noise), -1), noise)
        loss.backward()
        return loss

    optimizer.step(closure)
    _, factor = split_gaussian(raw.detach(), 2)
    assert torch.allclose(factor[0], wanted, atol=0.05)


def test_it_begins_at_unit_variance_and_leaves_the_forecast_as_it_is():
    core = nn.Sequential(nn.Flatten(), nn.Linear(3 * 2, O))
    x = torch.randn(B, 3, 2)
    for covariance in ("diagonal", "full"):
        model = GaussianForecast(core, 2, O, covariance)
        mean, factor = split_gaussian(model(x), O)
        assert torch.equal(mean, core(x))
        assert torch.allclose(factor, torch.eye(O).expand(B, O, O), atol=2e-3)


def test_raw_scale_is_its_inverse():
    std = torch.tensor([0.01, 0.5, 1.0, 7.0], dtype=torch.float64)
    _, factor = split_gaussian(torch.cat([torch.zeros(4), raw_scale(std)])[None], 4)
    assert torch.allclose(factor.diagonal(dim1=1, dim2=2)[0], std)


def test_numbers_that_are_no_covariance_are_refused():
    with pytest.raises(ValueError, match="3 numbers are no covariance of 4"):
        split_gaussian(torch.zeros(1, 7), 4)


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_every_family_forecasts_it_and_stays_on_its_budget(name, covariance):
    family = FAMILIES[name]
    shape = ForecastShape(
        context_length=24, n_channels=3, n_outputs=6, target_channels=(0, 2), covariance=covariance
    )
    config = fit_width(family, family.config(d_model=8, n_layers=2, dropout=0.0), shape, 40_000)
    assert count_params(family, config, shape) == count_real(family, config, shape)
    torch.manual_seed(0)
    model = family.build(config, shape)
    outputs = model(torch.randn(5, 24, 3))
    assert outputs.shape == (5, 6 + n_scales(6, covariance))
    gaussian_nll(outputs, torch.randn(5, 6)).backward()
    assert model.scale.weight.grad.abs().sum() > 0
