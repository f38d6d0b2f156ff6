"""The bundle of a model that was trained on some data.

Legend: K target columns, O outputs.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from hpo.data.base import DataRequest, ForecastData
from hpo.data.reading.replay import segments_of
from hpo.learn.bundle import Bundle, FoundDialect, Input, Reading, Target
from hpo.models.base import ForecastShape, ModelConfig
from hpo.scoring.scorer import Scorer
from hpo.trial.record import DataSource


def describe(
    data: ForecastData,
    request: DataRequest,
    scorer: Scorer,
    *,
    groups: str | None,
    model: ModelConfig,
    shape: ForecastShape,
    **rest: Any,
) -> Bundle:
    """The bundle of a model trained on some data.

    Args:
        data: The fold that the weights are of.
        request: How its rows were read.
        scorer: Of the same fold.
        groups: The column that tells the groups of a catalogue's data set apart; None where there are none.
        model: The family's config.
        shape: What the network was built for.
        **rest: The other fields of :class:`Bundle`.
    """
    table = data.table
    label_step = data.horizon if table.look_ahead is None else table.look_ahead
    reading = {name: getattr(request, name) for name in Reading.model_fields}
    if request.path is None and groups is not None and table.groups is not None:
        reading["series"] = (groups,)
    if table.frequency == "none":
        reading["time"] = ("none",)
    whole = len(segments_of(table.timestamps, table.group_codes, table.frequency, regular=True))
    naive_error = [None if not np.isfinite(value) else float(value) for value in scorer.scale.naive_error]
    n_outputs = shape.n_outputs
    return Bundle(
        model=asdict(model),
        n_outputs=n_outputs,
        target_channels=shape.target_channels,
        covariance=shape.covariance,
        task=scorer.task.name,
        context_length=data.context_length,
        horizon=data.horizon,
        steps=table.target_offsets if table.target_offsets != (0,) else (label_step,),
        channels=tuple(
            Input(
                name=channel.name,
                column=channel.column,
                kind=channel.kind,
                value=channel.value,
                mean=float(mean),
                std=float(std),
            )
            for channel, mean, std in zip(table.channels, data.feature_mean, data.feature_std, strict=True)
        ),
        targets=tuple(
            Target(name=name, mean=float(mean), std=float(std))
            for name, mean, std in zip(table.target_names, data.target_mean, data.target_std, strict=True)
        ),
        class_names=table.class_names,
        frequency=table.frequency,
        regular=whole <= len(table.segments),
        season=scorer.season,
        naive_error=tuple(naive_error) if len(naive_error) == n_outputs else (),
        features=table.tier,  # type: ignore[arg-type]
        history=None if table.history is None else table.history.astype("datetime64[us]").item(),
        reading=Reading(**reading),
        dialect=None if table.dialect is None else FoundDialect(**asdict(table.dialect)),
        data=DataSource(name=data.name, sha256=table.sha256),
        **rest,
    )
