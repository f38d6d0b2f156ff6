import json
import math

import numpy as np
import pytest
from arch.bootstrap import MCS, SPA, optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hpo.scoring.evidence import Verdict, beaten_by_references, confidence_set, verdict
from hpo.scoring.evidence.blocks import LONGER, Blocks, cut, studentised
from hpo.scoring.evidence.selection import (
    critical_value,
    draw,
    independent_epochs,
    independent_trials,
)
from hpo.scoring.evidence.units import make_units


def hazard(x):
    return stats.norm.pdf(x) / stats.norm.sf(x)


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def persistent(seed, n, phi):
    steps, values = noise(seed, n + 100), [0.0]
    for step in steps:
        values.append(phi * values[-1] + step)
    return np.array(values[-n:])


# Units: what is resampled, and the mean of all windows as a mean of units.


def test_windows_of_one_moment_are_one_unit_in_the_order_of_time():
    units = make_units(5, times=np.array([30, 10, 20, 10, 30]))
    values = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    # Deviations from the mean 3, summed by moment (10, 20, 30), times 3 units / 5 windows.
    assert len(units) == 3
    assert units.deviations(values) == pytest.approx(np.array([[0.0, 0.0, 0.0]]))
    values = np.array([[1.0, 0.0, 0.0, 0.0, 0.0]])
    assert units.deviations(values) == pytest.approx(np.array([[-0.4, -0.2, 0.6]]) * 0.6)


def test_the_influence_of_a_unit_is_that_of_leaving_it_out():
    """The delete-one jackknife of a weighted mean over units of unequal size, to first order."""
    times = np.sort(np.random.default_rng(0).integers(0, 400, 2000))
    weights = np.random.default_rng(1).uniform(0.5, 2.0, 2000)
    values = noise(2, 2000) + times / 400
    units = make_units(2000, times=times, weights=weights)
    found = units.deviations(values[None])[0]
    mean = np.average(values, weights=weights)
    left_out = [
        np.average(values[times != moment], weights=weights[times != moment]) for moment in np.unique(times)
    ]
    jackknife = (len(units) - 1) * (mean - np.array(left_out))
    assert found == pytest.approx(jackknife, rel=0.02, abs=1e-3)
    assert found.mean() == pytest.approx(0.0, abs=1e-12)


def test_very_many_moments_are_taken_together():
    units = make_units(12_000)
    assert len(units) == 4_000
    assert units.moments == 3
    values = noise(0, 1, 12_000)
    by_hand = (values[0] - values.mean()).reshape(4_000, 3).mean(axis=1)
    assert units.deviations(values)[0] == pytest.approx(by_hand)


# Blocks: their length, the error of a mean, the draws.


def test_the_block_length_is_arch_s_but_for_a_quarter():
    series = persistent(0, 644, 0.8)
    asked = optimal_block_length(series)["circular"][0]
    assert cut(make_units(644), series[None], horizon=1).length == math.ceil(LONGER * asked)


def test_a_block_is_at_least_a_horizon_and_a_hundredth_of_the_windows():
    assert cut(make_units(644), noise(0, 1, 644), horizon=1).length == 7
    assert cut(make_units(644), noise(0, 1, 644), horizon=24).length == 24
    # Three moments a unit: 30 moments are 10 units, a hundredth of 4,000 units is 40.
    assert cut(make_units(12_000), noise(0, 1, 12_000), horizon=30).length == 40
    assert cut(make_units(12_000), noise(0, 1, 12_000), horizon=300).length == 100


def test_block_averages_and_error_by_hand():
    blocks = Blocks(units=make_units(4), length=2)
    averages = blocks.averages(np.array([[1.0, 3.0, 5.0, 7.0]]))
    # Deviations -3, -1, 1, 3; the last block goes on at the first.
    assert averages == pytest.approx(np.array([[-2.0, 0.0, 2.0, 0.0]]))
    # Their mean square is 2, over two blocks.
    assert blocks.errors(averages) == pytest.approx([1.0])


