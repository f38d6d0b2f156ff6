import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import ConfigError, HpoError, UnknownNameError
from hpo.study.config import build_config, check_name, read_study_file, sections, settings
from hpo.study.settings import NAME_PATTERN


def test_defaults_are_those_of_the_contract():
    config = build_config({})
    assert config.experiment == "sp500_psann_h1_2M"
    assert config.n_trials == 30
    assert (config.data.context, config.data.horizon, config.data.threshold) == (80, 1, 1.0)
    assert (config.training.epochs, config.training.patience, config.training.min_delta) == (50, 10, 0.001)
    assert config.storage_url == "sqlite:///outputs/studies.db"
    several = build_config({"budget": "750k,2M"})
    assert several.n_trials == 70
    assert several.experiment == "sp500_psann_h1_750k-2M"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trials": 0}, ["trials", "0"]),
        ({"trials": "many"}, ["trials", "many"]),
        ({"epochs": -3}, ["epochs", "-3"]),
        ({"horizon": 0}, ["horizon", "0"]),
        ({"context": -1}, ["context", "-1"]),
        ({"threshold": 0}, ["threshold", "0"]),
        ({"limit": 0}, ["limit", "0"]),
        ({"workers": 0}, ["workers", "0"]),
        ({"budget": "2X"}, ["budget", "2X"]),
        ({"budget": "0"}, ["budget", "0"]),
        ({"device": "gpu"}, ["device", "cuda", "gpu", "did you mean"]),
        ({"loss": "hinge"}, ["loss", "focal", "hinge"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"loss": "huberr"}, ["did you mean 'huber'"]),
        ({"task": "regresion"}, ["did you mean 'regression'"]),
        ({"precision": 16}, ["precision", "16", "bf16"]),
        ({"target": ""}, ["target", "empty"]),
        ({"time": "date"}, ["time: ", "sp500"]),
        ({"min_delta": float("nan")}, ["min_delta", "nan"]),
        ({"clip_norm": float("inf")}, ["clip_norm", "inf"]),
    ],
)
def test_a_wrong_value_names_its_key_and_what_was_got(settings, words):
    with pytest.raises(HpoError) as caught:
        build_config(settings)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "", ".", "..", "a\0b", "x" * 129, "naïve", "a b"])
def test_names_that_could_leave_the_folder_are_refused(name):
    with pytest.raises(ConfigError, match="experiment"):
        check_name(name)


@given(st.text(max_size=200))
def test_a_name_is_taken_only_if_it_is_safe(name):
    try:
        check_name(name)
    except ConfigError:
        return
    assert NAME_PATTERN.fullmatch(name)
    assert "/" not in name
    assert set(name) != {"."}


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'epochs'"):
        build_config({}, {"training": {"epoch": 3}})
    with pytest.raises(UnknownNameError, match="did you mean 'search'"):
        build_config({}, {"serach": {"trials": 3}})
    with pytest.raises(UnknownNameError, match="epochs"):
        build_config({}, {"search": {"epochs": 3}})


def test_flags_win_over_the_file():
    file = {"search": {"trials": 5}, "training": {"epochs": 7}}
    config = build_config({"trials": 9, "epochs": None}, file)
    assert (config.n_trials, config.training.epochs) == (9, 7)


def test_keys_are_unique_over_all_tables():
    assert len(settings()) == sum(len(section.model_fields) for section in sections().values())


def test_an_error_knows_its_key():
    with pytest.raises(ConfigError) as caught:
        build_config({"startup_trials": -1})
    assert (caught.value.key, str(caught.value)) == (
        "startup_trials",
        f"startup_trials: {caught.value.message}",
    )
    with pytest.raises(ConfigError) as caught:
        build_config({"budget": "2X"})
    assert caught.value.key == "budget"


def test_a_setting_says_what_it_takes():
    takes = {key: setting.takes for key, setting in settings().items()}
    assert takes["workers"] == "integer 1 to 64"
    assert takes["season"] == "integer from 2"
    assert takes["threshold"] == "number above 0 to 100"
    assert takes["focal_alpha"] == "number above 0 below 1"
    assert takes["device"] == "auto, cpu, cuda"
    assert (takes["prune"], takes["out"], takes["model"]) == ("true or false", "path", "text")
    assert settings()["min_delta"].default == "0.001"
    assert settings()["trials"].default is None
    assert all("[" not in setting.description for setting in settings().values()), "rich takes it for a style"


