"""What every task must be, over the catalogue of tasks. A new one adds its perfect forecast below."""

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from hpo.data import DATASETS, prepare
from hpo.data.base import DataRequest
from hpo.errors import ConfigError
from hpo.models.gaussian import n_scales
from hpo.scoring.losses import LossSettings
from hpo.scoring.objective import make_objective
from hpo.scoring.references import compute_references, make_scorer
from hpo.scoring.tasks import METRICS, TASKS, choose_task
from hpo.trial.record import ClassCounts, ConfusionMatrix

ROOT = Path(__file__).parent.parent.parent

PERFECT = {
    "binary": lambda targets, _: 50.0 * (2.0 * targets - 1.0),
    "multiclass": lambda targets, n: 50.0 * (targets == np.arange(n)),
    "regression": lambda targets, _: targets,
}
"""From targets (N, O), of classes (N, 1), and the number of outputs to the outputs that say just that."""


@pytest.fixture(scope="module", params=sorted(TASKS))
def task(request):
    return TASKS[request.param]


@pytest.fixture(scope="module")
def data(task):
    """Data whose targets are the task's."""
    spec = next(s for s in DATASETS.values() if s.tasks == (task.targets,) and not s.files)
    context_length, horizon = spec.window
    return prepare(spec.name, DataRequest(context_length=context_length, horizon=horizon, limit=300))


def targets_of(data):
    return data.targets_at(data.splits.val).astype(np.float64)


def constant_of(task, data, rows):
    constant = task.constant(data.targets_at(rows), task.n_outputs(data))
    return np.tile(constant.astype(np.float64), (len(rows), 1))


def score_of(task, outputs, targets):
    return task.score(torch.from_numpy(outputs), torch.from_numpy(targets)).item()


def metrics_of(task, data, outputs):
    last = data.target_values[data.splits.val].astype(np.float64)
    return make_scorer(data, task, season=None).metrics(outputs, targets_of(data), last)


def test_its_name_its_default_and_its_proper_score(task):
    assert TASKS[task.name] is task
    assert task.default_loss in task.losses
    names = [metric.name for metric in task.metrics]
    assert len(set(names)) == len(names)
    assert (METRICS[task.proper_score].better, METRICS[task.proper_score].perfect) == ("lower", 0.0)


def test_it_is_the_same_object_in_another_process(task):
    assert pickle.loads(pickle.dumps(task)) is task


def test_the_constant_output_scores_best(task, data):
    rows = data.splits.val
    outputs, targets = constant_of(task, data, rows), targets_of(data)
    assert outputs.shape == (len(rows), task.n_outputs(data))
    best = score_of(task, outputs, targets)
    for k in range(outputs.shape[1]):
        for step in (-0.05, 0.05):
            moved = outputs.copy()
            moved[:, k] += step
            assert score_of(task, moved, targets) > best


def test_the_constant_output_of_targets_that_are_all_alike_is_finite(task, data):
    alike = np.repeat(data.targets_at(data.splits.val[:1]), 9, axis=0)
    assert np.isfinite(task.constant(alike, task.n_outputs(data))).all()


def test_its_losses_are_scalars_with_a_gradient(task, data):
    targets = torch.from_numpy(targets_of(data)).float()
    rng = np.random.default_rng(0)
    for name in task.losses:
        settings, n = LossSettings(name=name, focal_alpha=0.3), task.n_outputs(data)
        n += n_scales(n, task.covariance(settings, n))
        outputs = torch.from_numpy(rng.normal(size=(len(targets), n))).float().requires_grad_()
        loss = task.loss(settings)(outputs, targets)
        assert loss.shape == ()
        assert torch.isfinite(loss)
        loss.backward()
        assert torch.isfinite(outputs.grad).all()
        assert (outputs.grad != 0).any(dim=0).all(), f"{name} does not see all outputs"


