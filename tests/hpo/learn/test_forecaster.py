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
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=n, freq="h"),
            "price": 0.02 + 0.001 * rng.normal(size=n),
            "holiday": np.where(rng.random(n) < 0.2, "yes", "no"),
            "weather": rng.choice(["sun", "rain", "snow"], n),
            "wind": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "load": load,
        }
    )


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
    study, _path = regression
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


def run(folder, frame, **settings):
    path = folder / "data.csv"
    frame.to_csv(path, index=False)
    return hpo.run(data=path, out=folder / "outputs", **{**TINY, **settings}), path


def test_a_binary_task_forecasts_the_probability_of_yes(tmp_path):
    frame = series()
    frame["high"] = (frame["load"] > frame["load"].median()).astype(int)
    study, path = run(tmp_path, frame, target="high", task="binary")
    scores, recorded = recomputed(study, path)
    assert scores == pytest.approx(recorded, rel=1e-5)
    forecast = study.best.predict()
    assert forecast["column"].tolist() == ["high"]
    assert forecast["step"].tolist() == [3]
    assert forecast["forecast"].between(0, 1).all()
    rolled = study.best.predict(path, rolling=True)
    assert set(rolled["truth"]) == {0.0, 1.0}


@pytest.mark.parametrize("tier_or_series", ["periodic", "sp500"])
def test_a_data_set_of_the_catalogue_gives_the_numbers_of_the_record(tmp_path, tier_or_series):
    from hpo.api.winner import forecaster_of, own_rows
    from hpo.engine.context import make_context
    from hpo.study.config import read_own_config

    study = hpo.run(data=tier_or_series, out=tmp_path, limit=200, **TINY)
    context = make_context(read_own_config(study.folder))
    forecaster = forecaster_of(study.files)
    table = context.data.table
    raw = pd.DataFrame(table.features, columns=table.channel_names, index=pd.DatetimeIndex(table.timestamps))
    rows = forecaster.read(raw)
    ends = context.data.splits.val
    outputs = forecaster.outputs(rows, ends)
    truth = context.data.targets_at(ends).astype(np.float64)
    scores = forecaster.bundle.scorer.metrics(outputs, truth, context.data.target_values[ends].astype(float))
    assert scores == pytest.approx(study.best.metrics.val, rel=1e-5)
    own = forecaster.forecast(own_rows(study.files, forecaster))
    pd.testing.assert_frame_equal(forecaster.forecast(rows), own)


def test_rolling_holds_each_forecast_against_what_came(regression):
    study, _path = regression
    frame = study.best.predict(series(60), rolling=True)
    origins = frame["origin"].drop_duplicates()
    assert len(origins) == (60 - 8) // 3
    assert (origins.diff().dropna() == pd.Timedelta(hours=3)).all()
    truth = series(60).set_index("date")["load"]
    of_load = frame[frame["column"] == "load"]
    assert of_load["truth"].tolist() == truth[of_load["timestamp"]].tolist()


def test_series_are_told_apart(tmp_path):
    frames = [series(200, seed).assign(shop=name) for seed, name in enumerate(("Ulm", "Bonn"))]
    study, _path = run(tmp_path, pd.concat(frames), target="load", series="shop", groups=None)
    forecast = study.best.predict()
    assert forecast.groupby("series").size().to_dict() == {"Ulm": 3, "Bonn": 3}
    alone = study.best.predict(frames[1].drop(columns="shop"))
    bonn = forecast[forecast["series"] == "Bonn"]
    assert alone["forecast"].tolist() == pytest.approx(bonn["forecast"].tolist(), rel=1e-5)
    loaded = hpo.load(study.best.export(tmp_path / "winner"))
    pd.testing.assert_frame_equal(loaded.predict(), forecast)


def test_a_study_of_some_series_forecasts_those(tmp_path):
    frames = [series(200, seed).assign(shop=name) for seed, name in enumerate(("Ulm", "Bonn"))]
    study, _ = run(tmp_path, pd.concat(frames), target="load", series="shop", groups="Bonn")
    assert set(study.best.predict()["series"]) == {"Bonn"}


def wrong(frame, **changes):
    return frame.tail(30).assign(**changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.tail(7), "needs 8 rows, got 7"),
        (lambda f: f.drop(columns="price"), "column price is missing; the model needs"),
        (lambda f: f.drop(columns=["price", "wind"]), "columns price, wind are missing"),
        (lambda f: f.drop(columns="date"), "there is no column 'date'"),
        (lambda f: f.iloc[::2].tail(30), "0 days 02:00:00 apart; the model was trained on rows 1 hour apart"),
        (lambda f: f.drop(index=f.index[-3]).tail(30), "comes 2024-01-17 14:00:00"),
        (lambda f: wrong(f, load="many"), "column 'load' must hold numbers"),
        (lambda f: wrong(f, price=np.inf), "infinity"),
        (lambda f: wrong(f, date="soon"), "column 'date' holds no times"),
        (lambda f: pd.concat([f.tail(30)] * 2).assign(load=range(60)), "times repeat"),
    ],
)
def test_rows_that_do_not_fit_are_refused_in_one_line(regression, change, message):
    study, _ = regression
    with pytest.raises(hpo.HpoError) as refused:
        study.best.predict(change(series()))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_the_model_does_not_know_is_said(regression):
    study, _ = regression
    forecaster = hpo.load(study.files.weights(0).parent)
    rows = forecaster.read(series().tail(30).assign(weather="hail", colour="red", size=range(30)))
    assert "ignored: colour, size" in rows.notes[0]
    assert "'weather' holds what training rows had not: hail" in rows.notes[1]
    forecaster.forecast(rows)


