"""Rossmann Store Sales (Kaggle 2015): daily sales of 1,115 drug stores, 2013-01 to 2015-07; a store a group.

Sales, customers and the day's conditions are joined with what is known of the store. Closed days stay, with
sales of 0. The competition's test file has no sales and is not used.

Traps of the files: train is newest first; StateHoliday holds both "0" and letters; 180 stores lack
2014-07-01 to 2014-12-31, where a new segment begins; PromoInterval spells September "Sept"; a competitor's
distance (3 stores) and opening date (354 stores) are missing.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..base import DataFile, DataRequest, DatasetSpec, Table
from ..fetch import joint_sha256, locate
from ..frames import choose, regression_table

PAGE = "https://www.kaggle.com/c/rossmann-store-sales/data"
TRAIN = (
    DataFile(
        name="rossmann_train.csv",  # train.csv on Kaggle
        sha256="f6e4597c142d7d909a13d53b68a8e85c00b9a4c7b5ff40adbb37d6829cc1f4cc",
        page=PAGE,
    ),
    DataFile(
        name="rossmann_train.csv.xz",
        sha256="3327500176b5a6e2dce21400221b2215b71ecff6c4c54ced2153a2751f5e9751",
        page=PAGE,
    ),
)
STORE = DataFile(
    name="rossmann_store.csv",
    sha256="f56bd124a2849489e6bbb5c000f5fc9640204355e316475c918ae4d089afb344",
    page=PAGE,
)

STORES = tuple(str(store) for store in range(1, 1116))
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec"]

CHANNELS = {
    "sales": "turnover a day, currency not stated",
    "customers": "customers a day",
    "open": "1 where the store was open",
    "promo": "1 where a promotion ran",
    "public_holiday": "1 on a public holiday (a)",
    "easter_holiday": "1 on an Easter holiday (b)",
    "christmas": "1 on a Christmas holiday (c)",
    "school_holiday": "1 where schools were closed",
    "week_sin": "day of the week on a circle",
    "week_cos": "day of the week on a circle",
    "promo2": "1 where the store's repeated promotion began anew this month",
    **{f"type_{name}": f"1 for store type {name}" for name in "abcd"},
    **{f"assortment_{name}": f"1 for assortment {name}" for name in "abc"},
    "competitor_near": "1 / (1 + km) to the nearest competitor, 0 where not known",
    "competitor_open": "1 where that competitor had opened, or its opening is not known",
}


def load(request: DataRequest) -> Table:
    """All stores, or those asked for; sales or customers as targets.

    Raises:
        ValueError: A store is not known, or a file cannot be had.
    """
    (train_path, train_sum), (store_path, store_sum) = locate(TRAIN), locate((STORE,))
    days = pd.read_csv(train_path, dtype={"StateHoliday": "category"}, parse_dates=["Date"], engine="c")
    stores = choose("store", request.groups, STORES, STORES)
    numbers = [int(store) for store in stores]
    codes = pd.Series(np.arange(len(numbers)), index=numbers).reindex(days["Store"]).to_numpy()
    if len(numbers) < len(STORES):
        days, codes = days[~np.isnan(codes)], codes[~np.isnan(codes)]
    order = np.lexsort((days["Date"].to_numpy(), codes))
    days = days.iloc[order]
    frame = _channels(days, pd.read_csv(store_path).set_index("Store"))
    return regression_table(
        frame,
        request,
        targets=request.target or ("sales",),
        sha256=joint_sha256([train_sum, store_sum]),
        frequency="day",
        step=pd.Timedelta(days=1),
        season=7,
        groups=pd.Series(codes[order]),
        group_names=stores,
    )


def _channels(days: pd.DataFrame, stores: pd.DataFrame) -> pd.DataFrame:
    """The channels of each day of each store; a row of ``days`` for each."""
    row = stores.index.get_indexer(pd.Index(days["Store"]))
    date = pd.DatetimeIndex(days["Date"])
    angle = 2 * np.pi * (days["DayOfWeek"].to_numpy() - 1) / 7
    holiday = days["StateHoliday"].to_numpy()
    distance = stores["CompetitionDistance"].to_numpy() / 1000
    columns: dict[str, npt.ArrayLike] = {
        "sales": days["Sales"].to_numpy(),
        "customers": days["Customers"].to_numpy(),
        "open": days["Open"].to_numpy(),
        "promo": days["Promo"].to_numpy(),
        "public_holiday": holiday == "a",
        "easter_holiday": holiday == "b",
        "christmas": holiday == "c",
        "school_holiday": days["SchoolHoliday"].to_numpy(),
        "week_sin": np.sin(angle),
        "week_cos": np.cos(angle),
        "promo2": _promo2(stores, row, date),
        **{f"type_{name}": (stores["StoreType"] == name).to_numpy()[row] for name in "abcd"},
        **{f"assortment_{name}": (stores["Assortment"] == name).to_numpy()[row] for name in "abc"},
        "competitor_near": np.nan_to_num(1 / (1 + distance), nan=0.0)[row],
        "competitor_open": date.to_numpy() >= _competitor_opened(stores)[row],
    }
    return pd.DataFrame({name: np.asarray(columns[name], dtype=np.float64) for name in CHANNELS}, index=date)


def _competitor_opened(stores: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    """The first of the month in which each store's competitor opened; long ago where it is not known."""
    year = stores["CompetitionOpenSinceYear"].fillna(1900).astype(int)
    month = stores["CompetitionOpenSinceMonth"].fillna(1).astype(int)
    opened = pd.to_datetime({"year": year, "month": month, "day": 1})
    return opened.to_numpy().astype("datetime64[ns]")


def _promo2(stores: pd.DataFrame, row: npt.NDArray[np.intp], date: pd.DatetimeIndex) -> npt.NDArray[np.bool_]:
    """Whether the month is one in which the store's repeated promotion begins anew, once it takes part."""
    takes_part = stores["Promo2"].to_numpy() == 1
    week = stores["Promo2SinceWeek"].fillna(1).astype(int)
    year = stores["Promo2SinceYear"].fillna(2100).astype(int)
    text = year.astype(str) + "-W" + week.astype(str).str.zfill(2) + "-1"
    since = pd.to_datetime(text, format="%G-W%V-%u").to_numpy().astype("datetime64[ns]")
    interval = stores["PromoInterval"].fillna("").str.split(",")
    begins = np.array([[name in months for name in MONTHS] for months in interval])
    result: npt.NDArray[np.bool_] = (
        takes_part[row] & (date.to_numpy() >= since[row]) & begins[row, date.month.to_numpy() - 1]
    )
    return result


SPEC = DatasetSpec(
    name="rossmann",
    title="daily sales of 1,115 drug stores, 2013-2015, with promotions, holidays and competitors",
    source="Kaggle, Rossmann Store Sales",
    licence="Kaggle competition rules: not to be passed on",
    frequency="1 day",
    channels=CHANNELS,
    tasks=("regression",),
    target="sales or customers of the store's next `horizon` days",
    n_rows=1_017_209,
    load=load,
    splits=("contiguous", "year", "group", "walk-forward"),
    targets=("sales", "customers"),
    groups="store",
    window=(28, 7),
    files=(TRAIN, (STORE,)),
)
