"""Electric arc furnace: temperature and dissolved oxygen of the steel, a few readings a heat, 2015 to 2018.

A heat is a group and a segment: no window crosses from one to another, and the split keeps heats whole.

Traps of the file: rows are not in time order; 1,808 come twice; readings of one heat in one minute are
averaged; an oxygen of 0 is no reading, and one of 9999 is taken as none (a cap or a sentinel: undocumented).
"""

import numpy as np
import pandas as pd

from .. import legacy
from ..base import DataFile, DataRequest, DatasetSpec, Table
from ..fetch import locate
from ..frames import choose, regression_table

TEMPERATURE, OXYGEN = "TEMP", "VALO2_PPM"
NO_OXYGEN = (0.0, 9999.0)
LEGACY_HEATS = 5

CHANNELS = {
    TEMPERATURE: "degC",
    OXYGEN: "ppm; the last reading of the heat, 0 before the first",
    "oxygen_measured": "1 where this row has an oxygen reading",
    "minutes": "minutes since the heat's first reading",
}

PAGE = "https://www.kaggle.com/datasets/yuriykatser/industrial-data-from-the-arc-furnace"
FORMS = (
    DataFile(
        name="eaf_temp.csv",
        sha256="6644aa5c6611194b783dfbde8f83790a17f0460fd5d79863aae4a99196ee43a1",
        page=PAGE,
    ),
    DataFile(
        name="eaf_temp.csv.xz",
        sha256="7275be80c142ff91e3e49338d673b35afa17cd828a7660ee6137ce3363164040",
        page=PAGE,
    ),
)


def read() -> tuple[pd.DataFrame, str]:
    """HEATID, DATETIME, TEMP and VALO2_PPM as in the file, and its sha256.

    Raises:
        ValueError: The file cannot be had.
    """
    path, sha256 = locate(FORMS)
    return pd.read_csv(path, parse_dates=["DATETIME"]), sha256


def load(request: DataRequest) -> Table:
    """All heats, in the order they began; temperature or oxygen as targets.

    Raises:
        ValueError: A heat is not known, or the file cannot be had.
    """
    raw, sha256 = read()
    if request.split == legacy.NAME:
        return _load_legacy(raw, sha256, request)
    raw = raw.drop_duplicates()
    raw[OXYGEN] = raw[OXYGEN].mask(raw[OXYGEN].isin(NO_OXYGEN))
    rows = raw.groupby(["HEATID", "DATETIME"], as_index=False)[[TEMPERATURE, OXYGEN]].mean()
    began = rows.groupby("HEATID")["DATETIME"].min().sort_values(kind="stable")
    heats = choose("heat", request.groups, tuple(began.index), tuple(began.index))
    rows["code"] = rows["HEATID"].map({heat: i for i, heat in enumerate(heats)})
    rows = rows.dropna(subset="code").sort_values(["code", "DATETIME"], kind="stable", ignore_index=True)
    rows["oxygen_measured"] = rows[OXYGEN].notna().astype(np.float64)
    rows["minutes"] = (rows["DATETIME"] - rows["HEATID"].map(began)).dt.total_seconds() / 60
    measured = rows["oxygen_measured"].to_numpy() == 1.0
    rows[OXYGEN] = rows.groupby("code")[OXYGEN].ffill().fillna(0.0)
    targets = request.target or (TEMPERATURE,)
    return regression_table(
        rows.set_index("DATETIME")[list(CHANNELS)],
        request,
        targets=targets,
        sha256=sha256,
        frequency="irregular",
        step=None,
        groups=rows["code"],
        group_names=heats,
        measured=measured if OXYGEN in targets else None,
    )


def _load_legacy(raw: pd.DataFrame, sha256: str, request: DataRequest) -> Table:
    """The five heats with most rows, as they stand in the file, in time order."""
    heats = tuple(raw["HEATID"].value_counts(sort=True).index[:LEGACY_HEATS])
    codes = raw["HEATID"].map({heat: i for i, heat in enumerate(heats)})
    rows = raw.assign(code=codes).dropna(subset="code").sort_values(["code", "DATETIME"], kind="stable")
    # Repeated minutes stay, as they did there; a nanosecond apart they are in order.
    order = rows.groupby(["code", "DATETIME"]).cumcount()
    times = rows["DATETIME"].astype("datetime64[ns]") + pd.to_timedelta(order, unit="ns")
    table = regression_table(
        rows.set_index(pd.DatetimeIndex(times))[[TEMPERATURE, OXYGEN]],
        request,
        targets=request.target or (TEMPERATURE,),
        sha256=sha256,
        frequency="irregular",
        step=None,
        groups=rows["code"],
        group_names=heats,
    )
    return legacy.z_score(table)


SPEC = DatasetSpec(
    name="eaf",
    title="steel temperature and oxygen in an arc furnace, about 4 readings a heat, 2015-2018",
    source="Kaggle, yuriykatser",
    licence="see Kaggle",
    frequency="irregular",
    channels=CHANNELS,
    tasks=("regression",),
    target="TEMP or VALO2_PPM of the heat's next `horizon` readings",
    n_rows=85_104,
    load=load,
    splits=("group", "contiguous", "year", legacy.NAME),
    targets=(TEMPERATURE, OXYGEN),
    groups="heat",
    window=(2, 1),
    files=(FORMS,),
)