@given(
    trials=st.integers(1, 500),
    epochs=st.integers(1, 100),
    budget=st.sampled_from(["750k", "2M,20M", "1.5M"]),
    threshold=st.floats(0.1, 10),
    seed=st.integers(0, 1000),
    loss=st.sampled_from([None, "bce", "focal"]),
)
def test_the_saved_config_gives_the_same_study(trials, epochs, budget, threshold, seed, loss):
    settings = {
        "trials": trials,
        "epochs": epochs,
        "budget": budget,
        "threshold": threshold,
        "seed": seed,
        "loss": loss,
    }
    config = build_config(settings)
    assert build_config({}, tomllib.loads(config.to_toml())) == config


STORED = {
    "default": (
        {},
        '{"data": "sp500", "target": null, "time": null, "season": null, "task": null, "horizon": 1, '
        '"context": 80, "threshold": 1.0, "features": "a20", "split": null, "folds": 5, "fold": null, '
        '"groups": null, "data_seed": 0, "limit": null, "model": "psann", "budget": "2M", "epochs": 50, '
        '"loss": null, "focal_gamma": 2.0, "focal_alpha": null, "huber_delta": 1.0, "positive_weight": 1.0, '
        '"patience": 10, "min_delta": 0.001, "clip_norm": 1.0, "micro_batch": null, "startup_trials": 12, '
        '"objective": "val_loss", "prune": true, "prune_warmup": 5, "seed": 0}',
    ),
    "other": (
        {
            "data": "x/my.csv",
            "target": "a,b",
            "time": "t",
            "split": "walk-forward",
            "folds": 3,
            "budget": "750k,2M",
            "loss": "huber",
            "focal_alpha": 0.25,
            "objective": "mae",
            "prune": False,
            "seed": 7,
        },
        '{"data": "x/my.csv", "target": "a,b", "time": "t", "season": null, "task": null, "horizon": 1, '
        '"context": 80, "threshold": 1.0, "features": "a20", "split": "walk-forward", "folds": 3, '
        '"fold": "all", "groups": null, "data_seed": 0, "limit": null, "model": "psann", '
        '"budget": "750k,2M", "epochs": 50, "loss": "huber", "focal_gamma": 2.0, "focal_alpha": 0.25, '
        '"huber_delta": 1.0, "positive_weight": 1.0, "patience": 10, "min_delta": 0.001, "clip_norm": 1.0, '
        '"micro_batch": null, "startup_trials": 12, "objective": "mae", "prune": false, "prune_warmup": 5, '
        '"seed": 7}',
    ),
}
"""Identities as studies of version 0.1 stored them; a setting that came later is not in them."""


@pytest.mark.parametrize("name", STORED)
def test_the_identity_of_a_stored_study_is_still_its_own(name):
    given, stored = STORED[name]
    now, defaults = build_config(given).identity(), build_config({}).identity()
    assert json.dumps({key: now[key] for key in now if key in json.loads(stored)}) == stored
    assert all(now[key] == defaults[key] for key in now.keys() - json.loads(stored).keys())


def test_identity_holds_what_makes_a_study_and_nothing_else():
    base = build_config({}).identity()
    for same in ({"trials": 99}, {"workers": 2}, {"threads": 1}, {"device": "cpu"}, {"out": "x"}):
        assert build_config(same).identity() == base, same
    changed = {
        "seed": 1,
        "epochs": 9,
        "budget": "750k",
        "model": "mlp",
        "horizon": 2,
        "context": 60,
        "threshold": 2,
        "loss": "focal",
        "precision": "fp32",
        "prune": False,
        "limit": 100,
        "split": "scattered",
        "features": "a50",
    }
    for key, value in changed.items():
        assert build_config({key: value}).identity() != base, key


@pytest.mark.parametrize("content", [b"[study", b"\xff\xfe", b"[" * 100_000, b"a = 1\n" * 400_000])
def test_a_file_that_is_no_study_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"study\.toml"):
        read_study_file(path)


def test_a_missing_study_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_study_file(tmp_path / "none.toml")


def test_all_folds_and_the_last_one_are_two_studies():
    walk = {"split": "walk-forward", "folds": 3}
    every, last = build_config(walk).identity(), build_config({**walk, "fold": 2}).identity()
    assert (every["fold"], last["fold"]) == ("all", 2)
    assert build_config({}).identity()["fold"] is None
