import pytest
import torch

from hpo.errors import ConfigError
from hpo.scoring.losses import LossSettings, focal_loss, log_loss
from hpo.scoring.tasks import BINARY, MULTICLASS, REGRESSION

LOGITS = torch.tensor([[2.0], [-1.0], [0.3]])
LABELS = torch.tensor([[1.0], [0.0], [0.0]])


def test_focal_by_hand():
    p = torch.sigmoid(LOGITS)
    p_t = torch.where(LABELS == 1, p, 1 - p)
    alpha_t = torch.where(LABELS == 1, 0.3, 0.7)
    expected = (-alpha_t * (1 - p_t) ** 2 * p_t.log()).mean()
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, 2.0, 0.3), expected)


def test_focal_without_focus_is_cross_entropy():
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, 0.0, None), log_loss(LOGITS, LABELS))


@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 0.99, 1.0, 2.0])
@pytest.mark.parametrize("logit", [0.0, 17.0, 18.0, 30.0, 104.0, 1e4])
def test_focal_has_a_gradient_however_sure_the_logit(gamma, logit):
    logits = torch.tensor([[logit], [-logit], [-logit]], requires_grad=True)
    loss = focal_loss(logits, LABELS, gamma, None)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()
    assert (logits.grad.sign() * torch.tensor([[1.0], [-1.0], [-1.0]]) <= 0).all(), (
        "never away from the label"
    )


@pytest.mark.parametrize("logit", [-9.0, 0.0, 3.0, 12.0])
def test_focal_below_one_has_the_slope_of_its_formula(logit):
    label = torch.ones(1, 1, dtype=torch.float64)
    at = torch.tensor([[logit]], requires_grad=True, dtype=torch.float64)
    focal_loss(at, label, 0.5, None).backward()
    high, low = (focal_loss(at.detach() + step, label, 0.5, None).item() for step in (1e-5, -1e-5))
    assert at.grad.item() == pytest.approx((high - low) / 2e-5, rel=1e-4)


@pytest.mark.parametrize(("name", "expected"), [("mse", (1 + 1 + 0.09) / 3), ("mae", 2.3 / 3)])
def test_regression_losses_by_hand(name, expected):
    value = REGRESSION.loss(LossSettings(name=name))(LOGITS, LABELS)
    assert value.item() == pytest.approx(expected)


def test_huber_is_half_the_square_up_to_delta_and_a_line_beyond():
    loss = REGRESSION.loss(LossSettings(name="huber", huber_delta=0.5))
    outputs, targets = torch.tensor([[0.2], [3.0]]), torch.zeros(2, 1)
    assert loss(outputs, targets).item() == pytest.approx((0.2**2 / 2 + 0.5 * (3.0 - 0.25)) / 2)


def test_a_positive_weight_counts_positives_so_many_times():
    loss = BINARY.loss(LossSettings(name="bce", positive_weight=3.0))
    p = torch.sigmoid(LOGITS)
    expected = -(3.0 * LABELS * torch.log(p) + (1 - LABELS) * torch.log(1 - p)).mean()
    torch.testing.assert_close(loss(LOGITS, LABELS), expected)
    with pytest.raises(ConfigError, match="positive_weight"):
        BINARY.loss(LossSettings(name="focal", positive_weight=3.0))


def test_cross_entropy_by_hand():
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    classes = torch.tensor([[0.0], [2.0]])
    p = torch.softmax(logits, dim=1)
    loss = MULTICLASS.loss(LossSettings(name="cross_entropy"))
    torch.testing.assert_close(loss(logits, classes), -(p[0, 0].log() + p[1, 2].log()) / 2)


def test_a_full_covariance_has_a_limit():
    full = LossSettings(name="gaussian_nll_full")
    assert REGRESSION.covariance(full, 64) == "full"
    assert REGRESSION.covariance(LossSettings(name="gaussian_nll"), 65) == "diagonal"
    assert REGRESSION.covariance(LossSettings(name="mse"), 65) == "none"
    with pytest.raises(ConfigError, match=r"at most 64 forecast numbers .* got 65; gaussian_nll takes any"):
        REGRESSION.covariance(full, 65)
