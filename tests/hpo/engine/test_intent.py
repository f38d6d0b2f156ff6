"""From a study's settings to a trial's record and job."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fakes import make_tpe

from hpo.engine.context import make_context
from hpo.engine.intent import intent_record, make_job, memory_of
from hpo.search.searcher import Suggestion
from hpo.study.config import build_config
from hpo.system.hardware import precision_of

SETTINGS = {"data": "periodic", "model": "mlp", "budget": "20k", "limit": 200, "device": "cpu"}


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return make_context(build_config({**SETTINGS, "out": tmp_path_factory.mktemp("out")}))


@pytest.mark.parametrize("wanted", ["auto", "bf16", "fp32"])
def test_the_wanted_precision_is_recorded_trained_in_and_counted_in_memory(context, wanted):
    context = replace(context, config=build_config({**SETTINGS, "precision": wanted}))
    resolved = precision_of("cpu") if wanted == "auto" else wanted
    forced = context.plan.forced[0]
    distributions = make_tpe(context).distributions
    suggestion = Suggestion(params=forced.params, distributions=distributions, origin=forced.origin)
    record = intent_record(context, 0, suggestion, datetime.now(UTC))
    assert record.training.precision == resolved
    assert make_job(context, record, None).settings.precision == resolved
    need = memory_of(context, forced.spec).at(forced.spec.batch_size)
    other = replace(context, config=build_config({**SETTINGS, "precision": "fp32"}))
    fp32 = memory_of(other, forced.spec).at(forced.spec.batch_size)
    assert (need == fp32) == (resolved == "fp32")
