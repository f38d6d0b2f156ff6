"""The summary as a whole: files, determinism, studies of every kind."""

import json

import pytest

from hpo.report.summary import Summary, write_summary
from hpo.store.layout import ExperimentFiles


@pytest.fixture
def files(tmp_path):
    return ExperimentFiles(out=tmp_path, experiment="sp500_psann_h1_2M")


def strict_json(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_page_json_and_pictures_are_written(study, files):
    page = write_summary(files, study())
    assert page == files.summary_md
    assert sorted(path.name for path in files.folder.iterdir()) == [
        "locks",
        "plots",
        "sp500_psann_h1_2M_study_summary.json",
        "sp500_psann_h1_2M_study_summary.md",
    ]
    text = page.read_text(encoding="utf-8")
    shown = [line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(shown) == 4
    assert all((files.folder / path).is_file() for path in shown)


def test_the_json_reads_back_as_the_summary(study, files):
    write_summary(files, study())
    summary = Summary.model_validate(strict_json(files.summary_json))
    assert summary.schema_version == 1
    assert summary.overview.trials == 32


def test_the_same_records_give_the_same_bytes_in_any_order(study, files):
    records = study()
    write_summary(files, records)
    first = files.summary_json.read_bytes(), files.summary_md.read_bytes()
    write_summary(files, records[::-1])
    assert (files.summary_json.read_bytes(), files.summary_md.read_bytes()) == first


STUDIES = {
    "one trial": lambda record, study: [record(5)],
    "all failed": lambda record, study: [record(i, state="FAIL", value=None) for i in range(3)],
    "all pruned": lambda record, study: [record(i, state="PRUNED") for i in range(3)],
    "still running": lambda record, study: [
        record(0, state="RUNNING", value=None, datetime_complete=None, duration_seconds=None)
    ],
    "all alike": lambda record, study: [record(i) for i in range(15)],
    "several budgets": lambda record, study: study(budgets=(750_000, 2_000_000, 20_000_000)),
    "regression": lambda record, study: study(regression=True),
    "nothing known of references": lambda record, study: [
        record(0, naive={"name": "none", "metrics": {}, "skill": None}, references={})
    ],
    "maximised": lambda record, study: [
        record(i, value=0.5 + i / 100, objective={"name": "auc", "direction": "maximize"}) for i in range(12)
    ],
    "losses that were not finite": lambda record, study: [
        record(0).updated(learning_curve=[e.updated(val_loss=None) for e in record(0).learning_curve])
    ],
    "one class only": lambda record, study: [
        record(
            0,
            confusion_matrix={
                "true_negative": 100,
                "false_positive": 0,
                "false_negative": 0,
                "true_positive": 0,
            },
        )
    ],
}


@pytest.mark.parametrize("kind", STUDIES)
def test_every_kind_of_study_has_a_summary(kind, record, study, files, caplog):
    text = write_summary(files, STUDIES[kind](record, study)).read_text(encoding="utf-8")
    strict_json(files.summary_json)
    assert caplog.text == ""
    for word in (" nan", " None |", "inf |"):
        assert word not in text
    assert all(
        (files.folder / line.split("](")[1].rstrip(")")).is_file()
        for line in text.splitlines()
        if line[:2] == "!["
    )
