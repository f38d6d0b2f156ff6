"""A trial on each data set of the catalogue, on its real rows."""

import math

import pytest

from hpo.api.session import run_study
from hpo.data import DATASETS
from hpo.engine.context import files_of
from hpo.store.records import read_record
from hpo.study.config import build_config

GROUPS = {"rossmann": ",".join(str(store) for store in range(1, 31))}
"""Where all of them would only take time."""


@pytest.mark.slow
@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize("name", DATASETS)
def test_a_trial_on_each_data_set_learns_and_is_summed_up(name, tmp_path):
    spec = DATASETS[name]
    context, horizon = spec.window
    config = build_config(
        {
            "data": name,
            "model": "mlp",
            "budget": "50k",
            "context": context,
            "horizon": horizon,
            "groups": GROUPS.get(name),
            "limit": 1000,
            "trials": 1,
            "epochs": 12,
            "threads": 1,
            "out": tmp_path,
        }
    )
    outcome = run_study(config, ["test"])
    (record,) = outcome.records
    assert read_record(files_of(config).trial(0)) == record
    assert (record.state, record.data.name) == ("COMPLETE", name)
    losses = [epoch.train_loss for epoch in record.learning_curve]
    assert all(map(math.isfinite, losses))
    assert min(losses[-3:]) < losses[0]
    assert record.naive.name in record.references
    assert (record.confusion_matrix is None) == (spec.tasks == ("regression",))
    assert f"| Data | {name}" in files_of(config).summary_md.read_text()
    assert record.split["train"].windows <= 1000
