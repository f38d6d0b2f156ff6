"""Electricity transformer temperature (Zhou et al., AAAI 2021): ETTh1, hourly, and ETTm1, 15 minutes.

The standard split of the literature is 12 months to train, 4 to validate, 4 to test, months of 30 days; what
comes after is not used. Every row of a part is a target, as there.
"""

import functools

import pandas as pd

from ..base import DataFile, DataRequest, DatasetSpec, Table
from ..fetch import locate
from ..frames import regression_table

PAGE = "https://github.com/zhouhaoyi/ETDataset"
COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
MONTHS = {"train": (0, 12), "val": (12, 16), "test": (16, 20)}
DAYS_A_MONTH = 30


def _forms(name: str, packed: str, plain: str) -> tuple[DataFile, ...]:
    url = f"https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/{name}.csv"
    return (
        DataFile(name=f"{name}.csv.xz", sha256=packed, page=PAGE),
        DataFile(name=f"{name}.csv", sha256=plain, page=PAGE, url=url),
    )


FILES = {
    "etth1": _forms(
        "ETTh1",
        "7102ef06a3694dbc5ff61e1e2995a6916f246825ca37c96b68fda7383bc11fd0",
        "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    ),
    "ettm1": _forms(
        "ETTm1",
        "f81cb240151e0f0d32cb761230913e5c26135c4a936ac5360b7ca54e2eb487cd",
        "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
    ),
}


def load(name: str, rows_an_hour: int, request: DataRequest) -> Table:
    """All seven channels, and the oil temperature or any of them as targets.

    Raises:
        ValueError: The file cannot be had.
    """
    path, sha256 = locate(FILES[name])
    frame = pd.read_csv(path, parse_dates=["date"], index_col="date")
    month = DAYS_A_MONTH * 24 * rows_an_hour
    return regression_table(
        frame,
        request,
        targets=request.target or ("OT",),
        sha256=sha256,
        frequency="hour" if rows_an_hour == 1 else "15 minutes",
        step=pd.Timedelta(hours=1) / rows_an_hour,
        season=24 * rows_an_hour,
        official={part: ((start * month, stop * month),) for part, (start, stop) in MONTHS.items()},
    )


def _spec(name: str, title: str, frequency: str, rows_an_hour: int) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=title,
        source=PAGE,
        licence="CC BY-ND 4.0",
        frequency=frequency,
        channels={**dict.fromkeys(COLUMNS[:-1], "load"), "OT": "degC"},
        tasks=("regression",),
        target="oil temperature (OT), or any channels, over the next `horizon` rows",
        n_rows=17_420 * rows_an_hour,
        load=functools.partial(load, name, rows_an_hour),
        splits=("official", "contiguous", "scattered", "year", "walk-forward"),
        targets=COLUMNS,
        window=(96, 24),
        files=(FILES[name],),
    )


ETTH1 = _spec("etth1", "transformer loads and oil temperature, hourly, 2016-2018", "1 hour", 1)
ETTM1 = _spec("ettm1", "transformer loads and oil temperature, 15 minutes, 2016-2018", "15 minutes", 4)
