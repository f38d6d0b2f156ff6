"""The families of the psann package compute what the package computes."""

import copy

import pytest
import torch
from psann.conv import PSANNConv1dNet
from psann.models import WaveResNet
from psann.nn import PSANNNet, ResidualPSANNNet, SGRPSANNSequenceNet
from psann.nn_geo_sparse import GeoSparseNet
from torch import nn

from hpo.models import FAMILIES
from hpo.models.base import ForecastShape
from hpo.models.blocks import Dropout
from hpo.models.geosparse import offsets_of, radius_of
from hpo.models.sine import FusedSine
from hpo.models.sizing import count_params, count_real, fit_width

SHAPE = ForecastShape(context_length=12, n_channels=3, n_outputs=2, target_channels=(1,))
ACTIVATION = {"amplitude_init": 1.3, "frequency_init": 1.7, "decay_init": 0.2, "decay_mode": "relu"}


def build(name, **settings):
    family = FAMILIES[name]
    config = family.config(
        **{"d_model": 16, "n_layers": 2, "dropout": 0.0, "normalisation": "none", **ACTIVATION, **settings}
    )
    torch.manual_seed(0)
    return family.build(config, SHAPE).eval()


def names_of_the_package(weights):
    """Our dropout stands in a sequence with the activation; the package's names have no such step."""
    return {
        key.replace("act.0.", "act.").replace("act1.0.", "act1.").replace("act2.0.", "act2."): value
        for key, value in weights.items()
    }


def check(ours, theirs, inputs):
    core = ours.core if not isinstance(ours.core, nn.Sequential) else ours.core[1]
    theirs.load_state_dict(names_of_the_package(core.state_dict()), strict=False)
    given = {key for key, _ in theirs.named_parameters()}
    assert given == set(names_of_the_package(dict(core.named_parameters())))
    x = torch.randn(5, 12, 3)
    mine, reference = ours(x), theirs.eval()(inputs(x))
    torch.testing.assert_close(mine, reference, atol=1e-5, rtol=1e-5)
    mine.square().sum().backward()
    reference.square().sum().backward()
    expected = {key: p.grad for key, p in theirs.named_parameters()}
    got = {key: p.grad for key, p in core.named_parameters()}
    for key, gradient in names_of_the_package(got).items():
        largest = max(1.0, float(expected[key].abs().max()))
        assert float((gradient - expected[key]).abs().max()) <= 1e-5 * largest, key


@pytest.mark.parametrize("activation", ["psann", "relu-sigmoid-psann"])
def test_psann(activation):
    theirs = PSANNNet(
        36,
        2,
        hidden_layers=2,
        hidden_units=16,
        act_kw=ACTIVATION,
        w0=3.0,
        activation_type=activation.replace("-", "_"),
    )
    check(build("psann", w0=3.0, activation=activation), theirs, lambda x: x.flatten(1))


@pytest.mark.parametrize("norm", ["rms", "layer", "none"])
def test_respsann(norm):
    theirs = ResidualPSANNNet(
        36, 2, hidden_layers=2, hidden_units=16, hidden_width=16, act_kw=ACTIVATION, norm=norm
    )
    check(build("respsann", norm=norm, alpha_init=0.5), theirs, lambda x: x.flatten(1))


@pytest.mark.parametrize("norm", ["none", "weight", "rms"])
def test_waveresnet(norm):
    theirs = WaveResNet(
        36, 16, 2, 2, first_layer_w0=20.0, hidden_w0=1.5, norm=norm, activation_config=ACTIVATION
    )
    check(
        build("waveresnet", norm=norm, alpha_init=0.5, first_w0=20.0, w0=1.5), theirs, lambda x: x.flatten(1)
    )


@pytest.mark.parametrize("gate", ["rfft", "fourier-features"])
@pytest.mark.parametrize("pool", ["last", "mean"])
def test_sgrpsann(gate, pool):
    theirs = SGRPSANNSequenceNet(
        12,
        3,
        2,
        hidden_layers=2,
        hidden_units=16,
        act_kw=ACTIVATION,
        k_fft=32,
        pool=pool,
        gate_type=gate.replace("-", "_"),
        phase_init=0.3,
    )
    check(build("sgrpsann", gate=gate, pool=pool, k_fft=32, phase_init=0.3), theirs, lambda x: x)


