"""What there are several of is added as CONTRIBUTING.md says: one file, one line, one test."""

import json

import pytest
from recipes import Copy, code_of, entry_of

STUDY = "--model=mlp --budget=20k --context=24 --limit=200 --epochs=2 --trials=3 --threads=1 --experiment=new"


pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def records_of(copy):
    paths = sorted((copy.folder / "outputs" / "new" / "trials").glob("*.json"))
    return [json.loads(path.read_text()) for path in paths]


def add_function(copy, heading, path, catalogue, entry):
    """Add a recipe's function before a catalogue, and its entry before another."""
    copy.replace(
        path,
        (catalogue, f"{code_of(heading)}\n\n{catalogue}"),
        (entry, f"    {entry_of(heading)}\n{entry}"),
    )


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


def test_a_task(copy):
    copy.write("hpo/scoring/median.py", code_of("Add a task"))
    known, entry = "from hpo.scoring.losses import (", "for task in (BINARY, MULTICLASS, REGRESSION)"
    copy.replace(
        "hpo/scoring/tasks.py",
        (known, f"from hpo.scoring import median\n{known}"),
        (entry, entry.replace("REGRESSION", "REGRESSION, median.TASK")),
    )
    perfect = '    "regression": lambda targets, _: targets,\n'
    copy.replace("tests/contract/test_tasks.py", (perfect, perfect + perfect.replace("regression", "median")))
    copy.test("tests/contract/test_tasks.py", "-k", "median")
    copy.run("hpo", "run", "--data=periodic", "--loss=l1", *STUDY.split())
    for record in records_of(copy):
        assert record["value"] == pytest.approx(record["metrics"]["val"]["scaled_mae"])
        assert "training median" in record["references"]


def test_a_metric(copy):
    before = "CLASS_METRICS: tuple", '    Metric(name="nll", better="lower"'
    add_function(copy, "Add a metric", "hpo/scoring/metrics.py", *before)
    copy.test("tests/contract/test_tasks.py", "-k", "regression")
    copy.run("hpo", "run", "--data=periodic", "--objective=largest_error", *STUDY.split())
    for record in records_of(copy):
        assert record["value"] == pytest.approx(record["metrics"]["val"]["largest_error"])
    assert "largest_error" in (copy.folder / "outputs" / "new" / "new_study_summary.md").read_text()


def test_a_loss(copy):
    before = "BINARY_LOSSES: Mapping", '    "gaussian_nll": Loss('
    add_function(copy, "Add a loss", "hpo/scoring/losses.py", *before)
    copy.test("tests/contract/test_tasks.py", "-k", "regression")
    copy.run("hpo", "run", "--data=periodic", "--loss=log_cosh", *STUDY.split())
    assert {record["training"]["loss"] for record in records_of(copy)} == {"log_cosh"}
    assert "log_cosh" in copy.run("hpo", "run", "--help")


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
