import numpy as np
import pytest
import torch

from hpo.errors import ConfigError
from hpo.scoring.losses import (
    LossSettings,
    constant_output,
    default_loss,
    focal_loss,
    loss_function,
    score_function,
)

LOGITS = torch.tensor([[2.0], [-1.0], [0.3]])
LABELS = torch.tensor([[1.0], [0.0], [0.0]])


def test_focal_by_hand():
    p = torch.sigmoid(LOGITS)
    p_t = torch.where(LABELS == 1, p, 1 - p)
    alpha_t = torch.where(LABELS == 1, 0.3, 0.7)
    expected = (-alpha_t * (1 - p_t) ** 2 * p_t.log()).mean()
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, 2.0, 0.3), expected)


def test_focal_without_focus_is_cross_entropy():
    torch.testing.assert_close(
        focal_loss(LOGITS, LABELS, 0.0, None), score_function("binary")(LOGITS, LABELS)
    )


@pytest.mark.parametrize(
    ("name", "task", "expected"), [("mse", "regression", (1 + 1 + 0.09) / 3), ("mae", "regression", 2.3 / 3)]
)
def test_regression_losses_by_hand(name, task, expected):
    value = loss_function(LossSettings(name=name), task)(LOGITS, LABELS)
    assert value.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("mse", "binary"),
        ("bce", "regression"),
        ("focal", "regression"),
        ("bce", "multiclass"),
        ("huber", "binary"),
    ],
)
def test_a_loss_that_does_not_fit_the_task(name, task):
    with pytest.raises(ConfigError, match=f"loss {name} does not fit a {task} task"):
        loss_function(LossSettings(name=name), task)


def test_the_constant_output_scores_best():
    labels = np.array([[1.0], [0.0], [0.0], [1.0], [0.0]], dtype=np.float32)
    best = constant_output("binary", labels, 1)[0]
    score = score_function("binary")

    def at(logit):
        return score(torch.full((5, 1), float(logit)), torch.from_numpy(labels)).item()

    assert all(at(best) < at(best + step) for step in (-0.05, 0.05))
    assert constant_output("regression", labels, 1)[0] == pytest.approx(0.4)
    assert np.isfinite(constant_output("binary", np.zeros((9, 1), dtype=np.float32), 1)).all()


def test_the_score_does_not_depend_on_the_loss():
    assert default_loss("binary") == "bce"
    assert default_loss("regression") == "mse"


def test_huber_is_half_the_square_up_to_delta_and_a_line_beyond():
    loss = loss_function(LossSettings(name="huber", huber_delta=0.5), "regression")
    outputs, targets = torch.tensor([[0.2], [3.0]]), torch.zeros(2, 1)
    assert loss(outputs, targets).item() == pytest.approx((0.2**2 / 2 + 0.5 * (3.0 - 0.25)) / 2)


def test_a_positive_weight_counts_positives_so_many_times():
    loss = loss_function(LossSettings(name="bce", positive_weight=3.0), "binary")
    p = torch.sigmoid(LOGITS)
    expected = -(3.0 * LABELS * torch.log(p) + (1 - LABELS) * torch.log(1 - p)).mean()
    torch.testing.assert_close(loss(LOGITS, LABELS), expected)
    with pytest.raises(ConfigError, match="positive_weight"):
        loss_function(LossSettings(name="focal", positive_weight=3.0), "binary")


def test_cross_entropy_and_its_best_constant():
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    classes = torch.tensor([[0.0], [2.0]])
    p = torch.softmax(logits, dim=1)
    loss = loss_function(LossSettings(name="cross_entropy"), "multiclass")
    torch.testing.assert_close(loss(logits, classes), -(p[0, 0].log() + p[1, 2].log()) / 2)
    drawn = np.array([[0.0], [0.0], [1.0]], dtype=np.float32)
    constant = constant_output("multiclass", drawn, 3)
    assert np.isfinite(constant).all(), "a class that is missing from the training part"
    shares = np.exp(constant) / np.exp(constant).sum()
    assert shares == pytest.approx([2 / 3.5, 1 / 3.5, 0.5 / 3.5])
    assert default_loss("multiclass") == "cross_entropy"
