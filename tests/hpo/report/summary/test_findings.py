import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.report.summary.analysis import analyse
from hpo.trial.record import ConfusionMatrix, DataSource, Failure


def found(records):
    texts = {}
    for finding in analyse(records).findings:
        texts.setdefault(finding.topic, []).append(finding.text)
    return texts


def test_a_best_trial_that_beats_nothing_is_said_first_and_plainly(record):
    summary = analyse([record(0, value=0.70), record(1, value=0.75)])
    assert summary.answer.startswith(
        "The search found nothing better than base rate (0.6931): the best of 2 completed trials, trial 0, "
        "scores val_loss 0.7000 (skill -1.00 %)."
    )
    first = summary.findings[0]
    assert first.topic == "reference"
    assert first.text == (
        "The best trial is worse than base rate (skill -1.00 %). "
        "On this evidence base rate is the forecast to use."
    )


def test_exactly_as_good_as_the_reference_is_no_better(record):
    text = found([record(0, value=0.6931)])["reference"][0]
    assert text.startswith("The best trial is no better than base rate (skill 0.00 %).")


def test_a_best_trial_that_beats_the_reference(record):
    summary = analyse([record(0, value=0.60), record(1, value=0.65)])
    # 1 - 0.60 / 0.6931
    assert summary.answer.startswith(
        "The best of 2 completed trials, trial 0, scores val_loss 0.6000, 13.43 % better than base rate "
        "(0.6931), the only reference. It is psann with 2 layers of width 320 (2.0M parameters)"
    )
    assert "test part" in summary.answer
    assert summary.findings[0].text == "The best trial beats the best naive forecast, base rate, by 13.43 %."


def test_no_completed_trial_has_no_answer_to_give(record):
    summary = analyse([record(0, state="PRUNED"), record(1, state="FAIL", value=None)])
    assert summary.answer == (
        "No trial completed, so there is no best trial to show. Of 2 trials: 1 pruned, 1 failed."
    )
    assert [finding.topic for finding in summary.findings] == ["reference"]


def test_a_lead_that_a_level_alone_would_give_is_named(record):
    # Training base rate 0.27, validation base rate 0.16: a constant of 0.16 scores 0.4397.
    matrix = ConfusionMatrix(true_negative=84, false_positive=0, false_negative=16, true_positive=0)
    naive = {"name": "base rate", "metrics": {"log_loss": 0.4611}, "skill": 1 - 0.44 / 0.4611}
    lucky = record(0, value=0.44, naive=naive, confusion_matrix=matrix)
    assert "but no better than the best constant forecast in hindsight (0.4397)" in analyse([lucky]).answer
    assert "its score alone does not show" in found([lucky])["constant"][0]
    skilled = record(0, value=0.40, naive=naive, confusion_matrix=matrix)
    assert "hindsight" not in analyse([skilled]).answer
    assert "9.02 % better than that, too" in found([skilled])["constant"][0]


def test_changed_data_come_before_all(record):
    summary = analyse([record(0), record(1, data=DataSource(name="sp500", sha256="cd" * 32))])
    assert summary.findings[0].topic == "data"
    assert "2 different files" in summary.findings[0].text


def test_collapsed_predictions_of_the_best_and_of_others(record):
    flat = ["collapsed_predictions"]
    assert "tells windows apart hardly" in found([record(0, value=0.6, flags=flat)])["collapse"][0]
    others = found([record(0, value=0.6), record(1, value=0.7, flags=flat)])["collapse"]
    assert others == ["1 of 2 completed trials have collapsed predictions."]


