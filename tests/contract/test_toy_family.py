"""A family is added as CONTRIBUTING.md says, and a study searches over it."""

import json

import pytest
from recipes import Copy, code_of

pytestmark = pytest.mark.slow


def test_a_family_added_as_contributing_says_is_searched_and_tested(tmp_path):
    copy = Copy(tmp_path)
    copy.write("models/toy.py", code_of("Add a model family"))
    copy.replace(
        "models/__init__.py",
        ("    transformer,\n", "    toy,\n    transformer,\n"),
        ('    "mlp": mlp.FAMILY,\n', '    "mlp": mlp.FAMILY,\n    "toy": toy.FAMILY,\n'),
    )
    assert "toy" in copy.run("hpo", "models")
    study = "--model=toy --budget=20k --context=5 --limit=300 --epochs=2 --trials=2 --threads=1"
    copy.run("hpo", "run", *study.split())
    folder = tmp_path / "outputs" / "sp500_toy_h1_20k"
    records = [json.loads(path.read_text()) for path in sorted((folder / "trials").glob("*.json"))]
    assert [record["state"] for record in records] == ["COMPLETE", "COMPLETE"]
    for record in records:
        assert record["architecture"]["family"] == "toy"
        assert abs(record["architecture"]["budget_deviation"]) <= 0.02
    copy.test("tests/contract/test_families.py", "-k", "toy")
