"""The catalogue of data sets, and the way from a request to data that a model can train on."""

from dataclasses import replace

import numpy as np

from . import scaling
from .base import DataRequest, DatasetSpec, ForecastData, RowRange, Splits, Table
from .categories import encode
from .features import TIERS
from .names import check_name
from .reading import table
from .sets import beijing, eaf, etf, ett, har, jena, rossmann, sp500, synthetic
from .splits import split

DATASETS: dict[str, DatasetSpec] = {
    "sp500": sp500.SPEC,
    "spy": etf.SPY,
    "qqq": etf.QQQ,
    "dia": etf.DIA,
    "jena": jena.JENA,
    "jena_hourly": jena.JENA_HOURLY,
    "beijing": beijing.SPEC,
    "eaf": eaf.SPEC,
    "har": har.SPEC,
    "rossmann": rossmann.SPEC,
    "etth1": ett.ETTH1,
    "ettm1": ett.ETTM1,
    **{spec.name: spec for spec in synthetic.SPECS},
}


def prepare(name: str, request: DataRequest) -> ForecastData:
    """Load a data set, split it, and scale it by its training rows.

    Args:
        name: A name of the catalogue, or a name for the request's own file.
        request: Task, context, horizon and the rest.

    Raises:
        ValueError: The data set cannot serve the request.
    """
    spec, request = _check(name, request)
    return _assemble(name, request, spec.load(request))


def prepare_folds(name: str, request: DataRequest) -> tuple[ForecastData, ...]:
    """The k folds of a walk-forward split, each scaled by its own training rows; read once.

    Raises:
        ValueError: The data set cannot serve the request.
    """
    spec, request = _check(name, replace(request, split="walk-forward"))
    loaded = spec.load(request)
    folds = [replace(request, fold=fold) for fold in range(request.n_folds)]
    layout = split("walk-forward", loaded, folds[-1]).rows["train"] if loaded.categories else None
    return tuple(_assemble(name, fold, loaded, layout) for fold in folds)


def _check(name: str, request: DataRequest) -> tuple[DatasetSpec, DataRequest]:
    """The data set, and the request with its defaults, if the data set offers what is asked."""
    spec = DATASETS[name] if request.path is None else table.SPEC
    if request.task not in (None, *spec.tasks):
        raise ValueError(f"task {request.task!r} is not offered; valid: {', '.join(spec.tasks)}")
    if request.path is None:
        for target in request.target:
            if not spec.targets:
                raise ValueError(f"target {target!r} is not offered; valid: its own alone")
            check_name("target", target, spec.targets)
    if request.groups and spec.groups is None:
        raise ValueError(f"there are no groups to choose from, got {', '.join(request.groups)}")
    rule = spec.splits[0] if request.split is None else request.split
    check_name("split", rule, spec.splits)
    check_name("feature tier", request.features, TIERS)
    return spec, replace(request, split=rule)


def _assemble(
    name: str, request: DataRequest, loaded: Table, layout: tuple[RowRange, ...] | None = None
) -> ForecastData:
    assert request.split is not None
    splits = split(request.split, loaded, request)
    if request.limit is not None:
        splits = _latest(splits, loaded, request)
    loaded = encode(loaded, splits.rows["train"], layout)
    n_channels, n_targets = loaded.features.shape[1], loaded.target_values.shape[1]
    mean, std = np.zeros(n_channels), np.ones(n_channels)
    target_mean, target_std = np.zeros(n_targets), np.ones(n_targets)
    if not loaded.leaks:
        mean, std = scaling.fit(loaded.features, splits.rows["train"])
        # Of what it does later nothing was learnt, and there is no unit to see it in.
        std[std == 0] = scaling.SILENT
        if loaded.task == "regression":
            target_mean, target_std = scaling.fit(loaded.target_values, splits.rows["train"])
            target_std[target_std == 0] = 1.0
    return ForecastData(
        name=name,
        context_length=request.context_length,
        horizon=request.horizon,
        features=scaling.apply(loaded.features, mean, std),
        target_values=scaling.apply(loaded.target_values, target_mean, target_std),
        target_mean=target_mean,
        target_std=target_std,
        table=loaded,
        splits=splits,
        feature_mean=mean,
        feature_std=std,
    )


def _latest(splits: Splits, loaded: Table, request: DataRequest) -> Splits:
    """Keep the latest training windows, and of each range only the rows from the first of them on."""
    assert request.limit is not None
    by_time = np.argsort(loaded.timestamps[splits.train], kind="stable")
    train = np.sort(splits.train[by_time[-request.limit :]])
    rows: list[RowRange] = []
    for start, stop in splits.rows["train"]:
        i = int(np.searchsorted(train, start))
        if i < len(train) and train[i] < stop:
            rows.append((max(start, int(train[i]) - request.context_length + 1), stop))
    return replace(splits, train=train, rows={**splits.rows, "train": tuple(rows)})
