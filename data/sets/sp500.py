"""The S&P 500, daily, 1999 to 2018, from the ``arch`` package: no network, no key.

Target: does the highest High of the next H days reach Close times (1 + threshold)?

Legend: T rows, H horizon.
"""

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..base import DataRequest, DatasetSpec, Table
from ..features import compute

RAW = ("Open", "High", "Low", "Close", "Volume")


@lru_cache(maxsize=1)
def raw() -> pd.DataFrame:
    """Open, High, Low, Close (index points), Volume (shares) and the NASDAQ's close, 5,031 days."""
    frame = _sample("sp500")[list(RAW)].astype(np.float64)
    frame["nasdaq_close"] = _sample("nasdaq")["Close"].astype(np.float64).reindex(frame.index)
    if frame.isna().any().any() or not frame.index.is_monotonic_increasing:
        raise ValueError("the arch package's S&P 500 sample is not as expected: it has gaps or is unordered")
    return frame


def _sample(name: str) -> pd.DataFrame:
    """A file of the arch package, found without importing it: that takes two seconds."""
    package = importlib.util.find_spec("arch")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "data" / name / f"{name}.csv.gz"
    return pd.read_csv(path, parse_dates=["Date"], index_col="Date")


def reaches_threshold(
    high: npt.NDArray[np.float64], close: npt.NDArray[np.float64], horizon: int, threshold: float
) -> npt.NDArray[np.float64]:
    """Whether the highest high of the next rows reaches the close by a rise.

    Args:
        high: Shape (T,).
        close: Shape (T,).
        horizon: Rows ahead, H.
        threshold: The rise as a fraction.

    Returns:
        1.0 or 0.0 for each row, (T,); NaN for the last H rows, whose future is not known.
    """
    label = np.full(len(close), np.nan)
    if len(close) > horizon:
        future = np.lib.stride_tricks.sliding_window_view(high[1:], horizon).max(axis=1)
        label[:-horizon] = future >= close[:-horizon] * (1.0 + threshold)
    return label


def load(request: DataRequest) -> Table:
    """OHLCV, the NASDAQ's close and the tier's indicators, warm-up rows dropped.

    Raises:
        ValueError: The tier needs data that are not here.
    """
    if request.features != "a20":
        raise ValueError(
            f"sp500 offers the feature tier a20 alone, got {request.features!r} "
            "(from a50 on the VIX is needed)"
        )
    prices = raw()
    frame = prices.join(compute(prices[list(RAW)], request.features))
    warm = frame.notna().all(axis=1).to_numpy()
    first = int(np.argmax(warm))
    frame, prices = frame.iloc[first:], prices.iloc[first:]
    label = reaches_threshold(
        prices["High"].to_numpy(), prices["Close"].to_numpy(), request.horizon, request.threshold
    )
    return Table(
        timestamps=frame.index.to_numpy().astype("datetime64[ns]"),
        features=frame.to_numpy(dtype=np.float64),
        channel_names=tuple(name.lower() for name in frame.columns),
        target_values=label[:, None],
        target_names=(f"high of the next {request.horizon} reaches close + {request.threshold:.2%}",),
        target_offsets=(0,),
        target_channels=(),
        task="binary",
        sha256=hashlib.sha256(raw().to_csv().encode()).hexdigest(),
        frequency=SPEC.frequency,
        segments=((0, len(frame)),),
        tier=request.features,
        history=raw().index[0].to_datetime64(),
    )


SPEC = DatasetSpec(
    name="sp500",
    title="S&P 500 daily, 1999-2018, with the NASDAQ close and 20 indicators",
    source="arch package (Yahoo Finance)",
    licence="Yahoo Finance terms: personal use",
    frequency="1 business day",
    channels={**dict.fromkeys(("Open", "High", "Low", "Close"), "index points"), "Volume": "shares"},
    tasks=("binary",),
    target="does the High of the next `horizon` days reach Close x (1 + `threshold` %)?",
    n_rows=5031,
    load=load,
)
