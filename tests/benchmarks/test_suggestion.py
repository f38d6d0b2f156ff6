"""What a suggestion costs as records grow; nothing else a trial or an epoch costs may grow with them."""

import time

import numpy as np
import pytest

from hpo.engine.scoreboard import Scoreboard
from hpo.models.base import ForecastShape
from hpo.search.plan import make_plan
from hpo.search.pruning import is_pruned
from hpo.search.searcher import RunningTrial
from hpo.search.tpe import Tpe
from hpo.store.layout import ExperimentFiles
from hpo.study.catalogue import get_family
from hpo.trial.events import EpochResult
from hpo.trial.history import History

pytestmark = pytest.mark.benchmark

BEFORE = {200: 29.0, 1000: 57.0, 5000: 137.0}
"""CPU milliseconds of a suggestion when the database was asked (docs of the storage, one machine)."""

SHAPE = ForecastShape(context_length=80, n_channels=26, n_outputs=1)


def median_cpu_ms(call, times=7):
    spent = []
    for _ in range(times):
        started = time.process_time()
        call()
        spent.append(1000 * (time.process_time() - started))
    return float(np.median(spent))


def records(record, tpe, n):
    """Completed trials at random points of the space."""
    rng = np.random.default_rng(0)
    points = [tpe.suggest(number, History()).params for number in range(50)]
    for number in range(n):
        params = {name: points[rng.integers(len(points))][name] for name in points[0]}
        params["learning_rate"] = float(10 ** rng.uniform(-5, -2))
        fields = {"trial_number": number, "value": float(rng.random()), "params": params}
        yield record.updated(**fields, distributions=dict(tpe.distributions))


def test_a_suggestion_costs_no_more_than_before(record, tmp_path):
    plan = make_plan(get_family("psann"), SHAPE, (2_000_000,))
    tpe = Tpe(plan.space, "minimize", 0, 12)
    history, ended = History(), list(records(record, tpe, max(BEFORE)))
    rows = []
    for n, before in BEFORE.items():
        for made in ended[len(history) : n]:
            history.put(made)
        tpe.suggest(n, history)  # takes in the records
        suggest = median_cpu_ms(lambda n=n: tpe.suggest(n, history))
        row = EpochResult(epoch=6, train_loss=1, val_loss=1, value=1, learning_rate=1, seconds=1)
        running = RunningTrial(record.updated(origin="tpe"), [row])
        judge = median_cpu_ms(lambda running=running: is_pruned(running, history, 5))
        best = median_cpu_ms(lambda: history.best(2_000_000))
        board = Scoreboard(ExperimentFiles(out=tmp_path, experiment=f"of{n}"), (2_000_000,), history)
        board.end()
        ends = median_cpu_ms(lambda board=board: board.trial_ended(ended[0]))
        rows.append((n, suggest, before, judge, best, ends))
        print(
            f"\n{n:5} finished: suggest {suggest:6.1f} ms (before {before:.0f}), judge {judge:.3f} ms, "
            f"best {best:.3f} ms, results {ends:.2f} ms",
            end="",
        )
    print()
    assert all(suggest <= before for _, suggest, before, *_ in rows)
    small, large = rows[1], rows[2]
    for now, then in zip(large[3:], small[3:], strict=True):
        assert now < 3 * then + 0.5