def test_blocks_of_one_unit_give_the_textbook_error_and_student_s_t():
    losses = noise(1, 1, 60)
    units = make_units(60, groups=np.arange(60))
    blocks = cut(units, losses, horizon=1)
    averages = blocks.averages(losses)
    assert blocks.length == 1
    assert blocks.errors(averages)[0] == pytest.approx(losses.std() / math.sqrt(60))
    drawn = studentised(averages, blocks.draws(20_000, seed=0))
    t = stats.t(59).ppf([0.025, 0.975]) * math.sqrt(60 / 59)
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx(t, rel=0.06)


def test_the_error_of_a_persistent_series_is_the_long_run_one():
    """Of an AR(1) with 0.8 the mean's standard error is 5 times that of independent steps."""
    errors = []
    for seed in range(20):
        series = persistent(seed, 4000, 0.8)[None]
        blocks = cut(make_units(4000), series, horizon=1)
        errors.append(blocks.errors(blocks.averages(series))[0])
    assert np.mean(errors) == pytest.approx(5.0 / math.sqrt(4000), rel=0.08)


def test_few_blocks_widen_as_student_s_t_does():
    assert critical_value(1, 0.025, 8) == pytest.approx(stats.t(7).isf(0.025) * math.sqrt(8 / 7))
    assert critical_value(30, 0.025, 20) == pytest.approx(stats.t(19).isf(0.025 / 30) * math.sqrt(20 / 19))


# Selection: maxima over trials, and over epochs.


def test_independent_trials_are_counted_right():
    blocks = Blocks(units=make_units(700), length=7)
    drawn = draw(noise(0, 50, 700), np.zeros(700), blocks, seed=0)
    assert independent_trials(-drawn.lowest, 0.025, blocks.n) == pytest.approx(50, rel=0.4)


def test_copies_of_a_trial_count_once():
    blocks = Blocks(units=make_units(700), length=7)
    one = noise(0, 1, 700)
    alone = draw(one, np.zeros(700), blocks, seed=0)
    copies = draw(np.repeat(one, 50, axis=0), np.zeros(700), blocks, seed=0)
    assert copies.lowest == pytest.approx(alone.lowest, rel=1e-3, abs=1e-5)
    assert independent_trials(-copies.lowest, 0.025, blocks.n) == pytest.approx(1.0, abs=0.4)


@pytest.mark.parametrize("seed", range(6))
def test_the_p_value_of_the_best_of_many_is_that_of_arch_s_spa(seed):
    """Equal variances, so that to studentise changes nothing but noise; all trials no better: "upper"."""
    losses = noise(seed, 20, 600) + noise(seed + 100, 1, 600)
    reference = np.zeros(600) + [-0.05, 0.0, 0.05, 0.1, 0.15, 0.02][seed]
    spa = SPA(reference, losses.T, block_size=6, reps=2000, bootstrap="circular", studentize=False, seed=1)
    spa.compute()
    blocks = Blocks(units=make_units(600), length=6)
    drawn = draw(losses, reference, blocks, seed=0)
    best = np.max(-(losses - reference).mean(axis=1) / drawn.errors)
    assert np.mean(-drawn.lowest > best) == pytest.approx(spa.pvalues["upper"], abs=0.04)


def test_trials_out_of_reach_do_not_count():
    losses = np.concatenate([noise(0, 5, 700), noise(1, 45, 700) + 3.0])
    blocks = Blocks(units=make_units(700), length=7)
    drawn = draw(losses, np.zeros(700), blocks, seed=0, limit=0.2, bound=3.5)
    assert drawn.kept.tolist() == [True] * 5 + [False] * 45


def test_a_curve_without_a_turn_of_its_own_is_worth_what_davies_says():
    # One error down, half up again: V = 1.5; three epochs.
    curve = np.array([[[1.0, 0.0, 0.5]]])
    assert independent_epochs(curve, np.array([1.0]), 2.0) == pytest.approx(1 + hazard(2.0) * 1.5 / 2)
    # Twice as sharp an error: V = 2 (cut off at 2) + 1, the first epoch out of reach, so two at most.
    assert independent_epochs(curve, np.array([0.5]), 2.0) == 2.0
    assert independent_epochs(curve, np.array([np.inf]), 2.0) == 1.0
    assert independent_epochs(curve, np.array([0.0]), 2.0) == 1.0


