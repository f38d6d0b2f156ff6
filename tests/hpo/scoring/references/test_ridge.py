import numpy as np
import pytest
from sklearn.linear_model import Ridge

from hpo.data import prepare
from hpo.data.base import DataRequest
from hpo.scoring.references import ridge
from hpo.scoring.references.ridge import PENALTIES, Inputs, Moments
from hpo.scoring.references.windows import past


def mse(data, outputs):
    return float(np.mean((outputs - data.targets_at(data.splits.val)) ** 2))


def last_value(data):
    return past(data, data.splits.val, 1, data.table.target_offsets).reshape(len(data.splits.val), -1)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_moments_give_scikit_learns_ridge_of_any_penalty(penalty):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 1, (300, 20)) @ rng.normal(size=(20, 20))
    y = x[:, :3] + rng.normal(size=(300, 3))
    moments = Moments()
    for some in np.array_split(np.arange(300), 7):
        moments.add(x[some], y[some])
    weights, intercept = moments.fit(penalty)
    model = Ridge(alpha=penalty).fit(x, y)
    np.testing.assert_allclose(weights, model.coef_.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(intercept, model.intercept_, rtol=1e-6, atol=1e-9)


def test_what_it_reads_and_how_outputs_go_back(prepared):
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=400) for name in "abc"}
    data = prepared(columns, target=("c", "a"), context_length=10, horizon=4)
    ends = data.splits.train[:5]
    rows = np.stack([data.features[end - 9 : end + 1] for end in ends]).astype(np.float64)
    every = Inputs(own=False, relative=True, season=12).read(data, ends)
    assert every.shape == (5, 3 * 10 + 2)
    np.testing.assert_allclose(every[:, :30], (rows - rows[:, -1:]).reshape(5, 30))
    own = Inputs(own=True, relative=False, season=12)
    np.testing.assert_allclose(own.read(data, ends).reshape(5, 2, 10), rows[:, :, [2, 0]].transpose(0, 2, 1))
    values = rng.normal(size=(5, 4, 2))
    for inputs in (own, Inputs(own=False, relative=False, season=None)):
        np.testing.assert_array_equal(inputs.values(inputs.outputs(values), (4, 2)), values)


def test_of_a_random_walk_it_is_hardly_worse_than_the_last_value(prepared):
    rng = np.random.default_rng(0)
    columns = {f"noise{i}": rng.normal(size=3000) for i in range(5)}
    data = prepared({**columns, "walk": rng.normal(size=3000).cumsum()}, context_length=40, horizon=10)
    outputs, _ = ridge.forecast(data, None)
    assert mse(data, outputs) < 1.03 * mse(data, last_value(data))


def test_a_level_that_was_never_seen_does_not_mislead_it(prepared):
    """Two channels drift together in training; later the target moves to another world."""
    rng = np.random.default_rng(1)
    hours = np.arange(3000)
    daily = np.sin(2 * np.pi * hours / 24)
    drift = rng.normal(0, 0.05, 3000).cumsum()
    y = daily + drift + np.where(hours > 2000, (hours - 2000) * 0.02, 0.0) + rng.normal(0, 0.1, 3000)
    data = prepared({"other": drift + rng.normal(0, 0.1, 3000), "y": y}, context_length=48, horizon=24)
    outputs, _ = ridge.forecast(data, 24)
    seasonal = past(data, data.splits.val, 24, data.table.target_offsets).reshape(len(outputs), -1)
    assert mse(data, outputs) < 0.8 * min(mse(data, last_value(data)), mse(data, seasonal))


def test_without_an_origin_it_hardly_leaves_its_base(prepared):
    values = np.random.default_rng(0).normal(size=40).cumsum()
    data = prepared({"y": values}, context_length=20, horizon=5)
    assert len(data.splits.train) == 4
    outputs, words = ridge.forecast(data, None)
    assert np.isfinite(outputs).all()
    assert "penalty 1e+06" in words


def test_a_window_of_many_numbers_is_read_by_its_latest_rows(prepared, monkeypatch):
    rng = np.random.default_rng(0)
    data = prepared({f"x{i}": rng.normal(size=500) for i in range(6)}, context_length=40, horizon=2)
    monkeypatch.setattr(ridge, "MAX_INPUTS", 60)
    inputs = Inputs(own=False, relative=False, season=None).read(data, data.splits.val)
    rows = data.features[data.splits.val[:, None] + np.arange(-9, 1)]
    np.testing.assert_allclose(inputs, rows.reshape(len(rows), -1))
    outputs, _ = ridge.forecast(data, None)
    assert outputs.shape == (len(data.splits.val), 2)


def test_several_targets_are_forecast_step_by_step(prepared):
    hours = np.arange(1500)
    columns = {f"x{i}": np.sin(2 * np.pi * (hours / 24 + i / 5)) for i in range(3)}
    data = prepared(columns, target=("x2", "x0"), context_length=48, horizon=7)
    outputs, _ = ridge.forecast(data, 24)
    np.testing.assert_allclose(outputs, data.targets_at(data.splits.val), atol=0.01)


@pytest.mark.parametrize(
    ("context_length", "horizon", "at_most"), [(80, 96, 0.100), (96, 96, 0.099), (96, 24, 0.051)]
)
def test_of_etth1(data_dir, context_length, horizon, at_most):
    """With raw levels of all channels it was 0.171 at a horizon of 96; last value scores 0.136 and 0.070."""
    data = prepare("etth1", DataRequest(context_length=context_length, horizon=horizon))
    outputs, _ = ridge.forecast(data, 24)
    assert mse(data, outputs) < at_most


def test_of_the_example_in_the_docs(data_dir):
    """The best trial of the search there scored 0.204, and a ridge of raw levels 0.359."""
    path = data_dir / "ETTh1.csv.xz"
    request = DataRequest(
        context_length=96, horizon=24, limit=2000, path=path, target=("OT",), time=("date",)
    )
    data = prepare("ETTh1", request)
    outputs, _ = ridge.forecast(data, 24)
    assert mse(data, outputs) < 0.19
