import pytest

from hpo.data.names import check_name


def test_a_name_that_there_is_passes():
    check_name("split", "year", ("contiguous", "year"))


def test_an_unknown_name_says_the_nearest_and_the_valid_ones():
    with pytest.raises(ValueError, match=r"^unknown target 'ot': did you mean 'OT'\? valid: HUFL, OT$"):
        check_name("target", "ot", ("HUFL", "OT"))
    with pytest.raises(ValueError, match=r"^unknown store 'x': valid: 1 to 30$"):
        check_name("store", "x", [str(i) for i in range(1, 31)])