def test_epochs_that_never_ran_are_none_and_folds_multiply():
    ragged = np.array([[[1.0, 0.0, 0.5, np.nan, np.nan]]])
    assert independent_epochs(ragged, np.array([1.0]), 2.0) == pytest.approx(1 + hazard(2.0) * 1.5 / 2)
    folds = np.array([[[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]])
    # An error of the mean over four folds is half of one fold's: V = 0.5 each.
    assert independent_epochs(folds, np.array([1.0]), 2.0) == pytest.approx((1 + hazard(1.0) * 0.5 / 2) ** 4)


def test_davies_bound_holds_for_smooth_paths():
    """The chance that a smooth random path exceeds c is at most what its worth in numbers says."""
    rng = np.random.default_rng(0)
    phase = np.linspace(0, 2 * np.pi, 40)
    paths = rng.normal(size=(20_000, 1)) * np.cos(phase) + rng.normal(size=(20_000, 1)) * np.sin(phase)
    for c in (2.0, 2.5, 3.0):
        worth = independent_epochs(paths[:2000, None], np.ones(2000), c)
        assert np.mean(-paths.min(axis=1) > c) <= 1.15 * worth * stats.norm.sf(c)


# The verdict.


def test_a_clear_lead_is_better_and_its_mirror_worse():
    lead = noise(0, 644) - 0.3
    better = verdict(lead, np.zeros(644), against="last value")
    worse = verdict(-lead, np.zeros(644), against="last value")
    assert (better.word, worse.word) == ("better", "worse")
    assert better.low < better.difference < better.high < 0 < worse.low < worse.difference < worse.high
    assert better.difference == pytest.approx(lead.mean())
    assert better.more_windows is worse.more_windows is None
    assert better.text.startswith("The trial is better than last value: over 644 windows of the validation")
    assert "worse" in worse.text


def test_one_trial_has_nearly_the_interval_of_student_s_t():
    losses = noise(3, 644)
    found = verdict(losses, np.zeros(644), against="x")
    t = stats.ttest_1samp(losses, 0.0).confidence_interval(0.95)
    assert [found.low, found.high] == pytest.approx([t.low, t.high], abs=0.015)
    assert found.corrected_for == 1


def test_the_best_of_many_needs_a_larger_lead():
    losses = noise(0, 200, 644)
    best = losses[losses.mean(axis=1).argmin()] - 0.05
    alone = verdict(best, np.zeros(644), against="x")
    chosen = verdict(best, np.zeros(644), losses - 0.05, against="x")
    searched = verdict(best, np.zeros(644), losses - 0.05, against="x", n_adaptive=180)
    assert alone.word == "better"
    assert alone.high < chosen.high < searched.high
    assert chosen.corrected_for == 200
    # What is chosen for a low loss does not seem worse than it is.
    assert chosen.low == pytest.approx(alone.low)


def test_a_best_chosen_by_another_measure_is_held_on_both_sides():
    losses = noise(0, 50, 644)
    chosen = losses[losses.mean(axis=1).argmax()]
    found = verdict(chosen, np.zeros(644), losses, against="x")
    alone = verdict(chosen, np.zeros(644), against="x")
    assert found.low < alone.low
    assert found.high > alone.high


def test_epochs_to_choose_from_widen_the_interval():
    losses = noise(0, 20, 644)
    best = losses[losses.mean(axis=1).argmin()]
    means = losses.mean(axis=1)[:, None, None]
    restless = means + np.abs(noise(1, 20, 1, 30)) * 0.05
    settled = np.broadcast_to(means, (20, 1, 30))
    none, calm, wild = (
        verdict(best, np.zeros(644), losses, against="x", curves=curves).high
        for curves in (None, settled, restless)
    )
    assert none == calm < wild


def test_missing_losses_of_trials_still_count():
    losses = noise(0, 20, 644)
    best = losses[losses.mean(axis=1).argmin()]
    few, many = (verdict(best, np.zeros(644), losses, against="x", n_trials=n) for n in (None, 200))
    assert many.corrected_for == 200
    assert many.high > few.high


def test_series_at_the_same_moments_are_no_more_than_one_where_they_agree():
    one = noise(0, 600) - 0.05
    times = np.arange(600)
    alone = verdict(one, np.zeros(600), against="x", times=times)
    copies = verdict(np.tile(one, 8), np.zeros(4800), against="x", times=np.tile(times, 8))
    assert copies.n_windows == 4800
    assert [copies.low, copies.high] == pytest.approx([alone.low, alone.high])


def test_windows_are_put_in_the_order_of_time():
    series, order = persistent(0, 600, 0.9), np.random.default_rng(0).permutation(600)
    in_order = verdict(series, np.zeros(600), against="x")
    shuffled = verdict(series[order], np.zeros(600), against="x", times=np.arange(600)[order])
    # Which windows' losses are added first changes the last digits.
    assert shuffled.high == pytest.approx(in_order.high)
    assert shuffled.block_length == in_order.block_length > 10


def test_groups_are_resampled_whole():
    """A lead that differs from group to group is as sure as the groups are many."""
    levels = np.repeat(noise(0, 12), 200) - 0.3
    losses, groups = levels + 0.1 * noise(1, 2400), np.repeat(np.arange(12), 200)
    found = verdict(losses, np.zeros(2400), against="x", groups=groups)
    means = losses.reshape(12, 200).mean(axis=1)
    t = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
    assert found.n_blocks == 12
    assert found.high - found.low == pytest.approx(t.high - t.low, rel=0.25)
    assert verdict(losses[:1400], np.zeros(1400), against="x", groups=groups[:1400]).word == "no evidence"


def test_weights_make_a_mean_of_folds():
    losses = noise(0, 600) + np.repeat([0.0, 1.0], [200, 400])
    weights = 600 / (2 * np.repeat([200.0, 400.0], [200, 400]))
    found = verdict(losses, np.zeros(600), against="x", weights=weights)
    assert found.difference == pytest.approx((losses[:200].mean() + losses[200:].mean()) / 2)


@pytest.mark.parametrize(
    ("n", "horizon", "n_blocks", "more"), [(160, 24, 6, 32), (40, 24, 2, 152), (1, 1, 1, 7)]
)
def test_too_few_windows_are_no_evidence_however_clear(n, horizon, n_blocks, more):
    found = verdict(0.01 * noise(0, n) - 5.0, np.zeros(n), against="last value", horizon=horizon)
    assert (found.word, found.n_blocks, found.more_windows) == ("no evidence", n_blocks, more)
    assert "too few windows" in found.text
    assert (found.low is None) == (n == 1)


def test_how_many_more_windows_would_settle_it():
    losses = noise(0, 644)
    losses += -0.05 - losses.mean()
    found = verdict(losses, np.zeros(644), against="x")
    assert found.word == "no evidence"
    # t = -1.27 now; about 1.97 is needed: (1.97 / 1.27)² times as many.
    assert found.more_windows == pytest.approx(((1.97 / 1.27) ** 2 - 1) * 644, rel=0.15)
    assert f"about {found.more_windows:,} windows more would settle it" in found.text
    settled = np.tile(losses, 1 + math.ceil(found.more_windows / 644))
    assert verdict(settled, np.zeros(len(settled)), against="x").word == "better"


def test_a_tie_is_no_evidence():
    losses = noise(0, 644)
    found = verdict(losses, losses, np.stack([losses, losses + 0.1]), against="x")
    assert (found.word, found.difference, found.low, found.high) == ("no evidence", 0.0, 0.0, 0.0)
    assert found.more_windows is None


def test_the_verdict_is_what_the_contract_says():
    found = verdict(noise(0, 644), np.zeros(644), noise(1, 9, 644), against="ridge", part="test")
    stored = json.loads(found.model_dump_json())
    assert {
        "word", "against", "difference", "low", "high", "level", "n_windows", "block_length",
        "corrected_for", "part", "text",
    } <= set(stored)  # fmt: skip
    assert (stored["against"], stored["level"], stored["part"]) == ("ridge", 0.95, "test")
    assert (stored["corrected_for"], stored["n_windows"]) == (9, 644)
    assert Verdict.model_validate(stored) == found
    assert "test part" in found.text
    assert found.word in found.text.lower()


def test_the_same_losses_give_the_same_verdict_in_any_unit():
    losses = noise(0, 20, 300).astype(np.float32)
    best = losses[losses.mean(axis=1).argmin()]
    one = verdict(best, np.zeros(300), losses, against="x")
    for scale in (1e-12, 1e9):
        other = verdict(best * scale, np.zeros(300), losses * np.float64(scale), against="x")
        assert other.high / scale == pytest.approx(one.high, rel=1e-3)
        assert other.word == one.word


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reference": np.zeros(9)}, "the same windows"),
        ({"candidates": np.zeros((2, 9))}, "the same windows"),
        ({"curves": np.zeros((3, 1, 5))}, "curves must be"),
        ({"best": np.array([np.nan] * 10)}, "finite"),
        ({"best": np.empty(0), "reference": np.empty(0)}, "one at least"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, words):
    given = {"best": np.zeros(10), "reference": np.zeros(10), "candidates": np.zeros((2, 10)), **change}
    with pytest.raises(ValueError, match=words):
        verdict(**given, against="x")


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 300),
    trials=st.integers(1, 6),
    horizon=st.integers(1, 40),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
    seed=st.integers(0, 99),
)
def test_an_interval_holds_its_difference(n, trials, horizon, scale, seed):
    losses = noise(seed, trials, n) * scale
    best = losses[losses.mean(axis=1).argmin()]
    found = verdict(best, noise(seed + 1, n) * scale, losses, against="x", horizon=horizon)
    assert found.low <= found.difference <= found.high
    assert (found.word == "better") == (found.high < 0 and found.n_blocks >= 8)