def test_how_many_are_worse_than_the_reference(record):
    values = [0.60, 0.70, 0.71]
    text = found([record(i, value=value) for i, value in enumerate(values)])["worse_than_reference"]
    assert text == ["2 of 3 completed trials are worse than base rate."]


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((84, 0, 16, 0), "it adds nothing; what it adds is in its probabilities."),
        ((50, 10, 25, 15), "cannot be told apart"),
        ((55, 5, 5, 35), "The whole interval lies above that."),
    ],
)
def test_accuracy_beside_always_predicting_the_majority(record, counts, verdict):
    tn, fp, fn, tp = counts
    matrix = ConfusionMatrix(true_negative=tn, false_positive=fp, false_negative=fn, true_positive=tp)
    assert verdict in found([record(0, value=0.6, confusion_matrix=matrix)])["majority"][0]


@pytest.mark.parametrize(
    ("auc", "verdict"), [(0.55, "includes 0.5"), (0.8, "lies above 0.5"), (0.2, "lies below 0.5")]
)
def test_auc_beside_guessing(record, auc, verdict):
    scores = {"log_loss": 0.6, "auc": auc}
    assert verdict in found([record(0, value=0.6, metrics={"train": scores, "val": scores})])["auc"][0]


def test_an_order_within_the_wobble_of_an_epoch_is_no_evidence(record):
    close = [record(i, value=0.600 + 0.001 * i) for i in range(6)]
    assert found(close)["closeness"][0].endswith("the order among them is not evidence.")
    assert found(close)["closeness"][0].startswith("The top 5 lie within 4e-3 of each other")
    apart = [record(i, value=0.6 + 0.1 * i) for i in range(6)]
    assert "not evidence" not in found(apart)["closeness"][0]


def test_near_duplicates_are_the_better_yardstick(record):
    records = [
        record(0, value=0.60),
        record(1, value=0.65),
        record(2, value=0.70, flags=["near_duplicate_of 0"]),
    ]
    assert "near-duplicate trials differ by 0.1 (1 pair)" in found(records)["closeness"][0]


def test_without_curves_chance_has_no_measure(record):
    records = [record(i, value=0.6 + i / 10, curve=[0.6]) for i in range(3)]
    assert "the records do not say" in found(records)["closeness"][0]


def test_the_best_of_many_is_optimistic_and_the_test_part_is_untouched(record):
    text = found([record(i, value=0.6 + i / 10) for i in range(3)])["selection"][0]
    assert text.startswith("The best trial is the best of 3 completed trials, and its epoch the best of 4")
    assert text.endswith("No score on this page comes from the test part (101 windows).")


def test_shallow_against_deep(record):
    records = [
        record(0, origin="forced:architecture:2M-shallow", value=0.60),
        record(1, origin="forced:architecture:2M-deep", value=0.65),
    ]
    assert found(records)["depth"] == [
        "At 2M shallow beats deep by 0.05 in the default config, one run each."
    ]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.60, 0.62, 0.65), "Bigger was worse"),
        ((0.65, 0.62, 0.60), "Bigger was better"),
        ((0.65, 0.60, 0.62), "More parameters neither helped nor hurt throughout"),
    ],
)
def test_budgets_in_order(record, values, verdict):
    budgets = (750_000, 2_000_000, 20_000_000)
    records = [record(i, value=v, budget=b) for i, (v, b) in enumerate(zip(values, budgets, strict=True))]
    (text,) = found(records)["budget"]
    assert text.startswith(f"{verdict}, by the best trial of each budget: 750k {values[0]:.4f}")


def test_single_changes_to_the_default_config(record):
    default = record(0, origin="forced:architecture:2M-shallow", value=0.60)
    better = record(1, origin="forced:dropout:2M-0.1", value=0.55)
    worse = record(2, origin="forced:learning_rate:2M-1e-05", value=0.70)
    assert found([default, better, worse])["forced"] == [
        "Of the 2 single changes to the default config at 2M, 1 improves on it, "
        "most of all dropout 0.1 (by 0.05)."
    ]
    assert found([default, worse])["forced"] == [
        "Of the one single change to the default config at 2M, none improves on it."
    ]


