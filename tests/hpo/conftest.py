"""Makes trial records and whole studies, for tests of what is said of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from hpo.system.counts import format_budget
from hpo.trial.record import (
    Architecture,
    Code,
    ConfusionMatrix,
    DataSource,
    Epoch,
    Failure,
    Metrics,
    Naive,
    Objective,
    Part,
    Resources,
    Training,
    TrialRecord,
)

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

BINARY_REFERENCE = {
    "log_loss": 0.6931,
    "brier": 0.25,
    "accuracy": 0.55,
    "precision": 0.0,
    "recall": 0.0,
    "f1": 0.0,
}
REGRESSION_REFERENCE = {"mse": 0.8, "rmse": 0.894, "mae": 0.7, "r2": 0.2, "smape": 12.0, "mase": 1.0}


def _float(low: float, high: float, log: bool = False) -> dict[str, Any]:
    return {"name": "FloatDistribution", "attributes": {"step": None, "low": low, "high": high, "log": log}}


def _choice(*choices: Any) -> dict[str, Any]:
    return {"name": "CategoricalDistribution", "attributes": {"choices": list(choices)}}


DISTRIBUTIONS = {
    "budget": _choice("750k", "2M", "20M"),
    "shape": _float(0.0, 1.0),
    "learning_rate": _float(1e-5, 1e-2, log=True),
    "use_weight_decay": _choice(True, False),
    "weight_decay": _float(1e-6, 1e-1, log=True),
    "dropout": _float(0.0, 0.7),
    "batch_size": _choice(32, 64, 128, 256, 512),
    "normalisation": _choice("none", "revin", "last"),
}


def build_record(number: int = 0, **changes: Any) -> TrialRecord:
    """A completed binary trial, or one of a regression.

    ``changes`` are fields of the record, sizes and training settings, or ``curve``: the validation losses of
    its epochs.
    """
    value = changes.pop("value", 0.65)
    state = changes.pop("state", "COMPLETE")
    budget = changes.pop("budget", 2_000_000)
    regression = changes.pop("regression", False)
    reference = REGRESSION_REFERENCE if regression else BINARY_REFERENCE
    name = "mse" if regression else "log_loss"
    rate, decay = changes.pop("learning_rate", 1e-3), changes.pop("weight_decay", 1e-3)
    dropout, batch = changes.pop("dropout", 0.5), changes.pop("batch_size", 256)
    normalisation = changes.pop("normalisation", "revin")
    curve = changes.pop("curve", None if value is None else [value + 0.1, value + 0.02, value, value + 0.01])
    d_model, n_layers = changes.pop("d_model", 320), changes.pop("n_layers", 2)
    n_heads, shape = changes.pop("n_heads", None), changes.pop("shape", 0.5)
    loss = changes.pop("loss", "mse" if regression else "bce")
    # Of the confusion matrix below: 70 of 100 right, 20 of 30 said yes are yes, 20 of 40 yes are found.
    scores = {**reference, "accuracy": 0.7, "precision": 2 / 3, "recall": 0.5, "f1": 4 / 7, "auc": 0.6}
    metrics = {**(reference if regression else scores), name: value}
    losses, seconds = curve or [], None if state == "RUNNING" else 20.0 + number
    fields: dict[str, Any] = {
        "experiment": "sp500_psann_h1_2M",
        "study_name": "sp500_psann_h1_2M",
        "trial_number": number,
        "state": state,
        "value": value,
        "value_std": None,
        "folds": [],
        "objective": Objective(name="val_loss", direction="minimize"),
        "origin": "tpe",
        "params": {
            "budget": format_budget(budget),
            "shape": shape,
            "learning_rate": rate,
            "use_weight_decay": decay > 0,
            "weight_decay": decay or 1e-6,
            "dropout": dropout,
            "batch_size": batch,
            "normalisation": normalisation,
        },
        "distributions": DISTRIBUTIONS,
        "intermediate_values": dict(enumerate(losses, start=1)),
        "constraints": {},
        "user_attrs": {},
        "system_attrs": {},
        "architecture": Architecture(
            family="psann",
            d_model=d_model,
            n_layers=n_layers,
            n_heads=n_heads,
            d_ff=None,
            param_count=round(budget * 0.999),
            parameter_budget=budget,
            budget_deviation=-0.001,
            canonical=False,
            config={
                "d_model": d_model,
                "n_layers": n_layers,
                "dropout": dropout,
                "normalisation": normalisation,
            },
        ),
        "training": Training(
            learning_rate=rate,
            weight_decay=decay,
            dropout=dropout,
            batch_size=batch,
            micro_batch=batch,
            normalisation=normalisation,
            loss=loss,
            epochs_planned=50,
            epochs_run=len(losses),
            best_epoch=int(np.argmin(losses)) + 1 if losses else None,
            stopped_because="early stopping" if state == "COMPLETE" else None,
            precision="fp32",
            threads=2,
        ),
        "seed": 1000 + number,
        "datetime_start": START + timedelta(minutes=number),
        "datetime_complete": START + timedelta(minutes=number, seconds=seconds) if seconds else None,
        "duration_seconds": seconds,
        "resumed": 0,
        "learning_curve": [
            Epoch(epoch=epoch, train_loss=x + 0.01, val_loss=x, learning_rate=rate, seconds=1.0)
            for epoch, x in enumerate(losses, start=1)
        ],
        "metrics": Metrics(train=metrics, val=metrics) if state == "COMPLETE" and value is not None else None,
        "naive": Naive(
            name="last value" if regression else "base rate",
            metrics=reference,
            skill=None if value is None else 1 - value / reference[name],
        ),
        "references": {"last value" if regression else "base rate": reference},
        "confusion_matrix": None
        if regression or state != "COMPLETE"
        else ConfusionMatrix(true_negative=50, false_positive=10, false_negative=20, true_positive=20),
        "split": {
            "train": Part(rows=700, windows=600, start="2000-01-03T00:00:00", end="2010-01-01T00:00:00"),
            "val": Part(rows=150, windows=100, start="2010-01-04T00:00:00", end="2012-01-01T00:00:00"),
            "test": Part(rows=150, windows=101, start="2012-01-03T00:00:00", end="2014-01-01T00:00:00"),
        },
        "flags": [],
        "resources": Resources(
            device="cpu",
            peak_memory_bytes=None,
            flops_per_step=None,
            total_flops=None,
            steps=10,
            samples_per_second=None,
        ),
        "failure": None,
        "data": DataSource(name="sp500", sha256="ab" * 32),
        "code": Code(version="0.1.0", commit="c0ffee" * 6 + "c0ff", dirty=False),
    }
    unknown = set(changes) - set(fields)
    assert not unknown, unknown
    return TrialRecord(**{**fields, **changes})


def build_study(
    seed: int = 0, budgets: tuple[int, ...] = (2_000_000,), regression: bool = False
) -> list[TrialRecord]:
    """About thirty trials such as a real study leaves: forced, startup and TPE; pruned, diverged, failed."""
    rng = np.random.default_rng(seed)
    base = 0.72 if regression else 0.66
    records: list[TrialRecord] = []

    def add(origin: str, quality: float, budget: int, **changes: Any) -> None:
        noise = abs(rng.normal(0, 0.01)) if changes.get("state") != "PRUNED" else 0.08
        best = base + quality + noise
        n = 6 if changes.get("state") == "PRUNED" else int(rng.integers(8, 30))
        curve = best + 0.4 * np.exp(-np.arange(n) / 2.5) + np.abs(rng.normal(0, 0.004, n))
        curve[min(n - 1, int(0.7 * n))] = best
        value = float(curve.min()) if changes.get("state", "COMPLETE") == "COMPLETE" else float(curve[-1])
        fields = {"curve": [float(x) for x in curve], "value": value, "budget": budget, **changes}
        records.append(build_record(len(records), origin=origin, regression=regression, **fields))

    for budget in budgets:
        name, width = format_budget(budget), round((budget / 24) ** 0.5)
        common: dict[str, Any] = {"learning_rate": 1e-4, "d_model": width, "shape": 0.2}
        add(f"forced:architecture:{name}-shallow", 0.03, budget, **common)
        deep = {**common, "n_layers": 5, "d_model": round(width / 1.6), "shape": 0.5}
        add(f"forced:architecture:{name}-deep", 0.02, budget, **deep)
        for dropout in (0.1, 0.3, 0.7):
            add(
                f"forced:dropout:{name}-{dropout:g}", 0.05 * dropout, budget, **{**common, "dropout": dropout}
            )
        for rate in (1e-5, 1e-3):
            quality = 0.08 if rate < 1e-4 else 0.0
            add(f"forced:learning_rate:{name}-{rate:g}", quality, budget, **{**common, "learning_rate": rate})
        for decay in (0.0, 1e-2):
            add(f"forced:weight_decay:{name}-{decay:g}", 0.02, budget, **{**common, "weight_decay": decay})
    for i in range(21):
        budget = budgets[i % len(budgets)]
        depth = int(rng.choice([1, 2, 3, 4, 6, 8, 12, 20]))
        changes: dict[str, Any] = {
            "n_layers": depth,
            "d_model": round((budget / 12 / depth) ** 0.5),
            "shape": float(np.log(depth) / np.log(20)),
            "learning_rate": float(10 ** rng.uniform(-5, -2)),
            "weight_decay": float(rng.choice([0.0, 10 ** rng.uniform(-6, -1)])),
            "dropout": float(rng.uniform(0, 0.7)),
            "batch_size": int(rng.choice([32, 64, 128, 256, 512])),
            "normalisation": str(rng.choice(["none", "revin", "last"])),
        }
        if i in (4, 9, 13):
            changes["state"] = "PRUNED"
        quality = 0.02 * abs(np.log10(changes["learning_rate"]) + 3) + 0.002 * depth
        add("startup" if i < 3 else "tpe", float(quality), budget, **changes)
    n = len(records)
    boom = Failure(type="DivergedError", message="validation score inf in epoch 4", traceback=None)
    records.append(
        build_record(n, state="PRUNED", value=30.2, failure=boom, origin="tpe", learning_rate=9e-3)
    )
    bug = Failure(type="RuntimeError", message="shape '[1|2]' is <invalid>\nfor input", traceback="...")
    records.append(build_record(n + 1, state="FAIL", value=None, failure=bug, origin="tpe"))
    return records


@pytest.fixture(scope="session")
def make_record() -> Callable[..., TrialRecord]:
    """:func:`build_record`."""
    return build_record


@pytest.fixture(scope="session")
def make_study() -> Callable[..., list[TrialRecord]]:
    """:func:`build_study`."""
    return build_study