# The set that cannot be told from the best.


@pytest.mark.parametrize("seed", range(4))
def test_the_confidence_set_is_arch_s(seed):
    shared = noise(seed, 1, 800)
    gaps = np.array([0.0, 0.0, 0.02, 0.3, 0.3, 0.6, 0.6, 1.0, 1.0, 1.0])
    losses = noise(seed + 50, 10, 800) + shared + gaps[:, None]
    arch = MCS(losses.T, size=0.05, reps=1000, block_size=8, method="max", seed=0)
    arch.compute()
    assert np.flatnonzero(confidence_set(losses)).tolist() == arch.included


def test_equal_trials_cannot_be_told_apart_and_a_clear_winner_can():
    losses = noise(0, 12, 644)
    assert confidence_set(losses).sum() >= 11
    losses[7] -= 1.0
    assert np.flatnonzero(confidence_set(losses)).tolist() == [7]


@pytest.mark.slow
def test_the_truly_best_is_in_the_set():
    held = 0
    for seed in range(40):
        losses = noise(seed, 15, 300) + np.linspace(0.0, 0.4, 15)[:, None]
        held += confidence_set(losses)[0]
    assert held >= 36  # 38 are expected; 35 or fewer come by chance once in forty


def test_few_windows_tell_nothing_apart_and_one_trial_is_its_own_set():
    assert confidence_set(np.array([[1.0, 1.1, 1.2], [5.0, 5.1, 5.2]])).all()
    assert confidence_set(noise(0, 1, 300)).tolist() == [True]
    same = np.repeat(noise(0, 1, 300), 4, axis=0)
    assert confidence_set(same).all()


# Other metrics.


def test_a_reference_that_wins_elsewhere_is_named():
    best = {"log_loss": 0.3782, "auc": 0.765, "accuracy": 0.85, "prediction_range": 0.5}
    references = {
        "base rate": {"log_loss": 0.4757, "auc": 0.5, "accuracy": 0.86, "prediction_range": 0.0},
        "logistic regression": {"log_loss": 0.3890, "auc": 0.799, "accuracy": 0.85, "prediction_range": 0.9},
    }
    found = beaten_by_references(best, references)
    assert [(one.metric, one.reference) for one in found] == [
        ("auc", "logistic regression"),
        ("accuracy", "base rate"),
    ]
    assert found[0].text == "auc: logistic regression has 0.799, it has 0.765"


def test_no_reference_wins_where_none_does():
    assert beaten_by_references({"mse": 0.1, "r2": 0.9}, {"last value": {"mse": 0.1, "r2": 0.9}}) == []
    assert beaten_by_references({"mse": 0.1}, {}) == []
