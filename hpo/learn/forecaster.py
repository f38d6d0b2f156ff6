"""A trained model that forecasts: raw rows in, forecasts in the user's units out.

Legend: T rows, L context_length, C channels, K target columns, N windows, O outputs, S steps.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet
import torch
from torch import nn

from hpo.data.base import STEPS
from hpo.data.reading.cadence import breaks_of, next_times
from hpo.data.reading.replay import Rows
from hpo.data.scaling import apply
from hpo.errors import DatasetError
from hpo.learn.bundle import Bundle
from hpo.learn.evaluate import run_model
from hpo.learn.folder import EXAMPLE, build, read_folder
from hpo.learn.settings import EVAL_BATCH
from hpo.learn.windows import Windows
from hpo.scoring.forecasts import Array
from hpo.store.frame import to_table
from hpo.store.layout import WEIGHTS

COLUMNS = ("series", "origin", "timestamp", "step", "column", "forecast")
"""The columns of a forecast; behind them ``truth`` where it is known what came."""

Ends = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Forecaster:
    """A model and all that it needs to forecast from raw rows.

    Attributes:
        bundle: How rows become channels, and outputs forecasts.
        model: The network, with its weights, (N, L, C) -> (N, O) or more.
        example: A file with the rows that one forecast needs; None where there is none.
    """

    bundle: Bundle
    model: nn.Module
    example: Path | None = None

    def predict(
        self, data: str | Path | pd.DataFrame | None = None, *, rolling: bool = False
    ) -> pd.DataFrame:
        """Forecast from the last row of each series on, or from every possible origin.

        Args:
            data: New rows: a data frame, or the path of a file that a study could be run on. None takes the
                example's, where there is one.
            rolling: From every possible origin, with what came beside the forecast.

        Returns:
            A row for each series, origin, step and column, in the user's units: the columns
            :data:`COLUMNS`, and ``truth`` if rolling.

        Raises:
            DatasetError: The rows cannot be used; one line.
        """
        rows = self.read(data)
        return self.roll(rows)[0] if rolling else self.forecast(rows)

    def read(self, data: str | Path | pd.DataFrame | None = None, series: tuple[str, ...] = ()) -> Rows:
        """Rows as :meth:`predict` takes them, ready to be windowed.

        Args:
            data: The rows.
            series: Those to take; empty takes all.

        Raises:
            DatasetError: As :meth:`predict`.
        """
        if isinstance(data, pd.DataFrame):
            time = (*self.bundle.replay.time, None)[0]
            with tempfile.TemporaryDirectory() as folder:
                kept = Path(folder) / "frame.parquet"
                pyarrow.parquet.write_table(to_table(data, time), kept)
                return self._read(kept, "data", series)
        path = self.example if data is None else Path(data)
        if path is None:
            raise DatasetError("this forecaster has no example of its own: give it rows to forecast from")
        return self._read(path, str(path), series)

    def _read(self, path: Path, name: str, series: tuple[str, ...]) -> Rows:
        replay = self.bundle.replay
        try:
            return replace(replay, request=replace(replay.request, groups=series)).read(path)
        except ValueError as error:
            raise DatasetError(f"{name}: {error}") from error

    def forecast(self, rows: Rows) -> pd.DataFrame:
        """Forecast from the last row of each series on.

        Returns:
            A row for each series, step and column, with the columns :data:`COLUMNS`.

        Raises:
            DatasetError: A series has too few rows, or a step is missing among the last.
        """
        ends = self._last(rows)
        return self._frame(rows, ends, self.outputs(rows, ends))

    def roll(self, rows: Rows, stride: int | None = None) -> tuple[pd.DataFrame, dict[str, float]]:
        """Forecast from every possible origin, and hold each forecast against what came.

        Args:
            rows: With what came.
            stride: Rows between origins; None takes the last step that is forecast, so that no row is
                forecast twice.

        Returns:
            As :meth:`forecast`, with a column ``truth``; and the task's metrics, as a trial's record has
            them; empty where nothing that came is known.

        Raises:
            DatasetError: No series has a window and what came after it.
        """
        ends = self._origins(rows, stride or max(1, self.bundle.steps[-1]))
        outputs = self.outputs(rows, ends)
        truth = rows.targets[ends[:, None] + np.array(self.bundle.steps)]
        frame = self._frame(rows, ends, outputs)
        frame["truth"] = np.repeat(truth.reshape(-1), len(self.bundle.class_names) or 1)
        return frame, self._scores(rows, ends, outputs, truth.reshape(len(ends), -1))

    def outputs(self, rows: Rows, ends: Ends) -> Array:
        """What the network says, (N, O): scaled forecasts or logits; of a Gaussian forecast the mean.

        Args:
            rows: New rows.
            ends: Last row of each window, which has L rows.
        """
        bundle = self.bundle
        mean = np.array([channel.mean for channel in bundle.channels])
        std = np.array([channel.std for channel in bundle.channels])
        series = torch.from_numpy(apply(rows.values, mean, std))
        windows = Windows(series, torch.zeros(len(series), 1), ends, bundle.context_length)
        parts = run_model(self.model, windows, bundle.precision, EVAL_BATCH)
        return np.concatenate([part[:, : bundle.n_outputs].double().numpy() for part, _ in parts])

    def _last(self, rows: Rows) -> Ends:
        length = self.bundle.context_length
        starts = {stop: start for start, stop in rows.segments}
        for number, (begin, stop) in enumerate(rows.spans):
            of = f" of series {rows.ids[number]!r}" if rows.ids else ""
            if stop - begin < length:
                raise DatasetError(f"a forecast needs {length:,} rows{of}, got {stop - begin:,}")
            self._check_step(rows.times[begin:stop], of)
            if stop - starts[stop] < length:
                before = pd.Timestamp(rows.times[starts[stop] - 1])
                after = pd.Timestamp(rows.times[starts[stop]])
                raise DatasetError(
                    f"a forecast needs the last {length:,} rows{of} {_a_step(self.bundle.frequency)} apart; "
                    f"after {before} comes {after}"
                )
        return np.array([stop - 1 for _, stop in rows.spans], dtype=np.int64)

    def _check_step(self, times: npt.NDArray[np.datetime64], of: str) -> None:
        """Refuse rows of another step than the model was trained on."""
        breaks = breaks_of(times, self.bundle.frequency)
        if len(breaks) and breaks.mean() > 0.5:
            usual = pd.Timedelta(np.median(np.diff(times)))
            raise DatasetError(
                f"rows{of} are mostly {usual} apart; the model was trained on rows "
                f"{_a_step(self.bundle.frequency)} apart: bring them to that step"
            )

    def _origins(self, rows: Rows, stride: int) -> Ends:
        length, ahead = self.bundle.context_length, max(self.bundle.steps)
        ends = [np.arange(start + length - 1, stop - ahead, stride) for start, stop in rows.segments]
        found = np.concatenate(ends).astype(np.int64)
        if len(found) == 0:
            longest = max(stop - start for start, stop in rows.segments)
            self._check_step(rows.times, "")
            raise DatasetError(
                f"rolling needs {length + ahead:,} rows {_a_step(self.bundle.frequency)} apart, {length:,} "
                f"before the origin and {ahead:,} after it; got {longest:,}"
            )
        return found

    def _scores(self, rows: Rows, ends: Ends, outputs: Array, truth: Array) -> dict[str, float]:
        known = ~np.isnan(truth).any(axis=1)
        if not known.any():
            return {}
        bundle, scale = self.bundle, self.bundle.scale
        last = rows.targets[ends[known]]
        if not bundle.kind.classifies:
            truth = (truth - scale.mean) / scale.std
            k = len(bundle.targets)
            last = (last - scale.mean[:k]) / scale.std[:k]
        return bundle.scorer.metrics(outputs[known], truth[known], last)

    def _frame(self, rows: Rows, ends: Ends, outputs: Array) -> pd.DataFrame:
        bundle, n = self.bundle, len(ends)
        steps, names = np.array(bundle.steps), list(bundle.names)
        each = len(steps) * len(names)
        ids = np.array(rows.ids or ("",), dtype=object)
        series = ids[rows.series[ends]] if rows.ids else np.repeat(ids, n)
        ahead = np.stack([self._ahead(rows, int(end)) for end in ends])
        origin, timestamp = (
            rows.times[ends],
            ahead[:, steps - 1] if steps[0] > 0 else rows.times[ends][:, None],
        )
        frame = pd.DataFrame(
            {
                "series": np.repeat(series, each),
                "origin": np.repeat(origin, each),
                "timestamp": np.repeat(timestamp, len(names), axis=1).reshape(-1),
                "step": np.tile(np.repeat(steps, len(names)), n),
                "column": np.tile(np.array(names, dtype=object), n * len(steps)),
                "forecast": bundle.kind.values(outputs, bundle.scale).reshape(-1),
            }
        )
        if bundle.frequency.endswith(STEPS):
            for name in ("origin", "timestamp"):
                frame[name] = frame[name].to_numpy().astype("datetime64[s]").astype(np.int64)
        return frame

    def _ahead(self, rows: Rows, end: int) -> npt.NDArray[np.datetime64]:
        """The times of the rows after one: those that are there, else those that would follow."""
        n_steps, frequency = max(1, *self.bundle.steps), self.bundle.frequency
        times = rows.times[end + 1 : end + 1 + n_steps]
        if len(times) == n_steps and (rows.series[end + 1 : end + 1 + n_steps] == rows.series[end]).all():
            return times
        return next_times(
            rows.times[max(0, end - self.bundle.context_length + 1) : end + 1], frequency, n_steps
        )


def _a_step(frequency: str) -> str:
    return frequency if frequency[:1].isdigit() else f"1 {frequency}"


def load_forecaster(folder: Path) -> Forecaster:
    """The forecaster in a folder.

    Raises:
        StorageError: It is none, damaged, or not safe to load.
    """
    return make_forecaster(folder, *read_folder(folder))


def make_forecaster(folder: Path, bundle: Bundle, files: Mapping[str, bytes]) -> Forecaster:
    """The forecaster of a folder that was read.

    Raises:
        StorageError: The weights are not those of its config.
    """
    return Forecaster(
        bundle=bundle,
        model=build(bundle, files[WEIGHTS], folder),
        example=folder / EXAMPLE if EXAMPLE in files else None,
    )
