import json
import os

import pytest

from hpo.errors import StorageError
from hpo.store.layout import ExperimentFiles
from hpo.system.files import read_json, write_bytes, write_json


def test_names_are_those_of_the_contract(tmp_path):
    files = ExperimentFiles(out=tmp_path, experiment="a_b_h1_2M")
    folder = tmp_path / "a_b_h1_2M"
    assert files.trial(7) == folder / "trials" / "trial_0007.json"
    assert files.best() == folder / "a_b_h1_2M_best.json"
    assert files.best("750k") == folder / "a_b_h1_2M_750k_best.json"
    assert files.all_trials == folder / "a_b_h1_2M_all_trials.json"
    assert files.summary_md == folder / "a_b_h1_2M_study_summary.md"
    assert files.weights(3) == folder / "checkpoints" / "trial_0003" / "model.safetensors"


def test_a_write_replaces_whole_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "deep" / "x.json"
    write_json(path, {"a": 1})
    write_json(path, {"b": [1, 2]})
    assert read_json(path) == {"b": [1, 2]}
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"good": True})

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_bytes(path, b"new")
    assert json.loads(path.read_text()) == {"good": True}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_json_is_strict(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", value)
    assert [p.name for p in tmp_path.iterdir()] == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xff", b"[" * 200_000])
def test_what_is_not_json_names_the_file(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"x\.json"):
        read_json(path)
