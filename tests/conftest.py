import pytest

from hpo.data import prepare
from hpo.data.base import DataRequest


@pytest.fixture(scope="session")
def sp500_data():
    return prepare("sp500", DataRequest(context_length=80, horizon=1))
