import math

import pytest

from hpo.references import best_reference, skill


def test_skill_is_the_share_of_the_reference_score_taken_away():
    assert skill(0.3, 0.4) == pytest.approx(0.25)
    assert skill(0.5, 0.4) == pytest.approx(-0.25)
    assert skill(0.1, 0.0) is None


def test_the_reference_to_beat_is_the_best_one():
    scores = {"a": {"log_loss": 0.5}, "b": {"log_loss": 0.4}}
    assert best_reference(scores, "binary") == "b"


def test_the_base_rate_is_that_of_the_training_windows(sp500_data):
    from hpo.references import reference_metrics

    train = sp500_data.targets[sp500_data.splits.train]
    val = sp500_data.targets[sp500_data.splits.val]
    p, q = float(train.mean()), float(val.mean())
    expected = -(q * math.log(p) + (1 - q) * math.log(1 - p))
    assert reference_metrics(sp500_data)["base rate"]["log_loss"] == pytest.approx(expected, rel=1e-5)
