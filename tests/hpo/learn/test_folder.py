"""Folders of strangers: damaged, torn or hostile ones are refused in one line, before anything is built."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch

import hpo
from hpo.learn.folder import read_folder, write_weights
from hpo.learn.forecaster import load_forecaster
from hpo.models.blocks import Offset
from hpo.models.sizing import count_params, fit_width
from hpo.study.catalogue import list_families

TINY = {
    "model": "mlp",
    "budget": "5k",
    "context": 24,
    "trials": 1,
    "epochs": 1,
    "threads": 1,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    study = hpo.run(data="periodic", limit=200, out=folder / "outputs", **TINY)
    return study.best.export(folder / "winner")


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "winner")


def config(folder):
    return json.loads((folder / "config.json").read_text())


def changed(folder, **changes):
    """The folder with another config, whose hashes are right."""
    whole = config(folder)
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = whole
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place[parent]
        place[last] = value
    (folder / "config.json").write_text(json.dumps(whole))


def reweighted(folder, data):
    """Other weights, named rightly."""
    (folder / "model.safetensors").write_bytes(data)
    named = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    changed(folder, files={**config(folder)["files"], "model.safetensors": named})


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def linked(folder, name):
    target = folder.parent / "elsewhere"
    (folder / name).rename(target)
    (folder / name).symlink_to(target)


def header(folder, change):
    """The weights under a header that lies."""
    data = weights(folder)
    size = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + size])
    change(entries)
    text = json.dumps(entries).encode()
    reweighted(folder, len(text).to_bytes(8, "little") + text + data[8 + size :])


def grow(entries):
    for entry in entries.values():
        if "shape" in entry:
            entry["shape"] = [10**9, 10**9]


HOSTILE = {
    "no folder": lambda f: shutil.rmtree(f),
    "no config": lambda f: (f / "config.json").unlink(),
    "a torn config": lambda f: (f / "config.json").write_bytes((f / "config.json").read_bytes()[:500]),
    "no JSON": lambda f: (f / "config.json").write_bytes(b"\x80\x04."),
    "deep JSON": lambda f: (f / "config.json").write_text("[" * 100_000),
    "a newer version": lambda f: changed(f, schema_version=2),
    "another field": lambda f: changed(f, run="import os"),
    "no weights": lambda f: (f / "model.safetensors").unlink(),
    "torn weights": lambda f: (f / "model.safetensors").write_bytes(weights(f)[:-100]),
    "a flipped bit": lambda f: (f / "model.safetensors").write_bytes(weights(f)[:-1] + b"\x7f"),
    "longer weights": lambda f: (f / "model.safetensors").write_bytes(weights(f) + b"\0" * 1000),
    "a pickle for weights": lambda f: reweighted(f, b"\x80\x04\x95\x10" * 50),
    "empty weights": lambda f: reweighted(f, b""),
    "a header of lies": lambda f: header(f, grow),
    "a header without shapes": lambda f: header(f, lambda e: e.update(x=1)),
    "weights of another shape": lambda f: header(f, lambda e: e.update(y=e.pop(sorted(e)[0]))),
    "a link for weights": lambda f: linked(f, "model.safetensors"),
    "a link for the config": lambda f: linked(f, "config.json"),
    "a pipe for weights": lambda f: ((f / "model.safetensors").unlink(), os.mkfifo(f / "model.safetensors")),
    "a file that is not named": lambda f: (f / "setup.py").write_text("print('ran')"),
    "a folder in it": lambda f: (f / "inner").mkdir(),
    "a name that is a path": lambda f: changed(
        f, files={**config(f)["files"], "../x": {"bytes": 0, "sha256": "0" * 64}}
    ),
    "a huge model": lambda f: changed(f, model__d_model=900_000),
    "a deep model": lambda f: changed(f, model__n_layers=900_000),
    "a model beyond all": lambda f: changed(f, model__d_model=10**12),
    "another count": lambda f: changed(f, param_count=5),
    "another family": lambda f: changed(f, family="os.system"),
    "another family that there is": lambda f: changed(f, family="patchtst"),
    "a config that is none": lambda f: changed(f, model__dropout=7.0),
    "a long window": lambda f: changed(f, context_length=10**6),
    "no number": lambda f: (f / "config.json").write_text(
        (f / "config.json").read_text().replace('"std": ', '"std": NaN, "x": ', 1)
    ),
    "a scale of zero": lambda f: changed(f, channels__0__std=0.0),
    "outputs that nothing explains": lambda f: changed(f, n_outputs=7),
}


@pytest.mark.parametrize("harm", HOSTILE)
def test_a_hostile_folder_is_refused_in_one_line(folder, harm):
    HOSTILE[harm](folder)
    with pytest.raises(hpo.HpoError) as refused:
        hpo.load(folder)
    assert "\n" not in str(refused.value)
    assert str(folder) in str(refused.value)


def test_nothing_is_built_before_the_sizes_agree(folder, monkeypatch):
    def build(*_):
        raise AssertionError("it was built")

    changed(folder, model__d_model=60_000)
    monkeypatch.setattr("hpo.learn.folder.undisturbed", build)
    with pytest.raises(hpo.HpoError, match="parameters"):
        hpo.load(folder)


@pytest.mark.parametrize("family", list_families(), ids=lambda family: family.name)
def test_every_family_comes_back(family, folder, tmp_path):
    """Weights and config of each family, written and read."""
    bundle, _ = read_folder(folder)
    small = family.config(d_model=8, n_layers=min(2, family.max_layers))
    model = fit_width(family, small, bundle.shape, 20_000)
    count = count_params(family, model, bundle.shape)
    bundle = bundle.model_copy(update={"family": family.name, "model": asdict(model), "param_count": count})
    network = Offset(family.build(model, bundle.shape), torch.ones(bundle.n_outputs)).eval()
    write_weights(tmp_path / "kept" / "model.safetensors", network, bundle)
    loaded = load_forecaster(tmp_path / "kept")
    x = torch.randn(2, bundle.context_length, len(bundle.channels))
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(x), network(x))


def test_it_forecasts_in_another_process_without_the_study(exported, folder):
    done = subprocess.run(
        [sys.executable, "-m", "hpo", "predict", str(folder)],
        capture_output=True, text=True, timeout=200, check=True, cwd=folder.parent,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0] == "series,origin,timestamp,step,column,forecast"
    own = hpo.load(exported).predict()
    assert len(lines) == 1 + len(own)
    assert float(lines[1].rsplit(",", 1)[1]) == pytest.approx(own["forecast"].iloc[0], rel=1e-6)
    read_folder(folder)


def test_names_reach_the_terminal_escaped(folder):
    changed(folder, targets__0__name="\x1b[31mvalue\n=1+1")
    done = subprocess.run(
        [sys.executable, "-m", "hpo", "predict", str(folder)],
        capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    assert "\x1b" not in done.stdout
    assert "\\x1b[31mvalue\\n=1+1" in done.stdout
