"""Forecasts from raw rows: the numbers of the trial's record, in the user's units, or one line."""

import numpy as np
import pandas as pd
import pytest

import hpo
from hpo.learn.forecaster import load_forecaster

TINY = {
    "model": "mlp", "budget": "5k", "context": 8, "horizon": 3, "trials": 1, "epochs": 2, "threads": 1,
    "device": "cpu",
}  # fmt: skip


def series(n=400, seed=0):
    """Two targets of other units, a boolean, a text and a column with gaps, hourly."""
    rng = np.random.default_rng(seed)
    hours = np.arange(n)
    load = 5_000 + 900 * np.sin(hours / 24 * 2 * np.pi) + 50 * rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=n, freq="h"),
            "price": 0.02 + 0.001 * rng.normal(size=n),
            "holiday": np.where(rng.random(n) < 0.2, "yes", "no"),
            "weather": rng.choice(["sun", "rain", "snow"], n),
            "wind": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "load": load,
        }
    )
    return frame


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regression")
    path = folder / "load.csv"
    series().to_csv(path, index=False)
    return hpo.run(data=path, target="load,price", time="date", out=folder / "outputs", **TINY), path


def recomputed(study, path):
    """Validation metrics of the best trial's forecasts from raw rows, and those of its record."""
    from hpo.engine.context import make_context
    from hpo.study.config import read_own_config

    context = make_context(read_own_config(study.folder))
    forecaster = load_forecaster(study.files.weights(study.best.trial_number).parent)
    rows = forecaster.bundle.replay.read(path)
    ends = context.data.splits.val
    offset = np.flatnonzero(rows.times == context.data.table.timestamps[0])[0]
    outputs = forecaster.outputs(rows, ends + offset)
    truth = rows.targets[ends[:, None] + offset + np.array(forecaster.bundle.steps)].reshape(len(ends), -1)
    scores = forecaster._scores(rows, ends + offset, outputs, truth)
    return scores, study.best.metrics.val


def test_raw_rows_give_the_numbers_of_the_record(regression):
    scores, recorded = recomputed(*regression)
    assert scores.keys() == recorded.keys()
    assert scores == pytest.approx(recorded, rel=1e-5)


def test_without_new_data_it_forecasts_from_the_last_row_on(regression):
    study, path = regression
    forecast = study.best.predict()
    assert list(forecast.columns) == ["series", "origin", "timestamp", "step", "column", "forecast"]
    assert forecast["step"].tolist() == [1, 1, 2, 2, 3, 3]
    last = pd.Timestamp("2024-01-01") + pd.Timedelta(hours=399)
    assert (forecast["origin"] == last).all()
    assert (forecast["timestamp"] == last + pd.to_timedelta(forecast["step"], unit="h")).all()
    load = forecast.loc[forecast["column"] == "load", "forecast"]
    price = forecast.loc[forecast["column"] == "price", "forecast"]
    assert load.between(3_000, 7_000).all()
    assert price.between(0.01, 0.03).all()


def test_an_exported_folder_gives_the_same_forecasts(regression, tmp_path):
    study, path = regression
    folder = study.best.export(tmp_path / "winner")
    assert sorted(each.name for each in folder.iterdir()) == [
        "README.md", "config.json", "example.csv", "model.safetensors",
    ]  # fmt: skip
    loaded = hpo.load(folder)
    own = study.best.predict()
    for data in (None, path, series(), series().tail(40), series().set_index("date")):
        pd.testing.assert_frame_equal(loaded.predict(data), own)
    assert study.best.export(tmp_path / "winner") == folder
