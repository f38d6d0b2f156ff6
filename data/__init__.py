"""The catalogue of data sets, and the way from a request to data that a model can train on."""

from dataclasses import replace

import numpy as np

from . import scaling, sp500
from .base import DataRequest, DatasetSpec, ForecastData
from .splits import get_split

DATASETS: dict[str, DatasetSpec] = {
    "sp500": sp500.SPEC,
}


def prepare(name: str, request: DataRequest) -> ForecastData:
    """Load a data set, split it, and scale it by its training rows.

    Args:
        name: A name of the catalogue.
        request: Task, context, horizon and the rest.

    Raises:
        ValueError: The data set cannot serve the request.
    """
    spec = DATASETS[name]
    if request.task not in (None, *spec.tasks):
        raise ValueError(f"task {request.task!r} is not offered; valid: {', '.join(spec.tasks)}")
    split = get_split(request.split)
    table = spec.load(request)
    splits = split(len(table.features), request.context_length, request.horizon)
    train_rows = splits.rows["train"]
    if request.limit is not None:
        splits = replace(splits, train=splits.train[-request.limit :])
        first = int(splits.train[0]) - request.context_length + 1
        train_rows = tuple((max(start, first), stop) for start, stop in train_rows if stop > first)
        splits = replace(splits, rows={**splits.rows, "train": train_rows})
    mean, std = scaling.fit(table.features, train_rows)
    n_outputs = table.targets.shape[1]
    return ForecastData(
        name=name,
        context_length=request.context_length,
        horizon=request.horizon,
        features=scaling.apply(table.features, mean, std),
        targets=table.targets.astype(np.float32),
        target_mean=np.zeros(n_outputs),
        target_std=np.ones(n_outputs),
        table=table,
        splits=splits,
        feature_mean=mean,
        feature_std=std,
    )
