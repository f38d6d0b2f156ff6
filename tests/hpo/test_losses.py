import numpy as np
import pytest
import torch

from hpo.errors import ConfigError
from hpo.losses import constant_output, default_loss, focal_loss, loss_function, score_function

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
    value = loss_function(name, task, 2.0, None)(LOGITS, LABELS)
    assert value.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "task"), [("mse", "binary"), ("bce", "regression"), ("focal", "regression")]
)
def test_a_loss_that_does_not_fit_the_task(name, task):
    with pytest.raises(ConfigError, match=f"loss {name} does not fit a {task} task"):
        loss_function(name, task, 2.0, None)


def test_the_constant_output_scores_best():
    labels = np.array([[1.0], [0.0], [0.0], [1.0], [0.0]], dtype=np.float32)
    best = constant_output("binary", labels)[0]
    score = score_function("binary")

    def at(logit):
        return score(torch.full((5, 1), float(logit)), torch.from_numpy(labels)).item()

    assert all(at(best) < at(best + step) for step in (-0.05, 0.05))
    assert constant_output("regression", labels)[0] == pytest.approx(0.4)
    assert np.isfinite(constant_output("binary", np.zeros((9, 1), dtype=np.float32))).all()


def test_the_score_does_not_depend_on_the_loss():
    assert default_loss("binary") == "bce"
    assert default_loss("regression") == "mse"
