"""The catalogue of data sets, and the way from a request to data that a model can train on."""

from dataclasses import replace

import numpy as np

from . import scaling, sp500, table
from .base import DataRequest, DatasetSpec, ForecastData, RowRange, Splits
from .splits import split

DATASETS: dict[str, DatasetSpec] = {
    "sp500": sp500.SPEC,
}


def prepare(name: str, request: DataRequest) -> ForecastData:
    """Load a data set, split it, and scale it by its training rows.

    Args:
        name: A name of the catalogue, or a name for the request's own file.
        request: Task, context, horizon and the rest.

    Raises:
        ValueError: The data set cannot serve the request.
    """
    spec = DATASETS[name] if request.path is None else table.SPEC
    if request.task not in (None, *spec.tasks):
        raise ValueError(f"task {request.task!r} is not offered; valid: {', '.join(spec.tasks)}")
    loaded = spec.load(request)
    splits = split(
        request.split, len(loaded.features), request.context_length, request.horizon, loaded.segments
    )
    if request.limit is not None:
        splits = _latest(splits, request.limit, request.context_length)
    mean, std = scaling.fit(loaded.features, splits.rows["train"])
    target_mean, target_std = np.zeros(1), np.ones(1)
    if loaded.task == "regression":
        target_mean, target_std = scaling.fit(loaded.target_values, splits.rows["train"])
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


def _latest(splits: Splits, limit: int, context_length: int) -> Splits:
    """Keep the latest training windows, and only the rows from the first of them on."""
    train = splits.train[-limit:]
    first = int(train[0]) - context_length + 1
    rows: tuple[RowRange, ...] = tuple(
        (max(start, first), stop) for start, stop in splits.rows["train"] if stop > first
    )
    return replace(splits, train=train, rows={**splits.rows, "train": rows})
