"""What every family must do, and what is its own."""

import pytest
import torch
from psann.nn import PSANNNet
from torch import nn

from hpo.models import FAMILIES
from hpo.models.base import NORMALISATIONS, ForecastShape
from hpo.models.space import Choice, Float

SHAPE = ForecastShape(context_length=12, n_channels=3, n_outputs=2, target_channels=(1,))


def build(name, shape=SHAPE, **settings):
    family = FAMILIES[name]
    config = family.config(**{"d_model": 16, "n_layers": 2, "dropout": 0.0, **settings})
    torch.manual_seed(0)
    return family.build(config, shape)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_shapes_and_gradients(name, normalisation):
    model = build(name, normalisation=normalisation)
    outputs = model(torch.randn(5, 12, 3))
    assert outputs.shape == (5, 2)
    outputs.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("normalisation", ["revin", "last"])
def test_a_shifted_window_gives_a_forecast_shifted_alike(name, normalisation):
    model = build(name, normalisation=normalisation).eval()
    x = torch.randn(4, 12, 3)
    shift = torch.tensor([10.0, -5.0, 3.0])
    torch.testing.assert_close(model(x + shift), model(x) + shift[1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_revin_scales_the_forecast_with_the_window(name):
    model = build(name, normalisation="revin").eval()
    x = torch.randn(4, 12, 3)
    torch.testing.assert_close(model(x * 100), model(x) * 100, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_are_not_restored(name):
    binary = ForecastShape(context_length=12, n_channels=3, n_outputs=1)
    model = build(name, binary, normalisation="last").eval()
    x = torch.randn(4, 12, 3)
    torch.testing.assert_close(model(x + 7.0), model(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_dropout_acts_in_training_alone(name):
    model = build(name, dropout=0.5)
    x = torch.randn(64, 12, 3)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))
    if name in ("psann", "mlp"):
        n_dropouts = sum(isinstance(module, nn.Dropout) for module in model.modules())
        assert n_dropouts == 2, "one after each of the two hidden layers"


@pytest.mark.parametrize("name", FAMILIES)
def test_every_point_of_the_space_builds(name):
    family = FAMILIES[name]
    for key, dimension in family.space.items():
        values = dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)
        for value in values:
            assert build(name, **{key: value})(torch.randn(2, 12, 3)).isfinite().all()
    defaults = family.config(d_model=4, n_layers=1)
    for key, dimension in family.space.items():
        default = getattr(defaults, key)
        if isinstance(dimension, Float):
            assert dimension.low <= default <= dimension.high
        else:
            assert default in dimension.values


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "wrong",
    [{"d_model": 0}, {"n_layers": 0}, {"dropout": 1.0}, {"dropout": -0.1}, {"normalisation": "batch"}],
)
def test_a_wrong_config_is_refused(name, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FAMILIES[name].config(**{"d_model": 4, "n_layers": 1, **wrong})


def test_psann_computes_what_the_package_computes():
    model = build("psann", normalisation="none", w0=3.0, decay_mode="relu", frequency_init=1.7).eval()
    reference = PSANNNet(
        36,
        2,
        hidden_layers=2,
        hidden_units=16,
        act_kw={"decay_mode": "relu", "frequency_init": 1.7},
        w0=3.0,
    )
    ours = [p for _, p in sorted(model.named_parameters())]
    theirs = [p for _, p in sorted(reference.named_parameters())]
    assert sorted(tuple(p.shape) for p in ours) == sorted(tuple(p.shape) for p in theirs)
    names = {n.removeprefix("core.1.").replace("act.0.", "act."): p for n, p in model.named_parameters()}
    reference.load_state_dict(names)
    x = torch.randn(5, 12, 3)
    torch.testing.assert_close(model(x), reference(x.flatten(1)))
    torch.manual_seed(11)
    fresh = build("psann", normalisation="none", w0=3.0)
    hidden = dict(fresh.named_parameters())["core.1.body.1.linear.weight"]
    assert hidden.abs().max() <= (6 / 16) ** 0.5 / 3.0, "SIREN bound sqrt(6 / in) / w0"


@pytest.mark.parametrize("wrong", [{"w0": 0.0}, {"decay_mode": "exp"}, {"frequency_init": -1.0}])
def test_psann_refuses_a_wrong_config(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FAMILIES["psann"].config(d_model=4, n_layers=1, **wrong)