def test_the_default_loss_trains_for_the_score_and_the_first_metric_is_its_value(task, data):
    rng = np.random.default_rng(0)
    targets = targets_of(data)
    outputs = rng.normal(size=(len(targets), task.n_outputs(data)))
    score = score_of(task, outputs, targets)
    loss = task.loss(LossSettings(name=task.default_loss))
    assert loss(torch.from_numpy(outputs), torch.from_numpy(targets)).item() == pytest.approx(score)
    assert metrics_of(task, data, outputs)[task.proper_score] == pytest.approx(score)


def test_a_perfect_forecast_has_perfect_values_and_no_other_better_ones(task, data):
    perfect = PERFECT[task.name](targets_of(data), task.n_outputs(data))
    constant = constant_of(task, data, data.splits.val)
    best, other = metrics_of(task, data, perfect), metrics_of(task, data, constant)
    assert score_of(task, perfect, targets_of(data)) == pytest.approx(0.0, abs=1e-6)
    for name in best:
        metric = METRICS[name]
        if metric.perfect is None:
            continue
        assert best[name] == pytest.approx(metric.perfect, abs=1e-6), name
        sign = 1 if metric.better == "lower" else -1
        assert sign * other[name] >= sign * best[name] - 1e-6, name
    assert task.proper_score in best
    assert make_objective("val_loss").metric_in(best) == task.proper_score


def test_the_losses_of_the_windows_have_the_proper_score_as_their_mean(task, data):
    rng = np.random.default_rng(0)
    targets = targets_of(data)
    outputs = rng.normal(size=(len(targets), task.n_outputs(data)))
    scorer = make_scorer(data, task, season=None)
    losses = scorer.losses(outputs, targets)
    assert losses.shape == (len(targets),)
    assert losses.mean() == pytest.approx(metrics_of(task, data, outputs)[task.proper_score])
    one = scorer.losses(outputs[3:4], targets[3:4])
    assert one[0] == pytest.approx(losses[3]), "a window's loss is its own"


def test_its_counts_are_what_a_record_holds(task, data):
    scorer = make_scorer(data, task, season=None)
    targets = targets_of(data)
    counts = scorer.confusion(PERFECT[task.name](targets, task.n_outputs(data)), targets)
    if not task.classifies:
        assert counts is None
        return
    matrix = TypeAdapter(ConfusionMatrix | ClassCounts).validate_python(counts)
    if isinstance(matrix, ConfusionMatrix):
        rows = [[matrix.true_negative, matrix.false_positive], [matrix.false_negative, matrix.true_positive]]
    else:
        rows = matrix.counts
    assert np.trace(rows) == np.sum(rows) == len(targets), (
        "a perfect forecast takes nothing for anything else"
    )


def test_its_references_bear_its_names(task, data):
    references = compute_references([data], task, make_objective("val_loss"))
    assert {task.constant_name, task.linear_name} <= set(references.metrics)
    assert references.naive != task.linear_name
    assert all(task.proper_score in scores for scores in references.metrics.values())


def test_a_loss_chooses_a_task_that_it_trains_for(task):
    assert choose_task(task.targets) in TASKS.values()
    for name in task.losses:
        assert name in choose_task(task.targets, name).losses
    foreign = next(name for other in TASKS.values() for name in other.losses if name not in task.losses)
    with pytest.raises(ConfigError, match=f"loss {foreign} does not fit a {task.targets} task; valid: "):
        choose_task(task.targets, foreign)


def test_a_metric_means_one_thing_in_all_tasks():
    for task in TASKS.values():
        for metric in task.metrics:
            known = METRICS[metric.name]
            assert (metric.better, metric.perfect, metric.unit) == (known.better, known.perfect, known.unit)
            assert (metric.better is None) <= (metric.perfect is None)


def test_nobody_compares_the_name_of_a_task():
    for path in (ROOT / "hpo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare | ast.MatchValue):
                names = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)} & set(TASKS)
                assert not names, f"{path.relative_to(ROOT)}:{node.lineno} compares {names}"