@pytest.mark.parametrize("activation", ["psann", "phase-psann"])
@pytest.mark.parametrize("pattern", ["local", "random", "hash"])
def test_geosparse(activation, pattern):
    theirs = GeoSparseNet(
        36,
        2,
        shape=(12, 3),
        depth=2,
        k=7,
        pattern=pattern,
        offsets=offsets_of(1, SHAPE),
        seed=0,
        activation_type=activation.replace("-", "_"),
        activation_config=ACTIVATION,
    )
    check(
        build("geosparse", d_model=7, activation=activation, pattern=pattern, alpha_init=0.5),
        theirs,
        lambda x: x.flatten(1),
    )


def test_psann_conv_is_the_spine_of_the_packages_probes():
    ours = build("psann_conv", kernel_size=5)
    spine = PSANNConv1dNet(
        3, 16, hidden_layers=2, conv_channels=16, kernel_size=5, segmentation_head=True, act_kw=ACTIVATION
    )
    spine.load_state_dict(names_of_the_package(ours.core.spine.state_dict()))
    x = torch.randn(5, 12, 3)
    expected = ours.core.head(spine(x.transpose(1, 2))[:, :, -1])
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)


def test_hidden_weights_start_within_the_siren_bound():
    hidden = dict(build("psann", w0=3.0).named_parameters())["core.1.body.1.linear.weight"]
    bound = (6 / 16) ** 0.5 / 3.0
    assert 0.9 * bound < hidden.abs().max() <= bound


@pytest.mark.parametrize("name", ["psann", "respsann", "psann_conv", "waveresnet", "sgrpsann", "geosparse"])
def test_every_sine_has_its_own_backward_pass_and_dropout_follows_it(name):
    model = build(name)
    sines = [module for module in model.modules() if isinstance(module, FusedSine)]
    assert len(sines) >= 2
    assert not any(type(module).__name__ in ("SineParam", "PhaseSineParam") for module in model.modules())
    if name != "waveresnet":  # the package drops its branches
        dropped = [
            m[0] for m in model.modules() if isinstance(m, nn.Sequential) and isinstance(m[-1], Dropout)
        ]
        assert [sine for sine in sines if not any(sine is d for d in dropped)] == []


@pytest.mark.parametrize(
    "wrong", [{"w0": 0.0}, {"decay_mode": "exp"}, {"frequency_init": -1.0}, {"kernel_size": 4}]
)
def test_a_wrong_config_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FAMILIES["psann_conv"].config(d_model=4, n_layers=1, **wrong)


def test_the_fan_in_of_geosparse_is_capped_by_what_is_in_reach():
    family = FAMILIES["geosparse"]
    config = family.config(d_model=1, n_layers=2)
    assert len(offsets_of(1, SHAPE)) == 9
    assert len(offsets_of(9, SHAPE)) == 33, "11 rows and 3 channels around a neuron in the middle"
    assert offsets_of(2, SHAPE)[0] == (0, 0), "the nearest first"
    assert [radius_of(family.with_width(config, k), SHAPE) for k in (1, 9, 10, 16)] == [0, 1, 2, 3]
    widest = fit_width(family, config, SHAPE, 10**9)
    assert widest.d_model == 33
    assert count_params(family, widest, SHAPE) == count_real(family, widest, SHAPE)
    indices = family.build(widest, SHAPE).core[1].blocks[0].fc1.in_index_per_out
    middle = 3 * 6 + 1
    assert len(set(indices[middle].tolist())) == 33


def test_geosparse_lands_on_budgets_that_its_input_can_hold():
    family = FAMILIES["geosparse"]
    for budget in (1_000, 2_000, 5_000):
        sized = [fit_width(family, family.config(d_model=1, n_layers=n), SHAPE, budget) for n in range(1, 24)]
        best = min(sized, key=lambda config: abs(count_params(family, config, SHAPE) - budget))
        assert abs(count_real(family, best, SHAPE) / budget - 1) < 0.05


def test_fused_parameters_can_be_copied_and_keep_their_names():
    model = build("psann")
    assert set(copy.deepcopy(model).state_dict()) == set(model.state_dict())
    assert "core.1.body.0.act.0._A" in model.state_dict()
