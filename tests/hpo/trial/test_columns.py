import json

from hpo.report.columns import TRIALS, WRITTEN
from hpo.report.summary import analyse
from hpo.store.layout import ExperimentFiles
from hpo.store.results import write_rows
from hpo.trial.columns import COLUMNS, Row, row_values

KEYS = {
    *("trial_number", "origin", "state", "value", "skill", "parameter_budget", "family", "d_model"),
    *("n_layers", "n_heads", "param_count", "budget_deviation", "dropout", "learning_rate", "weight_decay"),
    *("batch_size", "normalisation", "epochs_run", "duration_seconds", "flags"),
}
"""What users' programs may rely on; columns may be added."""


def test_every_column_is_in_the_json_rows_in_the_summary_and_on_the_page(make_study, tmp_path):
    records = make_study()
    files = ExperimentFiles(out=tmp_path, experiment="e")
    write_rows(files, records)
    rows = json.loads(files.all_trials.read_text())
    assert set(COLUMNS) >= KEYS
    assert all(list(row) == list(COLUMNS) for row in rows)
    assert len(rows) == len(records)
    shown = {row.trial_number: row for row in analyse(records).trials}
    for row in rows:
        there = shown[row["trial_number"]].model_dump(mode="json")
        if row["state"] != "COMPLETE":  # of a pruned trial the page says no skill beside its last value
            there["skill"] = row["skill"]
        assert row == there
        assert all(isinstance(column.text(Row(**row)), str) for column in TRIALS)


def test_columns_have_titles_and_kinds_that_somebody_writes(make_record):
    titles = [column.title for column in COLUMNS.values()]
    assert len(set(titles)) == len(titles)
    assert {column.kind for column in COLUMNS.values()} <= set(WRITTEN)
    values = row_values(make_record(7, n_heads=4))
    assert Row(**values).model_dump() == values
    assert (values["trial_number"], values["n_heads"], values["parameter_budget"]) == (7, 4, 2_000_000)


def test_only_a_completed_trial_has_a_score(make_record):
    done, pruned = (
        Row(**row_values(make_record(0, state=state, value=0.5))) for state in ("COMPLETE", "PRUNED")
    )
    assert (done.score, pruned.score, pruned.value) == (0.5, None, 0.5)
