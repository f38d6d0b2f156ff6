"""What several families share: dropout, attention, the normalisation of windows."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from hpo.models.base import ForecastShape
from hpo.models.blocks import (
    PLAIN_TOKENS,
    Dropout,
    SelfAttention,
    WindowNorm,
    attends_in_plain_products,
)


@pytest.mark.parametrize("p", [0.05, 0.1, 0.3, 0.5, 0.7, 0.95])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_with_its_probability_and_keeps_the_mean(p, dtype):
    torch.manual_seed(0)
    y = Dropout(p)(torch.ones(1000, 1001, dtype=dtype)).double()
    dropped = float((y == 0).double().mean())
    assert dropped == pytest.approx(p, abs=1 / 512 + 0.002)
    assert float(y.mean()) == pytest.approx(1.0, abs=0.02)
    assert y.unique().numel() == 2
    # Bytes are drawn eight at a time: each of the eight must drop as often as the others.
    shares = (y.flatten()[: y.numel() // 8 * 8].view(-1, 8) == 0).double().mean(dim=0)
    assert float((shares - dropped).abs().max()) < 0.006


def test_numbers_are_dropped_independently():
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(4000, 64)) == 0).double()
    correlation = torch.corrcoef(dropped.T) - torch.eye(64)
    assert float(correlation.abs().max()) < 5 / 4000**0.5


@pytest.mark.parametrize("p", [1e-4, 0.999])
def test_a_dropout_near_an_end_still_drops_and_keeps_something(p):
    torch.manual_seed(0)
    y = Dropout(p)(torch.ones(10_000))
    assert 0 < int((y == 0).sum()) < 10_000


def test_the_gradient_goes_where_the_number_was_kept():
    torch.manual_seed(0)
    x = torch.randn(7, 13, requires_grad=True)
    onto = torch.randn(7, 13, requires_grad=True)
    y = Dropout(0.5)(x, onto=onto)
    y.sum().backward()
    kept = x.grad != 0
    assert 20 < int(kept.sum()) < 70
    torch.testing.assert_close(x.grad[kept], torch.full_like(x.grad[kept], 2.0))
    torch.testing.assert_close(y, onto + x * x.grad)
    assert torch.equal(onto.grad, torch.ones_like(onto))


def test_dropout_in_eval_or_at_zero_is_nothing_and_draws_nothing():
    x, onto = torch.randn(5, 3), torch.randn(5, 3)
    state = torch.get_rng_state()
    for drop in (Dropout(0.5).eval(), Dropout(0.0)):
        assert drop(x) is x
        assert torch.equal(drop(x, onto=onto), onto + x)
    assert torch.equal(torch.get_rng_state(), state)


def test_masks_follow_from_the_generators_state():
    drop, x = Dropout(0.3), torch.ones(3, 5, 7)
    drop(x)
    state = torch.get_rng_state()
    first = [drop(x), drop(x)]
    torch.set_rng_state(state)
    assert all(torch.equal(drop(x), mask) for mask in first)
    assert not torch.equal(*first)


@pytest.mark.parametrize("tokens", [1, 11, 100])
def test_both_ways_to_attend_are_the_same(tokens, monkeypatch):
    torch.manual_seed(0)
    attention, x = SelfAttention(16, 4), torch.randn(3, tokens, 16, requires_grad=True)
    results = []
    for limit in (0, 1000):
        monkeypatch.setitem(PLAIN_TOKENS, torch.float32, limit)
        y = attention(x)
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
        results.append((y, gradient))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_attention_is_torchs_multi_head_attention():
    torch.manual_seed(0)
    attention, x = SelfAttention(16, 2), torch.randn(3, 10, 16)
    full = nn.MultiheadAttention(16, 2, batch_first=True)
    with torch.no_grad():
        full.in_proj_weight.copy_(attention.qkv.weight)
        full.in_proj_bias.copy_(attention.qkv.bias)
        full.out_proj.load_state_dict(attention.out.state_dict())
    torch.testing.assert_close(attention(x), full(x, x, x, need_weights=False)[0], atol=1e-5, rtol=1e-4)


def test_few_tokens_or_dropout_on_a_processor_take_plain_products():
    few, many = torch.zeros(1, 1, 8, 4), torch.zeros(1, 1, 500, 4)
    assert attends_in_plain_products(few, 0.0)
    assert not attends_in_plain_products(many, 0.0)
    assert attends_in_plain_products(many, 0.1), "torch's fused attention has no dropout on a processor"
    assert not attends_in_plain_products(few.to("meta"), 0.1)


def test_the_dropout_of_attention_weights_acts():
    torch.manual_seed(0)
    attention, x = SelfAttention(16, 4, dropout=0.5), torch.randn(2, 50, 16)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    torch.testing.assert_close(attention(x), attention(x))


def test_revin_is_the_windows_mean_and_standard_deviation():
    shape = ForecastShape(context_length=40, n_channels=3, n_outputs=2, target_channels=(1,))
    x = 5 * torch.randn(6, 40, 3) + 100
    y, shift, scale = WindowNorm("revin", shape, affine=False)(x)
    torch.testing.assert_close(scale, (x.var(dim=1, keepdim=True, unbiased=False) + 1e-5).sqrt())
    expected = functional.instance_norm(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(y, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(y * scale + shift, x)
