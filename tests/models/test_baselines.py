"""What is each baseline's own."""

import pytest
import torch
from torch import nn

from hpo.models import FAMILIES
from hpo.models.base import ForecastShape
from hpo.models.blocks import Dropout, sinusoidal_position
from hpo.models.informer import ProbSparseAttention, settled_depth, shortened
from hpo.models.tcn import dilations

SHAPE = ForecastShape(context_length=16, n_channels=3, n_outputs=4, target_channels=(0, 2))


def build(name, **settings):
    family = FAMILIES[name]
    torch.manual_seed(0)
    defaults = {"d_model": 16, "n_layers": 2, "dropout": 0.0, "normalisation": "none"}
    config = family.config(**{**defaults, **settings})
    return family.build(config, SHAPE).eval()


def moves(model, row, channel=1):
    """Whether the forecast changes with one number of the window."""
    x = torch.randn(1, 16, 3)
    y = x.clone()
    y[0, row, channel] += 1.0
    return not torch.equal(model(x), model(y))


def test_mlp_has_dropout_after_each_hidden_layer():
    assert sum(isinstance(module, Dropout) for module in build("mlp").modules()) == 2


@pytest.mark.parametrize(
    ("n_blocks", "kernel_size", "context", "expected"),
    [
        (5, 3, 16, [1, 2, 4, 8, 1]),
        (3, 7, 4, [1, 1, 1]),
        (4, 2, 5, [1, 2, 4, 1]),
        (3, 1, 50, [1, 1, 1]),
    ],
)
def test_tcn_dilations_double_and_start_again(n_blocks, kernel_size, context, expected):
    assert dilations(n_blocks, kernel_size, context) == expected


def test_tcn_is_causal_and_sees_the_whole_window():
    model = build("tcn", n_layers=4)
    assert moves(model, 0)
    assert moves(model, 15)
    blocks = model.core.blocks
    x = torch.randn(1, 16, 16)
    y = x.clone()
    y[0, :, 9] += 1.0
    changed = (blocks(x) != blocks(y)).any(dim=1)[0]
    assert not changed[:9].any(), "a step saw what came later"
    assert changed[9:].any()


def test_a_deep_tcn_still_learns():
    model = build("tcn", n_layers=28).train()
    model(torch.randn(4, 16, 3)).square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model.parameters())


def test_lstm_reads_both_ways_on_request():
    one, both = build("lstm"), build("lstm", bidirectional=True)
    assert both.core.head.in_features == 2 * one.core.head.in_features


def test_dlinear_is_linear_in_the_target_channels_alone():
    model = build("dlinear")
    x, y = torch.randn(2, 1, 16, 3)
    zero = model(torch.zeros(1, 16, 3))
    torch.testing.assert_close(model(x + y) - zero, model(x) - zero + model(y) - zero, atol=1e-5, rtol=1e-5)
    assert not moves(model, 5, channel=1)
    assert moves(model, 5, channel=2)


def test_dlinear_splits_trend_and_remainder():
    model = build("dlinear", kernel_size=5).core
    with torch.no_grad():
        for layer in (model.trend, model.remainder):
            layer.weight.zero_()
            layer.bias.zero_()
        model.trend.weight[0, 7] = 1.0
    x = torch.randn(1, 16, 3)
    steps = model(x).view(2, 2)  # (H, K)
    torch.testing.assert_close(steps[0], x[0, 5:10, [0, 2]].mean(dim=0))


def test_itransformer_mixes_channels_and_keeps_their_forecasts_apart():
    model = build("itransformer")
    assert moves(model, 3, channel=1), "a channel that is not forecast informs those that are"
    with torch.no_grad():
        for layer in model.layers[:2]:
            layer.attention.out.weight.zero_()
    x = torch.randn(1, 16, 3)
    y = x.clone()
    y[0, :, 2] += 1.0
    difference = (model(x) != model(y)).view(2, 2)
    assert difference[:, 1].all()
    assert not difference[:, 0].any(), "without attention a channel knows nothing of another"


@pytest.mark.parametrize(("context", "depth"), [(1, 1), (3, 1), (4, 2), (80, 8)])
def test_informer_distils_while_it_shortens(context, depth):
    shape = ForecastShape(context_length=context, n_channels=2, n_outputs=1)
    assert settled_depth(shape) == depth
    family = FAMILIES["informer"]
    for n_layers in (1, 3, 12):
        model = family.build(family.config(d_model=8, n_layers=n_layers, d_ff=8), shape)
        n_distils = sum(type(module).__name__ == "_Distil" for module in model.modules())
        assert n_distils == min(n_layers, depth) - 1
    tokens = torch.randn(2, 9, 8)
    assert model.eval().encoder[1](tokens).shape[1] == shortened(9) if depth > 1 else True


def test_probsparse_is_full_attention_where_all_queries_are_chosen():
    torch.manual_seed(0)
    sparse = ProbSparseAttention(16, 2, factor=50).eval()
    x = torch.randn(3, 10, 16)
    full = nn.MultiheadAttention(16, 2, batch_first=True)
    with torch.no_grad():
        full.in_proj_weight.copy_(torch.cat([sparse.query.weight, sparse.key.weight, sparse.value.weight]))
        full.in_proj_bias.copy_(torch.cat([sparse.query.bias, sparse.key.bias, sparse.value.bias]))
        full.out_proj.load_state_dict(sparse.out.state_dict())
    torch.testing.assert_close(sparse(x), full(x, x, x, need_weights=False)[0], atol=1e-5, rtol=1e-4)
    masked = ProbSparseAttention(16, 2, factor=50, masked=True).eval()
    masked.load_state_dict(sparse.state_dict())
    mask = nn.Transformer.generate_square_subsequent_mask(10)
    expected = full(x, x, x, attn_mask=mask, need_weights=False)[0]
    torch.testing.assert_close(masked(x), expected, atol=1e-5, rtol=1e-4)


def test_probsparse_leaves_the_random_generator_alone():
    attention = ProbSparseAttention(16, 2, factor=1)
    x = torch.randn(2, 30, 16)
    state = torch.get_rng_state()
    assert torch.equal(attention(x), attention(x))
    assert torch.equal(state, torch.get_rng_state())


def test_positions_are_those_of_the_paper():
    position = sinusoidal_position(7, 6)
    assert position.shape == (7, 6)
    assert position[3, 4].item() == pytest.approx(torch.sin(torch.tensor(3 / 10_000 ** (4 / 6))).item())
    assert position[3, 5].item() == pytest.approx(torch.cos(torch.tensor(3 / 10_000 ** (4 / 6))).item())
