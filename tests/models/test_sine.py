"""The activation's own backward pass gives the package's values and gradients."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from psann.activations import PhaseSineParam, SineParam

from hpo.models.sine import FusedSine, fuse

LAYOUTS = {"flat": (-1, (40, 6)), "tokens": (-1, (8, 5, 6)), "channels first": (1, (8, 6, 5))}


def compare(source, z, grad):
    fused = FusedSine(copy.deepcopy(source))
    results = []
    for module in (source, fused):
        x = z.clone().requires_grad_()
        y = module(x)
        y.backward(grad)
        gradients = {name: p.grad for name, p in module.named_parameters()}
        results.append({"value": y.detach(), "input": x.grad, **gradients})
    expected, got = results
    assert set(expected) == set(got)
    for name in expected:
        reference = torch.zeros_like(got[name]) if expected[name] is None else expected[name]
        scale = max(1.0, float(reference.abs().max()))
        assert float((got[name] - reference).abs().max()) <= 1e-5 * scale, name


@pytest.mark.parametrize("cls", [SineParam, PhaseSineParam])
@pytest.mark.parametrize("mode", ["abs", "relu", "none"])
@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_values_and_gradients_are_the_packages(cls, mode, layout, data):
    feature_dim, shape = LAYOUTS[layout]
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    start = st.floats(0.05, 3.0)
    source = cls(
        6,
        amplitude_init=data.draw(start),
        frequency_init=data.draw(start),
        decay_init=data.draw(start),
        decay_mode=mode,
        feature_dim=feature_dim,
        **({"phase_init": data.draw(st.floats(-3.0, 3.0))} if cls is PhaseSineParam else {}),
    )
    z = data.draw(st.sampled_from([0.1, 1.0, 10.0])) * torch.randn(shape, generator=generator)
    z.view(-1)[0] = 0.0
    compare(source, z, torch.randn(shape, generator=generator))


def test_gradients_agree_with_finite_differences():
    from hpo.models.sine import _Sine

    torch.manual_seed(0)
    z = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    parameters = [(torch.rand(1, 4, dtype=torch.float64) + 0.2).requires_grad_() for _ in range(4)]
    for mode in ("abs", "relu", "none"):
        assert torch.autograd.gradcheck(lambda *t, mode=mode: _Sine.apply(*t, mode), (z, *parameters))


def test_fuse_reaches_every_sine_of_a_network():
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Sequential(SineParam(4)), PhaseSineParam(4))
    fuse(network)
    assert isinstance(network[1][0], FusedSine)
    assert isinstance(network[2], FusedSine)
    assert list(network[2].state_dict()) == ["_A", "_f", "_d", "_phi"]


def test_under_autocast_it_stays_in_bf16():
    fused = FusedSine(SineParam(4))
    z = torch.randn(5, 4).bfloat16()
    assert fused(z).dtype == torch.bfloat16
    torch.testing.assert_close(fused(z).float(), SineParam(4)(z.float()), atol=0.03, rtol=0.03)