def test_whether_tpe_improved_on_what_came_before(record):
    forced = record(0, origin="forced:dropout:2M-0.1", value=0.60)
    assert "TPE found the best trial: 0.05 better" in found([forced, record(1, value=0.55)])["search"][0]
    assert "did not improve on" in found([forced, record(1, value=0.60)])["search"][0]
    assert "search" not in found([forced])


def test_where_in_its_training_the_best_trial_was_best(record):
    assert (
        "after its first epoch and got no better in 2 more"
        in found([record(0, value=0.6, curve=[0.6, 0.7, 0.8])])["training"][0]
    )
    longest = record(0, value=0.5, curve=[1 - 0.01 * epoch for epoch in range(1, 51)])
    assert "best in the last of its 50 planned epochs" in found([longest])["training"][0]
    assert "training" not in found([record(0)])


def test_a_validation_score_worse_than_training(record):
    metrics = {"train": {"log_loss": 0.5}, "val": {"log_loss": 0.6}}
    assert "20.00 % more" in found([record(0, value=0.6, metrics=metrics)])["generalisation"][0]


def test_problems_are_counted_by_kind(record):
    diverged = Failure(type="DivergedError", message="inf", traceback=None)
    records = [record(0), *(record(i, state="PRUNED", failure=diverged) for i in (1, 2))]
    assert found(records)["problems"] == ["2 of 3 trials failed or could not be trained: DivergedError 2."]


def test_maximising_speaks_of_higher_scores(record):
    objective = {"name": "auc", "direction": "maximize"}
    naive = {"name": "base rate", "metrics": {"auc": 0.5}, "skill": 0.6}
    common = {"objective": objective, "naive": naive}
    records = [
        record(0, origin="forced:architecture:2M-shallow", value=0.6, **common),
        record(1, origin="forced:architecture:2M-deep", value=0.7, **common),
        record(2, origin="tpe", value=0.8, **common),
    ]
    summary = analyse(records)
    assert summary.answer.startswith(
        "The best of 3 completed trials, trial 2, scores auc 0.8000, with a skill of +60.00 % over base rate "
        "(0.5000), the only reference"
    )
    texts = found(records)
    assert texts["reference"][0].endswith("base rate, by a skill of 60.00 %.")
    assert "deep beats shallow by 0.1" in texts["depth"][0]
    assert "TPE found the best trial: 0.1 better" in texts["search"][0]


@pytest.mark.parametrize("value", [0.9, 0.5])
def test_a_score_without_a_skill_says_whether_it_beats_the_reference(record, value):
    objective = {"name": "nll", "direction": "minimize"}
    naive = {"name": "last value", "metrics": {"nll": 0.6}, "skill": None}
    records = [record(0, value=value, objective=objective, naive=naive, references={})]
    answer, wins = analyse(records).answer, value < 0.6
    assert ("nothing better than last value (0.6000)" in answer) != wins
    assert ("better than last value (0.6000), the best naive forecast" in answer) == wins
    assert ("reference" in found(records)) != wins


def test_overfitting_is_a_worse_score_on_the_validation_part(record):
    objective = {"name": "auc", "direction": "maximize"}
    naive = {"name": "base rate", "metrics": {"auc": 0.5}, "skill": 0.2}
    for train, val in ((0.7, 0.6), (0.5, 0.6)):
        metrics = {"train": {"auc": train}, "val": {"auc": val}}
        texts = found([record(0, value=val, objective=objective, naive=naive, metrics=metrics)])
        assert ("generalisation" in texts) == (train > val)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.3, 1.2), min_size=1, max_size=9))
def test_better_is_claimed_only_of_better_numbers(record, values):
    summary = analyse([record(i, value=value) for i, value in enumerate(values)])
    texts = " ".join(finding.text for finding in summary.findings if finding.topic == "reference")
    assert ("beats" in texts) == (min(values) < 0.6931)
    assert ("nothing better" in summary.answer) == (min(values) >= 0.6931)
