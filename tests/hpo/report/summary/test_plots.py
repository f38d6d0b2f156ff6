import logging
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import image, pyplot

from hpo.report.summary import figures, look, plots
from hpo.report.summary.analysis import analyse

ALL = ["optimisation_history.png", "learning_curves.png", "loss_by_shape.png", "sensitivity.png"]


def test_all_pictures_of_a_study(study, tmp_path):
    records = study()
    written = plots.draw(analyse(records), records, tmp_path)
    assert [path.name for path in written] == ALL
    for path in written:
        height, width, _ = image.imread(path).shape
        assert width > 1000
        assert height > 300


def test_the_same_records_give_the_same_bytes(study, tmp_path):
    records = study()
    summary = analyse(records)
    first = [path.read_bytes() for path in plots.draw(summary, records, tmp_path / "a")]
    assert first == [path.read_bytes() for path in plots.draw(summary, records, tmp_path / "b")]


def test_pyplot_holds_no_figure_afterwards(study, tmp_path):
    records = study()
    plots.draw(analyse(records), records, tmp_path)
    assert pyplot.get_fignums() == []


def test_a_picture_that_fails_costs_only_itself(study, tmp_path, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("no ink")

    stale = tmp_path / "loss_by_shape.png"
    stale.write_bytes(b"from an earlier run")
    monkeypatch.setattr(figures, "loss_by_shape", broken)
    records = study()
    with caplog.at_level(logging.WARNING, logger="hpo"):
        written = plots.draw(analyse(records), records, tmp_path)
    assert [path.name for path in written] == [name for name in ALL if name != stale.name]
    assert not stale.exists()
    assert "loss_by_shape.png could not be drawn" in caplog.text


def test_a_study_without_completed_trials_has_no_more_than_its_history(record, tmp_path):
    pruned = [record(i, state="PRUNED", value=0.6 + i) for i in range(3)]
    assert [path.name for path in plots.draw(analyse(pruned), pruned, tmp_path)] == ALL[:1]
    failed = [record(0, state="FAIL", value=None)]
    assert plots.draw(analyse(failed), failed, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [0.0, 0.6, 1e-9, 1e9])
def test_equal_values_can_be_drawn(record, tmp_path, value):
    records = [record(i, value=value, curve=[value]) for i in range(3)]
    names = [path.name for path in plots.draw(analyse(records), records, tmp_path)]
    assert names == ALL[:3]


def test_a_diverged_value_does_not_squash_the_rest(study):
    (axes,) = figures.optimisation_history(analyse(study())).axes
    low, high = axes.get_ylim()
    assert high < 1.0
    assert low > 0.5
    assert "30.2" in [text.get_text() for text in axes.texts]


def test_the_best_so_far_never_gets_worse(study):
    summary = analyse(study())
    (axes,) = figures.optimisation_history(summary).axes
    (line,) = (line for line in axes.get_lines() if line.get_label() == "best so far")
    heights = line.get_ydata()
    assert all(np.diff(heights) <= 0)
    assert heights[-1] == summary.best.value


def test_a_training_loss_of_another_kind_is_not_drawn_beside_the_score(record):
    same, other = record(0, loss="bce"), record(0, loss="focal")
    labels = [
        {line.get_label() for line in figures.learning_curves(analyse([r]), [r]).axes[0].get_lines()}
        for r in (same, other)
    ]
    assert labels[0] - labels[1] == {"training (dropout on)"}


def test_a_reference_far_away_is_named_but_not_drawn(record):
    records = [record(i, value=0.001 + 0.0001 * i) for i in range(5)]
    (axes,) = figures.optimisation_history(analyse(records)).axes
    assert axes.get_ylim()[1] < 0.01
    assert "base rate 0.6931, above the picture" in axes.get_legend_handles_labels()[1]


def test_thin_ticks_leave_each_other_room(record):
    records = [record(i, d_model=300 + i) for i in range(60)] + [record(60, d_model=600)]
    left, right = figures.loss_by_shape(analyse(records)).axes
    assert list(left.get_xticks()) == [2]
    ticks = [int(tick) for tick in right.get_xticks()]
    assert ticks[0] == 300
    assert len(ticks) <= 10
    assert all(after / before > 1.05 for before, after in pairwise(ticks))


VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=30)


@given(VALUES, st.none() | st.floats(1e-6, 1e6))
def test_limits_hold_the_best_and_half_of_the_values(values, reference):
    span = look.limits(values, best=min(values), reference=reference)
    assert span.low < span.high
    assert span.holds(min(values))
    assert sum(span.holds(value) for value in values) >= len(values) / 2


@given(VALUES, st.floats(1e-6, 1e6))
def test_a_clipped_value_lies_at_an_edge(values, value):
    span = look.limits(values)
    assert span.clip(value) == (value if span.holds(value) else span.low if value < span.low else span.high)
