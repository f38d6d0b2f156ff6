import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.report.summary.analysis import analyse
from hpo.report.summary.markdown import MAX_ROWS, render
from hpo.report.summary.markup import cell, code, shorten, table
from hpo.trial.record import Failure

UNESCAPED_BAR = re.compile(r"(?<!\\)(?:\\\\)*\|")


NO_VALUE = ("", "nan", "None", "inf", "-inf")


def check_tables(page):
    """Every table has a rule and as many cells in each row; none is empty, nan or None."""
    tables = re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE)
    for lines in (block.splitlines() for block in tables):
        widths = {len(UNESCAPED_BAR.findall(line)) for line in lines}
        assert len(widths) == 1, lines
        assert re.fullmatch(r"\|( -{3}:? \|)+", lines[1]), lines[1]
        for line in lines[2:]:
            for text in UNESCAPED_BAR.split(line)[1:-1]:
                assert text.strip() not in NO_VALUE, line
    return len(tables)


@pytest.fixture(scope="module")
def page(study):
    return render(analyse(study()), [Path("plots/optimisation_history.png"), Path("plots/sensitivity.png")])


def test_tables_are_whole(page):
    assert check_tables(page) >= 12


def test_the_answer_comes_first(page):
    title, answer = page.split("\n\n")[:2]
    assert title == "# sp500_psann_h1_2M"
    assert answer.startswith("**The best of 27 completed trials, trial ")


def test_sections_in_their_order(page):
    assert re.findall(r"^## (.*)", page, flags=re.MULTILINE) == [
        "Overview",
        "Best trial",
        "References to beat",
        "What the numbers say",
        "Depth, width and budget",
        "Where the trials came from",
        "Parameter sensitivity",
        "Distribution of scores",
        "Confusion matrix",
        "Trials that failed or could not be trained",
        "All trials",
        "Go on from here",
    ]


def test_only_drawn_pictures_are_shown(page):
    assert re.findall(r"\]\((.*?)\)", page) == ["plots/optimisation_history.png", "plots/sensitivity.png"]


def test_the_config_is_toml_with_the_exact_numbers(record):
    page = render(analyse([record(0, learning_rate=0.00123456789)]), [])
    config = tomllib.loads(re.search(r"```toml\n(.*?)```", page, flags=re.DOTALL)[1])
    assert config["model"] == {
        "family": "psann",
        "d_model": 320,
        "n_layers": 2,
        "dropout": 0.5,
        "normalisation": "revin",
    }
    assert config["training"]["learning_rate"] == 0.00123456789
    assert config["training"]["seed"] == 1000


def test_how_to_browse_resume_and_rebuild(page):
    for command in (
        "`make dashboard`",
        "the command that began it",
        "`hpo summary --experiment sp500_psann_h1_2M`",
    ):
        assert command in page


def test_the_budget_is_a_column_only_where_there_are_several(study):
    assert "| Layers | Trials |" in render(analyse(study()), [])
    several = render(analyse(study(budgets=(750_000, 2_000_000))), [])
    assert "| Budget | Layers | Trials |" in several
    assert "By parameter budget:" in several


def test_a_regression_has_its_metrics_and_no_confusion_matrix(study):
    page = render(analyse(study(regression=True)), [])
    assert "| Forecast | mse ↓ | rmse ↓ | mae ↓ | r2 ↑ | smape ↓ | mase ↓ |" in page
    assert "Confusion" not in page
    check_tables(page)


def test_precision_that_is_not_defined_is_not_zero(record):
    matrix = {"true_negative": 84, "false_positive": 0, "false_negative": 16, "true_positive": 0}
    page = render(analyse([record(0, confusion_matrix=matrix)]), [])
    assert "| – | 0.00 % | 0.00 % | 84.00 % | 84.00 % | 16.00 % |" in page
    assert "precision is not defined" in page


def test_long_tables_are_cut_and_say_so(record):
    page = render(analyse([record(i, value=0.6 + i / 1000, curve=[0.7]) for i in range(MAX_ROWS + 1)]), [])
    assert "The first 200 of 201; `sp500_psann_h1_2M_study_summary.json` has all." in page
    assert page.split("## All trials")[1].count("| tpe |") == MAX_ROWS


def test_messages_cannot_break_the_page(record):
    message = "a | b\n| c | \\| <script>alert(1)</script> `x`\n## not a heading"
    failure = Failure(type="Run|Time", message=message, traceback=None)
    page = render(analyse([record(0), record(1, state="FAIL", value=None, failure=failure)]), [])
    check_tables(page)
    assert "<script" not in page
    assert "\n## not a heading" not in page


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60).filter(lambda text: text.strip() not in NO_VALUE))
def test_no_text_in_a_record_breaks_the_tables(record, text):
    failure = Failure(type=text, message=text, traceback=None)
    records = [
        record(0, origin=text or "tpe", flags=[text]),
        record(1, state="FAIL", value=None, failure=failure, origin=f"forced:{text}"),
    ]
    page = render(analyse(records), [])
    check_tables(page)
    assert re.findall(r"^## (.*)", page, flags=re.MULTILINE)[-1] == "Go on from here"


def test_cells():
    assert cell(None) == cell("") == cell(" \n") == "–"
    assert cell(0) == "0"
    assert cell("a|b\nc") == "a\\|b c"
    assert cell("< 0.001 <b>") == "< 0.001 &lt;b>"
    assert code("a`b|c\nd") == "`a b c d`"


def test_a_table_stands_as_it_is_aligned():
    assert table(["A", "B"], [["x", 1]], "lr") == "| A | B |\n| --- | ---: |\n| x | 1 |"


def test_long_messages_are_shortened():
    assert shorten("word  \n word") == "word word"
    assert len(shorten("x" * 1000)) == 160
