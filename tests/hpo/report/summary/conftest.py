"""The records and studies of the summary's tests."""

import pytest


@pytest.fixture(scope="session")
def record(make_record):
    """Makes a record."""
    return make_record


@pytest.fixture(scope="session")
def study(make_study):
    """Makes the records of a study."""
    return make_study
