import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import BudgetError
from hpo.search.forced import forced_configs
from hpo.system.counts import format_budget, format_count, parse_budget, parse_budgets

SEED_TABLE = [
    # budget, d_model, n_layers, n_heads, dropout, learning_rate, weight_decay
    (750_000, 192, 2, 4, 0.5, 1e-4, 1e-3),
    (750_000, 128, 4, 4, 0.5, 1e-4, 1e-3),
    (2_000_000, 320, 2, 4, 0.5, 1e-4, 1e-3),
    (2_000_000, 192, 5, 4, 0.5, 1e-4, 1e-3),
    (20_000_000, 768, 3, 8, 0.5, 1e-4, 1e-3),
    (20_000_000, 384, 12, 8, 0.5, 1e-4, 1e-3),
    (200_000_000, 1536, 8, 16, 0.5, 1e-4, 1e-3),
    (200_000_000, 768, 28, 16, 0.5, 1e-4, 1e-3),
    (2_000_000, 320, 2, 4, 0.1, 1e-4, 1e-3),
    (2_000_000, 320, 2, 4, 0.3, 1e-4, 1e-3),
    (2_000_000, 320, 2, 4, 0.7, 1e-4, 1e-3),
    (200_000_000, 1536, 8, 16, 0.1, 1e-4, 1e-3),
    (2_000_000, 320, 2, 4, 0.5, 1e-5, 1e-3),
    (2_000_000, 320, 2, 4, 0.5, 1e-3, 1e-3),
    (20_000_000, 768, 3, 8, 0.5, 1e-5, 1e-3),
    (2_000_000, 320, 2, 4, 0.5, 1e-4, 0.0),
    (2_000_000, 320, 2, 4, 0.5, 1e-4, 1e-2),
    (200_000_000, 1536, 8, 16, 0.5, 1e-4, 0.0),
]


def row(config):
    return (
        config.budget,
        config.canonical_d_model,
        config.n_layers,
        config.n_heads,
        config.dropout,
        config.learning_rate,
        config.weight_decay,
    )


def test_all_four_budgets_give_the_eighteen_configs_in_their_order():
    configs = forced_configs(parse_budgets("750k,2M,20M,200M"))
    assert [row(config) for config in configs] == SEED_TABLE
    assert len({config.origin for config in configs}) == 18


@pytest.mark.parametrize(("budget", "count"), [("750k", 2), ("2M", 9), ("20M", 3), ("200M", 4), ("2B", 2)])
def test_each_budget_takes_its_share(budget, count):
    configs = forced_configs(parse_budgets(budget))
    assert len(configs) == count
    if budget != "2B":
        assert [row(config) for config in configs] == [r for r in SEED_TABLE if r[0] == parse_budget(budget)]


def test_another_budget_takes_the_nearest_pattern_on_a_log_scale():
    # 1.3M lies above the geometric mean of 750k and 2M (1.22M), 1.2M below it.
    assert len(forced_configs((1_300_000,))) == 9
    assert len(forced_configs((1_200_000,))) == 2
    assert all(config.canonical_d_model is None for config in forced_configs((1_300_000,)))


@given(st.integers(min_value=1, max_value=10**12))
def test_a_budget_survives_its_name(budget):
    assert parse_budget(format_budget(budget)) == budget


@pytest.mark.parametrize(
    ("text", "value"),
    [("750k", 750_000), ("2M", 2_000_000), ("1.5m", 1_500_000), ("2B", 2 * 10**9), ("12", 12)],
)
def test_names_of_budgets(text, value):
    assert parse_budget(text) == value
    assert format_budget(value).lower() == text.lower()


@pytest.mark.parametrize("text", ["", "0", "-2M", "2X", "M", "nan", "1e6", "2M;", "2 M", "0.1", "9" * 400])
def test_what_is_no_budget(text):
    with pytest.raises(BudgetError, match="must be a positive number"):
        parse_budget(text)


def test_lists_are_sorted_and_without_repeats():
    assert parse_budgets("20M,750k") == (750_000, 20_000_000)
    with pytest.raises(BudgetError, match="differ"):
        parse_budgets("2M,2000000")


def test_counts_for_people():
    assert [format_count(n) for n in (999, 884_123, 999_600, 1_999_021, 226_000_000, 3_300_000_000_000)] == [
        "999",
        "884k",
        "1.00M",
        "2.00M",
        "226M",
        "3.30T",
    ]
