import ast
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from hpo.search.forced import forced_configs
from hpo.trial.origin import STARTUP, TPE, Origin

HPO = Path(__file__).parent.parent.parent.parent / "hpo"

ORIGINS = {
    "forced:dropout:2M-0.1": ("forced", "dropout", "2M-0.1", "forced: dropout"),
    "forced:learning_rate:2M-1e-05": ("forced", "learning_rate", "2M-1e-05", "forced: learning_rate"),
    "startup": ("startup", "", "", "startup"),
    "startup:published": ("startup", "published", "", "startup: published"),
    "tpe": ("tpe", "", "", "tpe"),
    "confirm:17": ("confirm", "17", "", "confirm"),
    "enqueued": ("enqueued", "", "", "enqueued"),
    "promoted": ("promoted", "", "", "promoted"),
    "transfer": ("transfer", "", "", "transfer"),
    "paired:sp500_lstm": ("paired", "sp500_lstm", "", "paired: sp500_lstm"),
    "dreamt:of:a:newer:version": ("dreamt", "of", "a:newer:version", "dreamt: of"),
    "": ("", "", "", ""),
}


@pytest.mark.parametrize("text", ORIGINS)
def test_the_parts_of_an_origin(text):
    origin = Origin(text)
    assert (origin.kind, origin.group, origin.name, origin.label) == ORIGINS[text]
    assert origin.is_forced == text.startswith("forced:")
    assert origin == text
    assert len({origin, text}) == 1


def test_the_known_ones():
    assert (STARTUP, TPE) == ("startup", "tpe")
    forced = Origin.forced("weight_decay", "2M-0.01")
    assert forced == "forced:weight_decay:2M-0.01"
    assert forced.setting == "0.01"
    assert Origin.forced("learning_rate", "1.5M-1e-05").setting == "1e-05"
    assert all(config.origin.is_forced for config in forced_configs((750_000, 2_000_000)))
    assert {config.origin.setting for config in forced_configs((2_000_000,))} >= {
        "shallow",
        "deep",
        "0.1",
        "1e-05",
    }


@given(st.text())
def test_any_text_is_kept_as_it_is(text):
    adapter = TypeAdapter(Origin)
    origin = adapter.validate_python(text)
    assert type(origin) is Origin
    assert json.loads(adapter.dump_json(origin)) == adapter.dump_python(origin, mode="json") == text
    assert json.dumps(origin) == json.dumps(text)
    assert type(pickle.loads(pickle.dumps(origin))) is Origin


def test_its_schema_is_that_of_a_text():
    assert TypeAdapter(Origin).json_schema() == {"type": "string"}
    with pytest.raises(ValueError, match="valid string"):
        TypeAdapter(Origin).validate_python(3)


TAKES_APART = {"split", "partition", "startswith", "removeprefix", "endswith", "removesuffix"}


def test_nobody_else_takes_an_origin_or_a_flag_apart():
    for path in HPO.rglob("*.py"):
        if path.parent.name == "trial":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in TAKES_APART:
                of = ast.unparse(node.value).rpartition(".")[2]
                assert of not in ("origin", "flag"), f"{path.relative_to(HPO)}:{node.lineno}"