def test_another_way_to_write_a_file_is_read_like_it(regression, tmp_path):
    study, _path = regression
    own = study.best.predict()
    german = series().assign(date=series()["date"].dt.strftime("%d.%m.%Y %H:%M"))
    german.to_csv(tmp_path / "german.csv", sep=";", decimal=",", index=False)
    series().iloc[::-1].to_csv(tmp_path / "turned.csv", index=False)
    series().to_parquet(tmp_path / "typed.parquet")
    for name in ("german.csv", "turned.csv", "typed.parquet"):
        pd.testing.assert_frame_equal(study.best.predict(tmp_path / name), own)


@pytest.mark.parametrize("frequency", ["B", "MS", "ME", "W", "15min", "QS"])
def test_times_go_on_with_the_data_s_own_step(tmp_path, frequency):
    frame = series(160)
    frame["date"] = pd.date_range("2001-01-01", periods=161, freq=frequency)[:160]
    study, _ = run(tmp_path, frame, target="load")
    expected = pd.date_range(frame["date"].iloc[-1], periods=4, freq=frequency)[1:]
    assert study.best.predict()["timestamp"].tolist() == expected.tolist()


def test_rows_that_are_counted_go_on_counting(tmp_path):
    study, _ = run(tmp_path, series(160).drop(columns="date"), target="load")
    forecast = study.best.predict()
    assert forecast["origin"].tolist() == [160] * 3
    assert forecast["timestamp"].tolist() == [161, 162, 163]
    loaded = hpo.load(study.best.export(tmp_path / "winner"))
    assert loaded.predict()["forecast"].tolist() == forecast["forecast"].tolist()


def test_numbers_with_a_comma_come_back_from_the_example(tmp_path):
    path = tmp_path / "data.csv"
    series(200).round({"price": 3, "load": 1}).to_csv(path, index=False, sep=";", decimal=",")
    study = hpo.run(data=path, target="load", out=tmp_path / "outputs", **TINY)
    loaded = hpo.load(study.best.export(tmp_path / "winner"))
    pd.testing.assert_frame_equal(loaded.predict(), study.best.predict())


def test_weights_that_are_gone_come_back(tmp_path):
    from hpo.api.winner import forecaster_of
    from hpo.engine.rerun import rerun_trial
    from hpo.store.results import drop_kept

    study = hpo.run(data="periodic", limit=200, out=tmp_path, **{**TINY, "trials": 2})
    beaten = 1 - study.best.trial_number
    before = forecaster_of(study.files, beaten).model.state_dict()
    drop_kept(study.files, beaten)
    with pytest.raises(hpo.HpoError, match=rf"hpo rerun .*; kept: {study.best.trial_number}$"):
        forecaster_of(study.files, beaten)
    assert rerun_trial(study.files.trial(beaten)).restored == study.files.weights(beaten)
    after = forecaster_of(study.files, beaten).model.state_dict()
    assert all((after[name] == tensor).all() for name, tensor in before.items())


def test_an_export_takes_no_other_folder(regression, tmp_path):
    study, _ = regression
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(hpo.HpoError, match="something else than an earlier export"):
        study.best.export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    folder = study.best.export(tmp_path / "winner", example=False)
    assert not (folder / "example.csv").exists()
    with pytest.raises(hpo.HpoError, match="no example"):
        hpo.load(folder).predict()


def test_classes_have_a_probability_each(tmp_path):
    settings = {**TINY, "context": 1, "horizon": 1}
    study = hpo.run(data="classification_clusters", limit=200, out=tmp_path, **settings)
    forecast = study.best.predict()
    assert forecast["column"].tolist() == ["y=a", "y=b", "y=c", "y=d"]
    assert forecast["forecast"].sum() == pytest.approx(1)
    assert (forecast["timestamp"] == forecast["origin"]).all()


def test_indicators_are_computed_from_raw_prices(tmp_path):
    from hpo.data.sets.sp500 import raw

    study = hpo.run(data="sp500", limit=200, out=tmp_path, **{**TINY, "horizon": 1})
    prices = raw().rename(columns=str.lower)
    pd.testing.assert_frame_equal(study.best.predict(prices), study.best.predict())
    loaded = hpo.load(study.best.export(tmp_path / "winner"))
    pd.testing.assert_frame_equal(loaded.predict(prices), loaded.predict())
    with pytest.raises(hpo.HpoError, match="computed from 1999-01-04 on, and the rows begin at 2017"):
        loaded.predict(prices.tail(400))
    with pytest.raises(hpo.HpoError, match="needs 8 rows, got 1"):
        loaded.predict(prices.head(200 + 100).iloc[: _first_warm(prices) + 1])


def _first_warm(prices):
    from hpo.data import prepare
    from hpo.data.base import DataRequest

    begin = prepare("sp500", DataRequest(context_length=8, horizon=1)).table.timestamps[0]
    return int(prices.index.get_loc(begin))
