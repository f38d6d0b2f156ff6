import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from hpo.errors import BudgetError
from hpo.models import FAMILIES
from hpo.models.base import ForecastShape
from hpo.models.sizing import TOLERANCE, count_real
from hpo.models.space import Choice, Float
from hpo.search.forced import forced_configs
from hpo.search.plan import coordinate_of, depth_at, make_plan
from hpo.system.counts import format_budget

# dlinear has one size on an input, and a real geosparse takes long to build: they have tests of their own.
SIZED = [name for name in FAMILIES if name not in ("dlinear", "geosparse")]
SHAPE = ForecastShape(context_length=80, n_channels=26, n_outputs=1)
PLANS = {}


def plan_of(name, budgets=(2_000_000,), shape=SHAPE):
    key = name, budgets, shape
    if key not in PLANS:
        PLANS[key] = make_plan(FAMILIES[name], shape, budgets)
    return PLANS[key]


def draw_params(data, space):
    params = {}
    for name, dimension in space.items():
        if isinstance(dimension, Choice):
            params[name] = data.draw(st.sampled_from(dimension.values), label=name)
        else:
            assert isinstance(dimension, Float)
            params[name] = data.draw(st.floats(dimension.low, dimension.high), label=name)
    return params


@pytest.mark.parametrize("name", SIZED)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_every_point_of_the_space_lies_on_its_budget(name, data):
    plan = plan_of(name, (750_000, 2_000_000))
    params = draw_params(data, plan.space)
    spec = plan.resolve(params)
    assert format_budget(spec.budget) == params["budget"]
    assert abs(spec.deviation) <= TOLERANCE
    with FakeTensorMode():  # builds the module without its memory: an independent count
        assert spec.param_count == count_real(plan.family, spec.model, SHAPE)
    assert spec.weight_decay == (params["weight_decay"] if params["use_weight_decay"] else 0.0)
    assert spec.model.dropout == params["dropout"]


@pytest.mark.parametrize("name", SIZED)
def test_the_forced_configs_at_2m_are_nine_and_all_differ(name):
    plan = plan_of(name)
    assert [trial.origin for trial in plan.forced] == [c.origin for c in forced_configs((2_000_000,))]
    assert len({repr(trial.spec) for trial in plan.forced}) == 9
    shallow, deep = plan.forced[0].spec.model, plan.forced[1].spec.model
    assert (shallow.n_layers, deep.n_layers) == (2, 5)
    assert shallow.d_model > deep.d_model
    for trial, config in zip(plan.forced, forced_configs((2_000_000,)), strict=True):
        assert trial.spec.model.dropout == config.dropout
        assert trial.spec.learning_rate == config.learning_rate
        assert trial.spec.weight_decay == config.weight_decay
        if trial.spec.canonical:
            assert trial.spec.model.d_model == config.canonical_d_model
            assert trial.spec.model.d_ff == 4 * config.canonical_d_model
            assert trial.spec.model.n_heads == config.n_heads
        else:
            assert abs(trial.spec.deviation) <= TOLERANCE
        assert trial.spec.canonical == plan.family.canonical


@pytest.mark.parametrize("name", SIZED)
def test_a_forced_config_is_a_point_of_the_space(name):
    plan = plan_of(name)
    for trial in plan.forced:
        assert trial.params.keys() == plan.space.keys()
        for key, dimension in plan.space.items():
            if isinstance(dimension, Choice):
                assert trial.params[key] in dimension.values
            else:
                assert dimension.low <= trial.params[key] <= dimension.high
        assert plan.resolve(trial.params, trial.origin) == trial.spec
        if not trial.spec.canonical:
            assert plan.resolve(trial.params) == trial.spec


@given(
    depths=st.lists(st.integers(1, 256), min_size=1, max_size=40, unique=True).map(
        lambda d: tuple(sorted(d))
    ),
    coordinate=st.floats(0, 1),
)
def test_coordinates_reach_every_depth_and_only_feasible_ones(depths, coordinate):
    assert depth_at(depths, coordinate) in depths
    assert depth_at(depths, 0.0) == depths[0]
    assert depth_at(depths, 1.0) == depths[-1]
    for depth in depths:
        assert depth_at(depths, coordinate_of(depths, depth)) == depth


def test_depth_grows_on_a_log_scale():
    depths = tuple(range(1, 33))
    assert [depth_at(depths, c / 5) for c in range(6)] == [1, 2, 4, 8, 16, 32]
    assert math.isclose(coordinate_of(depths, 8), 0.6)


def test_patchtst_shapes_count_what_the_table_says():
    plan = make_plan(FAMILIES["patchtst"], SHAPE, (750_000, 2_000_000, 20_000_000, 200_000_000))
    about = [884e3, 786e3, 2.5e6, 2.2e6, 21e6, 21e6, 226e6, 197e6]
    counts = [trial.spec.param_count for trial in plan.forced[:8]]
    assert counts == pytest.approx(about, rel=0.10), "exact counts differ with inputs"
    assert len(plan.forced) == 18


def test_a_budget_out_of_reach_says_what_is_in_reach():
    wide = ForecastShape(context_length=336, n_channels=200, n_outputs=1)
    with pytest.raises(BudgetError, match=r"mlp cannot hold a budget of 100k .* from 268,\d+ to"):
        make_plan(FAMILIES["mlp"], wide, (100_000,))


def test_forced_configs_that_an_input_makes_alike_run_once():
    # One channel over 22,000 rows leaves the 750k budget few depths; whatever is left differs.
    plan = make_plan(
        FAMILIES["mlp"], ForecastShape(context_length=22_000, n_channels=1, n_outputs=1), (750_000,)
    )
    assert len({repr(trial.spec) for trial in plan.forced}) == len(plan.forced) >= 1


def test_a_family_of_one_size_says_which():
    message = r"^budget: model dlinear has one size .*: 4,162 parameters; give 4162$"
    with pytest.raises(BudgetError, match=message):
        make_plan(FAMILIES["dlinear"], SHAPE, (2_000_000,))
    plan = make_plan(FAMILIES["dlinear"], SHAPE, (4162,))
    assert [trial.spec.param_count for trial in plan.forced] == [4162], "its shapes are all alike: one runs"


def test_geosparse_takes_depth_and_fan_in_from_the_budget():
    shape = ForecastShape(context_length=20, n_channels=9, n_outputs=1)
    plan = make_plan(FAMILIES["geosparse"], shape, (50_000,))
    base = plan.forced[0].params
    for extras in (
        {},
        {"activation": "mixed", "norm": "none"},
        {"activation": "relu-sigmoid-psann", "pattern": "random", "extra_radius": 2},
    ):
        for coordinate in (0.0, 0.4, 1.0):
            spec = plan.resolve({**base, **extras, "shape": coordinate})
            assert abs(spec.deviation) <= TOLERANCE
            assert spec.param_count == count_real(plan.family, spec.model, shape)
            assert 4 <= spec.model.d_model <= 19 * 9
    with pytest.raises(BudgetError, match=r"geosparse cannot hold a budget of 2B"):
        make_plan(FAMILIES["geosparse"], shape, (2_000_000_000,))


@pytest.mark.parametrize("name", ["patchtst", "itransformer", "informer", "transformer"])
def test_two_billion_are_planned_without_being_allocated(name):
    plan = plan_of(name, (2_000_000_000,))
    assert [trial.origin for trial in plan.forced] == [
        "forced:architecture:2B-shallow",
        "forced:architecture:2B-deep",
    ]
    for trial in plan.forced:
        assert abs(trial.spec.deviation) <= TOLERANCE
