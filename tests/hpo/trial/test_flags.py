import pytest
from pydantic import TypeAdapter

from hpo.trial.flags import COLLAPSED, LEAKS, NEAR_DUPLICATE, WORSE_THAN_NAIVE, Flag


@pytest.mark.parametrize(
    ("text", "name", "trial_number"),
    [
        ("collapsed_predictions", "collapsed_predictions", None),
        ("near_duplicate_of 17", "near_duplicate_of", 17),
        ("metric_not_finite nll", "metric_not_finite", None),
        ("of_a_newer version", "of_a_newer", None),
        ("", "", None),
        (" ", "", None),
        ("near_duplicate_of ³", "near_duplicate_of", None),
    ],
)
def test_the_parts_of_a_flag(text, name, trial_number):
    flag = TypeAdapter(Flag).validate_python(text)
    assert (flag, flag.name, flag.trial_number) == (text, name, trial_number)


def test_the_known_ones():
    assert Flag.near_duplicate_of(17) == "near_duplicate_of 17"
    assert Flag.near_duplicate_of(17).name == NEAR_DUPLICATE
    assert Flag.not_finite("nll") == "metric_not_finite nll"
    assert (COLLAPSED, WORSE_THAN_NAIVE, LEAKS) == (
        "collapsed_predictions",
        "worse_than_naive",
        "leaking_protocol",
    )
