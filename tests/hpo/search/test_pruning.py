import pytest

from hpo.scoring.objective import Objective
from hpo.search.pruning import is_pruned as is_pruned_by
from hpo.search.pruning import is_worse_than_median
from hpo.search.searcher import RunningTrial
from hpo.store.layout import ExperimentFiles
from hpo.store.records import read_records
from hpo.trial.events import EpochResult
from hpo.trial.history import History


@pytest.fixture
def trial(tiny_study):
    """A real record, as a TPE trial of a 2M budget."""
    (record, *_), _ = read_records(ExperimentFiles(out=tiny_study.parent, experiment=tiny_study.name))
    architecture = record.architecture.updated(parameter_budget=2_000_000)
    return record.updated(origin="tpe", architecture=architecture)


def is_pruned(trial, curve, others, warmup):
    return is_pruned_by(RunningTrial(trial, curve), History(others), warmup)


def peers(trial, scores, **changes):
    """Completed trials that had these scores at epoch 6."""
    return [
        trial.updated(
            **{
                "trial_number": 100 + i,
                "intermediate_values": {6: score},
                "state": "COMPLETE",
                **changes,
            }
        )
        for i, score in enumerate(scores)
    ]


def epochs(values, fold=0):
    return [
        EpochResult(
            epoch=i, train_loss=1.0, val_loss=1.0, value=value, learning_rate=1e-3, seconds=0.1, fold=fold
        )
        for i, value in enumerate(values, start=1)
    ]


SIX = epochs([0.9, 0.8, 0.7, 0.6, 0.55, 0.5])


def test_it_ends_a_trial_whose_best_is_worse_than_the_median(trial):
    others = peers(trial, [0.1, 0.2, 0.3, 0.6, 0.7])
    assert is_pruned(trial, SIX, others, warmup=5)
    assert not is_pruned(trial, SIX, peers(trial, [0.1, 0.2, 0.5, 0.6, 0.7]), warmup=5), (
        "as good as the median"
    )
    late = [*epochs([0.25]), *SIX[1:]]
    assert not is_pruned(trial, late, others, warmup=5), "its best counts, not its last"


def test_what_is_never_pruned(trial):
    others = peers(trial, [0.1] * 9)
    forced = trial.updated(origin="forced:dropout:2M-0.1")
    assert not is_pruned(forced, SIX, others, warmup=5)
    assert not is_pruned(trial, SIX, others, warmup=6), "still warming up"
    assert not is_pruned(trial, SIX, others[:4], warmup=5), "too few peers"
    assert is_pruned(trial, SIX, others, warmup=5)


def test_only_completed_trials_of_the_same_budget_count(trial):
    small = trial.architecture.updated(parameter_budget=750_000)
    assert not is_pruned(trial, SIX, peers(trial, [0.1] * 9, architecture=small), warmup=5)
    assert not is_pruned(trial, SIX, peers(trial, [0.1] * 9, state="PRUNED"), warmup=5)


def test_where_higher_is_better_the_worse_half_is_the_lower_one(trial):
    auc = trial.updated(objective=Objective(name="auc", direction="maximize"))
    others = peers(auc, [0.4, 0.5, 0.95, 0.96, 0.97])
    assert is_pruned(auc, SIX, others, warmup=5)
    assert not is_pruned(auc, SIX, peers(auc, [0.4, 0.5, 0.6, 0.96, 0.97]), warmup=5)


def test_a_fold_is_held_against_the_same_fold_of_others(trial):
    planned = trial.training.epochs_planned
    curve = [*SIX, *epochs([0.9, 0.8, 0.7, 0.6, 0.55, 0.5], fold=1)]
    others = peers(trial, [0.1] * 5)
    in_second = [
        other.updated(intermediate_values={6: 0.9, planned + 6: score})
        for other, score in zip(others, [0.1, 0.2, 0.3, 0.6, 0.7], strict=True)
    ]
    assert is_pruned(trial, curve, in_second, warmup=5)
    assert not is_pruned(trial, SIX, in_second, warmup=5)
    assert not is_pruned(trial, curve[:8], in_second, warmup=5), "the fold is still warming up"


@pytest.mark.parametrize(
    ("best", "peers", "sign", "is_worse"),
    [
        (0.5, [0.1, 0.2, 0.3, 0.6, 0.7], 1.0, True),
        (0.3, [0.1, 0.2, 0.3, 0.6, 0.7], 1.0, False),
        (0.3, [0.1, 0.2, 0.3, 0.6, 0.7], -1.0, False),
        (0.2, [0.1, 0.2, 0.3, 0.6, 0.7], -1.0, True),
        (9.9, [0.1, 0.2, 0.3, 0.6], 1.0, False),
        (0.45, [0.1, 0.2, 0.4, 0.5, 0.6, 0.7], 1.0, False),
        (0.46, [0.1, 0.2, 0.4, 0.5, 0.6, 0.7], 1.0, True),
    ],
)
def test_the_median_rule(best, peers, sign, is_worse):
    assert is_worse_than_median(best, peers, sign) == is_worse
