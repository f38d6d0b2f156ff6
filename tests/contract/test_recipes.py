"""A data set, a searcher and an executor are added as CONTRIBUTING.md says: one file, one line, one test."""

import json

import pytest
from recipes import Copy, code_of

STUDY = "--model=mlp --budget=20k --context=24 --limit=200 --epochs=2 --trials=3 --threads=1 --experiment=new"


pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def records_of(copy):
    paths = sorted((copy.folder / "outputs" / "new" / "trials").glob("*.json"))
    return [json.loads(path.read_text()) for path in paths]


def test_a_data_set(copy):
    copy.write("data/sets/tide.py", code_of("Add a data set"))
    copy.replace(
        "data/__init__.py",
        ("sp500, synthetic\n", "sp500, synthetic, tide\n"),
        ('    "eaf": eaf.SPEC,\n', '    "eaf": eaf.SPEC,\n    "tide": tide.SPEC,\n'),
    )
    assert "tide" in copy.run("hpo", "data")
    copy.run("hpo", "run", "--data=tide", *STUDY.split())
    assert [record["state"] for record in records_of(copy)] == ["COMPLETE"] * 3
    copy.test("tests/data/test_every_dataset.py", "-k", "tide")


def test_a_searcher(copy):
    copy.write("hpo/search/local.py", code_of("Add a searcher"))
    entry = '    "random": random_search,\n'
    copy.replace(
        "hpo/search/searchers.py",
        ("from hpo.search.plan", "from hpo.search.local import LocalSearch\nfrom hpo.search.plan"),
        (entry, f'{entry}    "local": lambda settings: LocalSearch(settings.plan),\n'),
    )
    copy.run("hpo", "run", "--data=periodic", "--sampler=local", *STUDY.split())
    origins = [record["origin"].split(":")[0] for record in records_of(copy)]
    assert origins == ["forced", "forced", "local"]
    copy.test("tests/contract/test_searchers.py", "-k", "local")


def test_an_executor(copy):
    copy.write("hpo/execute/polite.py", code_of("Add an executor"))
    known, entry = "from hpo.execute.local import LocalExecutor\n", '    "local": LocalExecutor,\n'
    copy.replace(
        "hpo/execute/executors.py",
        (known, f"{known}from hpo.execute.polite import PoliteExecutor\n"),
        (entry, f'{entry}    "polite": PoliteExecutor,\n'),
    )
    copy.run("hpo", "run", "--data=periodic", "--executor=polite", *STUDY.split())
    assert [record["state"] for record in records_of(copy)] == ["COMPLETE"] * 3
    copy.test("tests/contract/test_executors.py", "-k", "polite")
