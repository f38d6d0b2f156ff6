"""What a trial is predicted to hold, and the micro-batch that follows."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.cost.memory import USABLE, MemoryNeed, fit_micro_batch, memory_need, step_cost
from hpo.models.base import ForecastShape
from hpo.models.sizing import count_params, fit_width
from hpo.study.catalogue import get_family

SHAPE = ForecastShape(context_length=80, n_channels=26, n_outputs=1)


@given(
    base=st.integers(0, 10**10),
    weights=st.integers(0, 10**9),
    window=st.integers(1, 10**9),
    batch=st.sampled_from([1, 8, 32, 100, 256, 512]),
    available=st.integers(0, 10**11),
)
def test_the_micro_batch_fits_and_a_larger_one_would_not(base, weights, window, batch, available):
    need = MemoryNeed(base_bytes=base, state_bytes=5 * weights, step_bytes=4 * weights, window_bytes=window)
    micro = fit_micro_batch(need, batch, available)
    if micro:
        assert micro == batch or micro & (micro - 1) == 0
        assert need.at(micro) <= USABLE * available
        assert micro == batch or need.at(min(batch, 2 * micro)) > USABLE * available
    else:
        assert need.at(1) > USABLE * available


@pytest.mark.parametrize("name", ["psann", "tcn", "patchtst", "informer"])
def test_a_step_costs_what_a_deep_model_measured_whole_costs(name):
    """Depth is extrapolated: the same model, measured as if it were shallow, must give the same."""
    family = get_family(name)
    config = fit_width(family, family.config(d_model=8, n_layers=10), SHAPE, 750_000)
    extrapolated = step_cost(family, config, SHAPE)
    whole = step_cost(type(family)(**{**vars(family), "settled_depth": lambda _shape: 10}), config, SHAPE)
    assert extrapolated.flops == pytest.approx(whole.flops, rel=0.01)
    # A tcn pads more where its dilations are wider.
    assert extrapolated.saved_bytes == pytest.approx(whole.saved_bytes, rel=0.1 if name == "tcn" else 0.01)


def test_flops_are_counted_where_torch_counts_none():
    family = get_family("lstm")
    config = fit_width(family, family.config(d_model=8, n_layers=2), SHAPE, 200_000)
    counted = step_cost(family, config, SHAPE).flops
    assert counted == pytest.approx(6 * 80 * 200_000, rel=0.05)
    geosparse = get_family("geosparse")
    config = geosparse.config(d_model=5, n_layers=2)
    assert step_cost(geosparse, config, SHAPE).flops == 6 * count_params(geosparse, config, SHAPE)


MEASURE = """
import json, sys
from pathlib import Path
import torch, torch._dynamo
from torch import nn
from hpo.system.hardware import precision_of
from hpo.cost.memory import PROCESS_BYTES, memory_need
from hpo.models.base import ForecastShape
from hpo.models.sizing import count_params, fit_width
from hpo.study.catalogue import get_family

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

name, n_layers, budget, batch = json.loads(sys.argv[1])
shape = ForecastShape(context_length=80, n_channels=26, n_outputs=1)
family = get_family(name)
heads = {"n_heads": 4} if hasattr(family.config, "n_heads") else {}
config = fit_width(family, family.config(d_model=4, n_layers=n_layers, **heads), shape, budget)
precision = precision_of("cpu")
need = memory_need(
    family,
    config,
    shape,
    param_count=count_params(family, config, shape),
    precision=precision,
    epochs=1,
    data_bytes=0,
)
torch.set_num_threads(2)
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
model = family.build(config, shape)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
inputs = torch.randn(batch, 80, 26)
for _ in range(2):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        outputs = model(inputs)
    outputs.float().square().mean().backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
best = {key: value.clone() for key, value in model.state_dict().items()}
# Both beside a process with torch loaded, whose share does not depend on the model.
print(json.dumps([need.at(batch) - PROCESS_BYTES, memory("VmHWM") - before]))
"""

CASES = [
    ("patchtst", 44, 2_000_000, 128),
    ("patchtst", 2, 2_000_000, 512),
    ("itransformer", 5, 2_000_000, 64),
    ("informer", 3, 2_000_000, 64),
    ("transformer", 5, 2_000_000, 32),
    ("tcn", 8, 2_000_000, 32),
    ("lstm", 3, 2_000_000, 64),
    ("psann_conv", 3, 2_000_000, 32),
    ("psann", 3, 20_000_000, 256),
]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_the_prediction_is_within_a_fifth_of_what_is_held(case):
    done = subprocess.run([sys.executable, "-c", MEASURE, json.dumps(case)], capture_output=True, check=True)
    predicted, held = json.loads(done.stdout)
    print(f"{case}: predicted {predicted / 1e6:.0f} MB, held {held / 1e6:.0f} MB, {held / predicted:.2f}")
    process = 450_000_000
    assert (held + process) / (predicted + process) == pytest.approx(1.0, abs=0.2)


def test_a_need_grows_with_the_micro_batch_and_bf16_keeps_copies_of_weights():
    family = get_family("mlp")
    config = fit_width(family, family.config(d_model=4, n_layers=3), SHAPE, 2_000_000)

    def need(precision, epochs):
        return memory_need(
            family,
            config,
            SHAPE,
            param_count=2_000_000,
            precision=precision,
            epochs=epochs,
            data_bytes=10**6,
        )

    fp32, bf16 = need("fp32", 2), need("bf16", 2)
    assert fp32.at(4096) - fp32.at(2048) == 2048 * fp32.window_bytes > 0
    assert fp32.at(1) == fp32.base_bytes + 20 * 2_000_000, "a small batch's peak is at the end of an epoch"
    assert bf16.step_bytes - fp32.step_bytes == 2 * 2_000_000
    assert fp32.step_bytes - need("fp32", 1).step_bytes == 4 * 2_000_000, "the best weights"
    assert bf16.window_bytes < fp32.window_bytes, "activations are half as wide"
