"""What every model family must do, whatever it is made of."""

import sys

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from hpo.models import FAMILIES
from hpo.models.base import NORMALISATIONS, ForecastShape
from hpo.models.space import Choice, Float

CONTEXT, CHANNELS = 12, 3
TASKS = {
    "regression": {"n_outputs": 4, "target_channels": (1,)},
    "several targets": {"n_outputs": 6, "target_channels": (2, 0)},
    "binary": {"n_outputs": 1},
    "classes": {"n_outputs": 6},
}


def shape_of(task="regression", context=CONTEXT, channels=CHANNELS):
    return ForecastShape(context_length=context, n_channels=channels, **TASKS[task])


def build(name, shape=None, seed=0, **settings):
    family = FAMILIES[name]
    config = family.config(**{"d_model": 16, "n_layers": 2, "dropout": 0.0, **settings})
    torch.manual_seed(seed)
    return family.build(config, shape or shape_of())


def windows(batch=5, context=CONTEXT, channels=CHANNELS, seed=1):
    return torch.randn(batch, context, channels, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", TASKS)
def test_outputs_have_the_tasks_shape(name, task):
    shape = shape_of(task)
    assert build(name, shape)(windows()).shape == (5, shape.n_outputs)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("context", [1, 2, 31, 96])
@pytest.mark.parametrize("n_outputs", [1, 48])
def test_other_contexts_and_horizons(name, context, n_outputs):
    shape = ForecastShape(context_length=context, n_channels=2, n_outputs=n_outputs, target_channels=(1,))
    outputs = build(name, shape)(windows(context=context, channels=2))
    assert outputs.shape == (5, n_outputs)
    assert outputs.isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("channels", [1, 200])
def test_one_channel_and_two_hundred(name, channels):
    shape = ForecastShape(context_length=6, n_channels=channels, n_outputs=2, target_channels=(0,))
    assert build(name, shape)(windows(context=6, channels=channels)).shape == (5, 2)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", TASKS)
def test_a_batch_of_one_trains_and_forecasts(name, task):
    model = build(name, shape_of(task), dropout=0.1)
    model(windows(batch=1)).sum().backward()
    outputs = model.eval()(windows(batch=3))
    torch.testing.assert_close(model(windows(batch=3)[:1]), outputs[:1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_every_parameter_learns_within_two_steps(name, normalisation):
    model = build(name, normalisation=normalisation)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    reached = set()
    for step in range(2):
        optimizer.zero_grad()
        (model(windows(seed=step)) - 1.0).square().sum().backward()
        optimizer.step()
        reached |= {key for key, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {key for key, _ in model.named_parameters()}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_gives_the_same_numbers(name):
    def numbers(seed):
        model = build(name, seed=seed, dropout=0.3)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for step in range(2):
            optimizer.zero_grad()
            model(windows(seed=step)).square().sum().backward()
            optimizer.step()
        return model.eval()(windows(seed=9))

    assert torch.equal(numbers(3), numbers(3))
    assert not torch.equal(numbers(3), numbers(4))


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_go_through_safetensors(name):
    source, target = build(name, seed=1), build(name, seed=2)
    source(windows())  # batch statistics are weights too
    target.load_state_dict(load(save({k: v.contiguous() for k, v in source.state_dict().items()})))
    assert torch.equal(source.eval()(windows()), target.eval()(windows()))


@pytest.mark.parametrize("name", FAMILIES)
def test_bf16_is_near_fp32(name):
    model = build(name, shape_of("binary"), n_layers=1).eval()
    exact = model(windows(64))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model(windows(64)).float()
    assert rounded.isfinite().all()
    assert (rounded - exact).abs().mean() < 0.05 * exact.abs().mean() + 0.02


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("normalisation", ["revin", "last"])
def test_a_shifted_window_gives_a_forecast_shifted_alike(name, normalisation):
    model = build(name, normalisation=normalisation).eval()
    x, shift = windows(), torch.tensor([10.0, -5.0, 3.0])
    torch.testing.assert_close(model(x + shift), model(x) + shift[1], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_revin_scales_the_forecast_with_the_window(name):
    model = build(name, normalisation="revin").eval()
    torch.testing.assert_close(model(windows() * 100), model(windows()) * 100, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_are_not_restored(name):
    model = build(name, shape_of("binary"), normalisation="last").eval()
    torch.testing.assert_close(model(windows() + 7.0), model(windows()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_dropout_acts_in_training_alone(name):
    residual = {"alpha_init": 1.0} if hasattr(FAMILIES[name].config, "alpha_init") else {}
    model = build(name, dropout=0.5, **residual)
    x = windows(64)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_point_of_the_space_builds(name):
    family = FAMILIES[name]
    for key, dimension in family.space.items():
        values = dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)
        for value in values:
            assert build(name, **{key: value})(windows(2)).isfinite().all(), (key, value)
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


@pytest.mark.parametrize("name", FAMILIES)
def test_a_choice_that_is_not_offered_is_refused(name):
    family = FAMILIES[name]
    for key, dimension in family.space.items():
        if isinstance(dimension, Choice) and isinstance(dimension.values[0], str):
            with pytest.raises(ValueError, match=key):
                family.config(d_model=4, n_layers=1, **{key: "nonsense"})


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_says_what_it_is(name):
    family = FAMILIES[name]
    assert family.name == name
    assert family.title
    assert family.source
    module = sys.modules[family.config.__module__]
    assert "Source:" in module.__doc__
    assert set(family.size_choices) <= set(family.space)
    assert isinstance(build(name), nn.Module)
