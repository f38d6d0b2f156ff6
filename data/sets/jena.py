"""Jena Climate (Max Planck Institute for Biogeochemistry): weather on a roof, every 10 minutes, 2009 to 2016.

Traps of the file: blocks of rows come twice, so that time runs backwards; -9999 stands for no wind reading,
and one wind speed beside such a reading is junk; there are gaps.
"""

import functools
import math

import pandas as pd

from .. import legacy
from ..base import DataFile, DataRequest, DatasetSpec, Table
from ..fetch import locate
from ..frames import regression_table

PAGE = (
    "https://www.bgc-jena.mpg.de/wetter (as one file: jena_climate_2009_2016.csv of the Keras documentation)"
)
SENTINEL = -9999.0
WIND, GUST = "wv", "max. wv"
CHANNELS = {
    "p": "mbar",
    "T": "degC",
    "Tpot": "K",
    "Tdew": "degC",
    "rh": "%",
    "VPmax": "mbar",
    "VPact": "mbar",
    "VPdef": "mbar",
    "sh": "g/kg",
    "H2OC": "mmol/mol",
    "rho": "g/m**3",
    WIND: "m/s",
    GUST: "m/s",
    "wd": "deg",
}

TEN_MINUTES = (
    DataFile(name="jena_climate_2009_2016.csv", sha256=None, page=PAGE),
    DataFile(
        name="jena_climate_10min_2009-01-01_2011-01-11.csv.xz",
        sha256="2fee6e704cd4303d4184bd9c4a22b82bb93a4f1b871b88bebd7daec1c9714b2f",
        page=PAGE,
    ),
)
HOURLY = (
    TEN_MINUTES[0],
    DataFile(
        name="jena_climate_hourly_2009_2016.csv.xz",
        sha256="6d901bb17a61b2dd20eee51f17dbff4b519d1af96cd8f19af67674a408ff6bc7",
        page=PAGE,
    ),
)


def read(path: str, minutes: int) -> pd.DataFrame:
    """The channels by time, in order, without duplicates, NaN where there was no reading.

    Args:
        path: The file.
        minutes: Between rows; rows nearer to the one before are left out.
    """
    frame = pd.read_csv(path)
    times = pd.to_datetime(frame.pop("Date Time"), format="%d.%m.%Y %H:%M:%S")
    frame = frame.set_axis(pd.DatetimeIndex(times), axis=0)
    frame = frame[~frame.index.duplicated()].sort_index()
    frame = frame.rename(columns=lambda name: name.split(" (")[0])[list(CHANNELS)]
    # A repeated block stands half an hour beside the grid of the sub-sample: keep the grid.
    frame = frame[_on_grid(frame.index, pd.Timedelta(minutes=minutes))]
    frame = frame.mask(frame == SENTINEL)
    frame[WIND] = frame[WIND].where(frame[GUST].notna())
    return frame


def _on_grid(times: pd.Index, step: pd.Timedelta) -> list[bool]:
    keep, last = [], -math.inf
    for second in times.astype("datetime64[s]").astype("int64").tolist():
        keep.append(second - last >= step.total_seconds())
        last = second if keep[-1] else last
    return keep


def load(minutes: int, request: DataRequest) -> Table:
    """All 14 channels; the air temperature or any of them as targets.

    Raises:
        ValueError: The file cannot be had.
    """
    path, sha256 = locate(TEN_MINUTES if minutes == 10 else HOURLY)
    frame = read(str(path), minutes)
    rows_a_day = 24 * 60 // minutes
    if request.split == legacy.NAME:
        frame = frame.iloc[-legacy.DAYS * rows_a_day :]
    table = regression_table(
        frame,
        request,
        targets=request.target or ("T",),
        sha256=sha256,
        frequency="hour" if minutes == 60 else "10 minutes",
        step=None if request.split == legacy.NAME else pd.Timedelta(minutes=minutes),
        season=rows_a_day,
    )
    return legacy.z_score(table) if request.split == legacy.NAME else table


def _spec(name: str, title: str, minutes: int, n_rows: int) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        title=title,
        source="Max Planck Institute for Biogeochemistry, Jena",
        licence="none stated; spread by the Keras documentation",
        frequency="1 hour" if minutes == 60 else "10 minutes",
        channels=CHANNELS,
        tasks=("regression",),
        target="air temperature, or any channels, over the next `horizon` rows",
        n_rows=n_rows,
        load=functools.partial(load, minutes),
        splits=("contiguous", "scattered", "year", "walk-forward", legacy.NAME)
        if minutes == 10
        else ("contiguous", "scattered", "year", "walk-forward"),
        targets=tuple(CHANNELS),
        window=(72, 36) if minutes == 10 else (72, 24),
        files=(TEN_MINUTES if minutes == 10 else HOURLY,),
    )


JENA = _spec("jena", "weather on a roof in Jena, every 10 minutes, 2009-2011 (or to 2016)", 10, 106_727)
JENA_HOURLY = _spec("jena_hourly", "weather on a roof in Jena, hourly, 2009-2016", 60, 70_092)
