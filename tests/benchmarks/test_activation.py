"""A PSANN's training step beside that of an MLP of the same shape: the price of the activation."""

import time

import pytest
import torch
from psann.activations import SineParam
from torch import nn

from hpo.models.sine import fuse
from hpo.system.hardware import precision_of

pytestmark = pytest.mark.benchmark

N_INPUTS, BATCH = 2080, 256  # sp500: 80 rows of 26 channels
ROUNDS, STEPS = 10, 6


def network(activation, depth, width):
    layers, n_inputs = [], N_INPUTS
    for _ in range(depth):
        layers += [nn.Linear(n_inputs, width), activation(width), nn.Dropout(0.1)]
        n_inputs = width
    return nn.Sequential(*layers, nn.Linear(width, 1))


class Training:
    """One network's training step, as hpo.train makes it."""

    def __init__(self, model, precision):
        self.model = model
        self.autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")
        self.optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        self.inputs, self.targets = torch.randn(BATCH, N_INPUTS), torch.randn(BATCH, 1)
        self.seconds = []

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast:
            outputs = self.model(self.inputs)
        loss = (outputs.float() - self.targets).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        loss.item()

    def round(self):
        started = time.perf_counter()
        for _ in range(STEPS):
            self.step()
        self.seconds.append((time.perf_counter() - started) / STEPS)


@pytest.mark.parametrize(("depth", "width", "limit"), [(4, 700, 1.3), (12, 350, 1.6)])
def test_a_psann_step_is_near_an_mlps(depth, width, limit):
    """In the precision that trials have here; rounds are interleaved, and the fastest of each counts."""
    precision = precision_of("cpu")
    runs = {
        "mlp": Training(network(lambda _width: nn.ReLU(), depth, width), precision),
        "package": Training(network(SineParam, depth, width), precision),
        "fused": Training(fuse(network(SineParam, depth, width)), precision),
    }
    for run in runs.values():
        run.step()
    for _ in range(ROUNDS):
        for run in runs.values():
            run.round()
    best = {name: min(run.seconds) for name, run in runs.items()}
    ratios = {name: seconds / best["mlp"] for name, seconds in best.items()}
    print(
        f"{depth} x {width}, batch {BATCH}, {precision}: an MLP's step takes {best['mlp'] * 1e3:.1f} ms; "
        f"with the package's activation {ratios['package']:.2f} times that, fused {ratios['fused']:.2f}"
    )
    assert ratios["fused"] <= limit
    assert ratios["fused"] <= 1.1 * ratios["package"]
