"""Beijing Multi-Site Air Quality (UCI 501; Zhang et al. 2017): 12 stations, hourly, 2013-03 to 2017-02.

One station by default (Guanyuan); several or all by ``groups``, one after the other. A group split holds
out whole stations. The wind's direction, text in the file, becomes the two
coordinates of a unit vector.
"""

import numpy as np
import pandas as pd

from .. import legacy
from ..base import DataFile, DataRequest, DatasetSpec, Table
from ..fetch import joint_sha256, locate
from ..frames import choose, regression_table

PAGE = "https://archive.ics.uci.edu/dataset/501/beijing+multi+site+air+quality+data"
ARCHIVE = "https://archive.ics.uci.edu/static/public/501/beijing+multi+site+air+quality+data.zip"

STATIONS = {
    "Aotizhongxin": "a94fbcfc71708b6ffdc033360163d91efb7f675e496f6b5860929aa96b96351b",
    "Changping": "a2e21402a6d95fb7043f87959e6e3dcbecb957aac356a6f8028a85b047c772e7",
    "Dingling": "3d8dff81f18a80d9f455876a785642bffe1e9b9924ec1e6b7ce8cca790432eeb",
    "Dongsi": "9c0020214425e5ee2a64d42f97a1f632e1d8f6b53ad50edd85a686cc7999f27e",
    "Guanyuan": "59390fee3b032597b387491f5230e7edb90a8558e30217ebd6d9befbe669fbf9",
    "Gucheng": "10ae48801ea55869fee56a48b885fb1127859c130551888d71673f34216ba951",
    "Huairou": "812dcbe848b3ba2c2d25731064797bff803c46eb0c602156a1fa044df136dc26",
    "Nongzhanguan": "572cf87b65ef543cd55d3a711b28474def224a46b0ec3fc8add8aaf13b67a487",
    "Shunyi": "520b59e4ead3b0cfe7f1ed673e30275de8441e999db6f413d5172d2277b8c15a",
    "Tiantan": "0743e34799cf1ee36195b73321b91baa5625276532e7263c588f68cdef3b4daa",
    "Wanliu": "0b1a6d754a07f0def2f55434ddfa3870dcd0063b7f766a6f66b6c11bb05a377a",
    "Wanshouxigong": "ab1d6a356d6997a45f6d657ad47de1e05a4a08d4a7015b38a329a90665ab74d0",
}
"""The stations, and the sha256 of each one's file as UCI has it."""

USUAL = ("Guanyuan",)

MEASURED = {
    **dict.fromkeys(("PM2.5", "PM10", "SO2", "NO2", "CO", "O3"), "ug/m3"),
    "TEMP": "degC",
    "PRES": "hPa",
    "DEWP": "degC",
    "RAIN": "mm",
    "WSPM": "m/s",
}
WIND = {"wd_east": "east part of where the wind comes from", "wd_north": "its north part"}

_POINTS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]
_ANGLES = {point: 2 * np.pi * i / len(_POINTS) for i, point in enumerate(_POINTS)}

_LEGACY = ("No", "year", "month", "day", "hour", *MEASURED)

ALL = DataFile(
    name="PRSA_Data_all12_20130301-20170228.csv.xz",
    sha256="7265f952b7f887fa44e946c65cb97592fd1e1f3978d492fe478cf1121f7c5b90",
    page=PAGE,
)
GUANYUAN = DataFile(
    name="PRSA_Data_Guanyuan_20130301-20170228.csv.xz",
    sha256="5320092e76507a362f76cc71e0060ba5db8c13639f84b83edc56d4db366b8e90",
    page=PAGE,
)


def forms(station: str) -> tuple[DataFile, ...]:
    """The files that hold a station, the smallest first."""
    name = f"PRSA_Data_{station}_20130301-20170228.csv"
    plain = DataFile(name=name, sha256=STATIONS[station], page=PAGE, url=ARCHIVE)
    return (*((GUANYUAN,) if station == "Guanyuan" else ()), plain, ALL)


def read(stations: tuple[str, ...]) -> tuple[pd.DataFrame, str]:
    """The stations' rows as in the files, station after station as asked, and a sha256 of the files.

    Raises:
        ValueError: A file cannot be had.
    """
    found = {station: locate(forms(station)) for station in stations}
    sums = dict(found.values())
    files = {path: dict(tuple(pd.read_csv(path).groupby("station"))) for path in sums}
    frames = [files[path][station] for station, (path, _) in found.items()]
    return pd.concat(frames, ignore_index=True), joint_sha256(sorted(sums.values()))


def load(request: DataRequest) -> Table:
    """Eleven measurements and the wind's direction; PM2.5 or any measurements as targets.

    Raises:
        ValueError: A station is not known, or its file cannot be had.
    """
    is_legacy = request.split == legacy.NAME
    stations = choose("station", request.groups, tuple(STATIONS), USUAL)
    if is_legacy and stations != USUAL:
        raise ValueError(f"{legacy.NAME} is a protocol of the station Guanyuan alone")
    raw, sha256 = read(stations)
    times = pd.DatetimeIndex(pd.to_datetime(raw[["year", "month", "day", "hour"]]))
    if is_legacy:
        frame = raw[list(_LEGACY)].ffill().bfill().fillna(0.0).iloc[-legacy.DAYS * 24 :]
        frame = frame.set_axis(times[-len(frame) :], axis=0)
        codes = None
    else:
        angles = raw["wd"].map(_ANGLES)
        frame = raw[list(MEASURED)].assign(wd_east=np.sin(angles), wd_north=np.cos(angles))
        frame = frame.set_axis(times, axis=0)
        codes = raw["station"].map({station: i for i, station in enumerate(stations)})
    table = regression_table(
        frame,
        request,
        targets=request.target or ("PM2.5",),
        sha256=sha256,
        frequency="hour",
        step=pd.Timedelta(hours=1),
        season=24,
        groups=codes,
        group_names=stations,
    )
    return legacy.z_score(table) if is_legacy else table


SPEC = DatasetSpec(
    name="beijing",
    title="air quality at 12 stations in Beijing, hourly, 2013-2017; one station unless `groups` says more",
    source="UCI Machine Learning Repository 501",
    licence="CC BY 4.0",
    frequency="1 hour",
    channels={**MEASURED, **WIND},
    tasks=("regression",),
    target="PM2.5, or any measurements, over the next `horizon` rows",
    n_rows=420_768,
    load=load,
    splits=("contiguous", "scattered", "year", "group", "walk-forward", legacy.NAME),
    targets=tuple(MEASURED),
    groups="station",
    window=(24, 6),
    files=(forms("Guanyuan"), (ALL,)),
)
