"""Data made from a seed: series with a known law, and tabular sets without time.

Drift, shock, regime switch and the rotating moons come from the ``psann`` package. A tabular set has one row
a sample, each a segment of its own, so that its context is 1; its rows are drawn in random order, and a time
of one row a second only numbers them.
"""

import functools
import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..base import DataRequest, DatasetSpec, Table
from ..frames import regression_table

Array = npt.NDArray[np.float64]
N_ROWS = 4_000
SOURCE = "made from DATA_SEED"


def periodic(seed: int) -> pd.DataFrame:
    """Two sines, of 24 and 168 rows, with random phases and Gaussian noise of 0.1."""
    rng = np.random.default_rng(seed)
    rows = np.arange(N_ROWS)
    phases = rng.uniform(0, 2 * np.pi, 2)
    value = np.sin(2 * np.pi * rows / 24 + phases[0]) + 0.5 * np.sin(2 * np.pi * rows / 168 + phases[1])
    return pd.DataFrame({"value": value + rng.normal(0, 0.1, N_ROWS)})


def drift(seed: int) -> pd.DataFrame:
    """A sine of 50 rows whose amplitude grows by 0.001 a row (psann.utils.synthetic)."""
    from psann.utils.synthetic import make_drift_series  # psann takes seconds to import

    return pd.DataFrame({"value": make_drift_series(N_ROWS, seed=seed)[0][:, 0].double().numpy()})


def shock(seed: int) -> pd.DataFrame:
    """A walk with sporadic shocks that fade (psann.utils.synthetic)."""
    from psann.utils.synthetic import make_shock_series

    return pd.DataFrame({"value": make_shock_series(N_ROWS, seed=seed)[0][:, 0].double().numpy()})


def regime_switch(seed: int) -> pd.DataFrame:
    """Three laws one after the other, twelve times over, and which one rules (psann.utils.synthetic)."""
    from psann.utils.synthetic import make_regime_switch_ts

    regimes = 12
    value, context = make_regime_switch_ts(N_ROWS, regimes=regimes, seed=seed)
    rule = context.numpy().argmax(axis=1) % 3  # the package's three laws take turns
    return pd.DataFrame(
        {"value": value.double().numpy(), **{f"regime_{i}": (rule == i).astype(np.float64) for i in range(3)}}
    )


def tabular_sine(seed: int) -> tuple[Array, Array]:
    """Eight uniform inputs; the target is a sum of sines of three of them and a product, with noise 0.05."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (N_ROWS, 8))
    return x, _sines(x) + rng.normal(0, 0.05, N_ROWS)


def tabular_shifted(seed: int) -> tuple[Array, Array]:
    """The same law, but the inputs of later rows lie further right: by 0 at first, by 1 at the end."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (N_ROWS, 8)) + np.linspace(0, 1, N_ROWS)[:, None]
    return x, _sines(x) + rng.normal(0, 0.05, N_ROWS)


def classification_clusters(seed: int) -> tuple[Array, Array]:
    """Four classes, two Gaussian clusters each, in ten dimensions (scikit-learn's make_classification)."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        N_ROWS,
        n_features=10,
        n_informative=6,
        n_redundant=2,
        n_classes=4,
        n_clusters_per_class=2,
        random_state=seed,
    )
    return x, y.astype(np.float64)


def context_moons(seed: int) -> tuple[Array, Array]:
    """Two moons, rotated by an angle that is given beside them (psann.utils.synthetic)."""
    from psann.utils.synthetic import make_context_rotating_moons

    points, labels, angles = make_context_rotating_moons(N_ROWS, seed=seed)
    x = np.concatenate([points.numpy(), np.cos(angles.numpy()), np.sin(angles.numpy())], axis=1)
    return x.astype(np.float64), labels.numpy().astype(np.float64)


def _sines(x: Array) -> Array:
    value: Array = np.sin(3 * x[:, 0]) + 0.5 * np.sin(7 * x[:, 1]) + np.sin(5 * x[:, 2]) * x[:, 3]
    return value


def _load_series(make: Callable[[int], pd.DataFrame], season: int | None, request: DataRequest) -> Table:
    frame = make(request.data_seed)
    frame = frame.set_axis(pd.date_range("2000-01-01", periods=len(frame), freq="h"), axis=0)
    return regression_table(
        frame,
        request,
        targets=("value",),
        sha256=hashlib.sha256(frame.to_numpy().tobytes()).hexdigest(),
        frequency="hour",
        step=pd.Timedelta(hours=1),
        season=season,
    )


def _load_tabular(
    make: Callable[[int], tuple[Array, Array]], classes: tuple[str, ...], request: DataRequest
) -> Table:
    if request.context_length != 1:
        raise ValueError(f"rows are samples of their own: context must be 1, got {request.context_length}")
    x, y = make(request.data_seed)
    return Table(
        timestamps=np.datetime64("2000-01-01", "ns") + np.arange(len(x)) * np.timedelta64(1, "s"),
        features=x,
        channel_names=tuple(f"x{i}" for i in range(x.shape[1])),
        target_values=y[:, None],
        target_names=("y",),
        target_offsets=(0,),
        target_channels=(),
        task="regression" if not classes else "binary" if len(classes) == 2 else "multiclass",
        class_names=classes if len(classes) > 2 else (),
        sha256=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest(),
        frequency="none",
        segments=tuple((row, row + 1) for row in range(len(x))),
        look_ahead=0,
    )


def _series(
    name: str, make: Callable[[int], pd.DataFrame], extra: tuple[str, ...] = (), season: int | None = None
) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=_title(make),
        source=SOURCE,
        licence="none needed",
        frequency="1 hour",
        channels=dict.fromkeys(("value", *extra), "no unit"),
        tasks=("regression",),
        target="the value over the next `horizon` rows",
        n_rows=N_ROWS,
        load=functools.partial(_load_series, make, season),
        splits=("contiguous", "scattered", "walk-forward"),
        window=(48, 12),
    )


def _tabular(
    name: str, make: Callable[[int], tuple[Array, Array]], n_inputs: int, classes: tuple[str, ...] = ()
) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=_title(make),
        source=SOURCE,
        licence="none needed",
        frequency="none",
        channels={f"x{i}": "no unit" for i in range(n_inputs)},
        tasks=("regression" if not classes else "binary" if len(classes) == 2 else "multiclass",),
        target="y of the same row" if not classes else f"which of {len(classes)} classes a row is of",
        n_rows=N_ROWS,
        load=functools.partial(_load_tabular, make, classes),
        splits=("contiguous", "walk-forward"),
        window=(1, 1),
    )


def _title(make: Callable[[int], object]) -> str:
    assert make.__doc__ is not None
    first = make.__doc__.strip().split("\n")[0].rstrip(".")
    return first[0].lower() + first[1:]


SPECS: tuple[DatasetSpec, ...] = (
    _series("periodic", periodic, season=24),
    _series("drift", drift, season=50),
    _series("shock", shock),
    _series("regime_switch", regime_switch, extra=("regime_0", "regime_1", "regime_2")),
    _tabular("tabular_sine", tabular_sine, 8),
    _tabular("tabular_shifted", tabular_shifted, 8),
    _tabular("classification_clusters", classification_clusters, 10, tuple("abcd")),
    _tabular("context_moons", context_moons, 4, ("first", "second")),
)
