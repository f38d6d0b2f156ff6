"""SPY, QQQ and DIA, daily (Yahoo Finance): the funds on the S&P 500, the NASDAQ 100 and the Dow Jones.

Prices are split-adjusted, not dividend-adjusted, and reach to 2026-08; the VIX reaches to 2022-01-25, so
tiers from a50 on, which need it, end there. An adjusted close is not used: it depends on the day of the
download.

Target: does the highest High of the next H days reach Close times (1 + threshold)?
"""

import functools

import numpy as np
import pandas as pd

from ..base import DataFile, DataRequest, DatasetSpec, Table
from ..features import NEEDS_VIX, compute
from ..fetch import joint_sha256, locate
from .sp500 import RAW, reaches_threshold

PAGE = "https://finance.yahoo.com"
PRICES = DataFile(
    name="equity_etf_ohlcv_to_2026-08.csv.xz",
    sha256="a6561d7be70f15097569437a8f9a2c25dd576c4b70d51554ec48f22209d02bfb",
    page=PAGE,
    repacked=True,
)
INDICES = DataFile(
    name="equity_daily_adjclose.csv.xz",
    sha256="624c672b993e6c0c751b5349f83576b7a9ad4073d098a4f0b8c9d597c4c7c170",
    page=PAGE,
    repacked=True,
)


def prices(symbol: str) -> tuple[pd.DataFrame, str]:
    """Open, High, Low, Close (USD) and Volume (shares) by day, in order, and the file's sha256.

    Raises:
        ValueError: The file cannot be had.
    """
    return _read(PRICES, symbol)


def vix() -> tuple[pd.Series, str]:
    """Close of the VIX (index points) by day, and the file's sha256.

    Raises:
        ValueError: The file cannot be had.
    """
    frame, sha256 = _read(INDICES, "^VIX")
    return frame["Close"], sha256


def _read(file: DataFile, symbol: str) -> tuple[pd.DataFrame, str]:
    path, sha256 = locate((file,))
    frame = pd.read_csv(path, parse_dates=["Date"], index_col="Date")
    return frame.loc[frame["Symbol"] == symbol, list(RAW)].astype(np.float64), sha256


def load(symbol: str, request: DataRequest) -> Table:
    """OHLCV, from a50 on the VIX, and the tier's indicators, warm-up rows dropped.

    Raises:
        ValueError: A file cannot be had, or the tier is not known.
    """
    frame, prices_sum = prices(symbol)
    sums = [prices_sum]
    if request.features in NEEDS_VIX:
        index, vix_sum = vix()
        frame = frame.join(index.rename("VIX"), how="inner")
        sums.append(vix_sum)
    table = frame.join(compute(frame, request.features))
    first = int(np.argmax(table.notna().all(axis=1).to_numpy()))
    table = table.iloc[first:]
    label = reaches_threshold(
        table["High"].to_numpy(), table["Close"].to_numpy(), request.horizon, request.threshold
    )
    return Table(
        timestamps=table.index.to_numpy().astype("datetime64[ns]"),
        features=table.to_numpy(dtype=np.float64),
        channel_names=tuple(name.lower() for name in table.columns),
        target_values=label[:, None],
        target_names=(f"high of the next {request.horizon} reaches close + {request.threshold:.2%}",),
        target_offsets=(0,),
        target_channels=(),
        task="binary",
        sha256=joint_sha256(sums),
        frequency="business day",
        segments=((0, len(table)),),
        tier=request.features,
        history=frame.index[0].to_datetime64(),
    )


def _spec(symbol: str, of: str, year: int, n_rows: int) -> DatasetSpec:
    return DatasetSpec(
        name=symbol.lower(),
        title=f"{symbol}, the fund on the {of}, daily, {year}-2026, with the VIX and 20 to 206 indicators",
        source="Yahoo Finance",
        licence="Yahoo Finance terms: personal use",
        frequency="1 business day",
        channels={
            **dict.fromkeys(("Open", "High", "Low", "Close"), "USD"),
            "Volume": "shares",
            "VIX": "index points; from a50 on",
        },
        tasks=("binary",),
        target="does the High of the next `horizon` days reach Close x (1 + `threshold` %)?",
        n_rows=n_rows,
        load=functools.partial(load, symbol),
        files=((PRICES,), (INDICES,)),
    )


SPY = _spec("SPY", "S&P 500", 1993, 8_448)
QQQ = _spec("QQQ", "NASDAQ 100", 1999, 6_906)
DIA = _spec("DIA", "Dow Jones Industrial Average", 1998, 7_192)
