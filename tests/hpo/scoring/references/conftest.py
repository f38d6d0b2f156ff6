import numpy as np
import pandas as pd
import pytest

from hpo.data import prepare
from hpo.data.base import DataRequest


@pytest.fixture
def prepared(tmp_path):
    """From columns of numbers to data, by way of a file; the last column is the target, rows are hours."""

    def prepare_columns(columns, target=None, **request):
        n_rows = len(next(iter(columns.values())))
        frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=n_rows, freq="h"), **columns})
        path = tmp_path / "table.csv"
        frame.to_csv(path, index=False)
        names = target or (list(columns)[-1],)
        return prepare("table", DataRequest(**{"path": path, "target": tuple(names), **request}))

    return prepare_columns


@pytest.fixture
def hourly(prepared):
    """Sixty days of a daily wave on a slope, with a little noise; a second channel that tells nothing."""
    rng = np.random.default_rng(0)
    hours = np.arange(60 * 24)
    load = 50 + 10 * np.sin(2 * np.pi * hours / 24) + 0.01 * hours + rng.normal(0, 0.5, len(hours))
    data = prepared({"other": rng.normal(size=len(hours)), "load": load}, context_length=48, horizon=30)
    return load, data
