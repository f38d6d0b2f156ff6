"""How often a verdict is wrong where no trial is better than the reference, and how often it finds a lead.

    python -m tests.benchmarks.evidence_coverage [--studies 500] [--only NAME ...]

Each study is simulated: loss differences of windows, for every trial and every epoch; each trial keeps its
best epoch, and the best trial is held against the reference. A verdict that errs in 5 % of all cases does so
in at most 35 of 500 studies, but for one time in fifty. The table goes to docs/evidence.md.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

from hpo.scoring.evidence import Verdict, verdict

WEAK, STRONG = 0.1, 0.3
"""Leads of every trial over the reference, in standard deviations of a window's loss difference."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of study.

    Attributes:
        noise: Draws loss differences along time: from a generator and a shape (..., windows) to that shape,
            with mean 0 and standard deviation 1.
        common: Maps them to what they are, given the generator: what all windows of a study share.
        between_epochs: Correlation of a trial's neighbouring epochs.
        shared: Share of the variance that all trials have in common.
        lead: By how much every trial is better than the reference.
        horizon: Of overlapping targets.
        series: Series that have windows at the same moments.
        groups: Groups held out whole, each with a level of its own.
        folds: Of a walk-forward split; each chooses its own epochs.
        search: Optuna's TPE searches: configs near each other have similar losses.
    """

    name: str
    noise: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    common: Callable[[np.random.Generator, np.ndarray], np.ndarray] = lambda rng, losses: losses
    windows: int = 644
    trials: int = 30
    epochs: int = 20
    between_epochs: float = 0.9
    shared: float = 0.5
    lead: float = 0.0
    horizon: int = 1
    series: int = 1
    groups: int = 0
    folds: int = 1
    search: bool = False


def independent(rng, shape):
    return rng.standard_normal(shape, dtype=np.float32)


def autocorrelated(phi):
    def draw(rng, shape):
        steps = rng.standard_normal((*shape[:-1], shape[-1] + 100), dtype=np.float32)
        return lfilter([np.sqrt(1 - phi**2)], [1, -phi], steps, axis=-1)[..., 100:].astype(np.float32)

    return draw


def overlapping(horizon):
    def draw(rng, shape):
        steps = rng.standard_normal((*shape[:-1], shape[-1] + horizon), dtype=np.float32)
        sums = np.cumsum(steps, axis=-1)
        return (sums[..., horizon:] - sums[..., :-horizon]) / np.float32(np.sqrt(horizon))

    return draw


def heavy(rng, losses):
    """The same windows are wild for every trial: Student's t with 3 degrees of freedom."""
    return losses * (rng.standard_t(3, losses.shape[-1]) / np.sqrt(3)).astype(np.float32)


def skewed(sign):
    """A few windows cost much more, or much less, than the reference's."""

    def change(rng, losses):
        rare = rng.exponential(1.0, losses.shape[-1]).astype(np.float32) ** 2 - 2.0
        weight = rng.uniform(0.5, 1.5, (*losses.shape[:-1], 1)).astype(np.float32)
        return (sign * rare * weight + 2.0 * losses) / 5.0

    return change


def calm_and_wild(rng, losses):
    """Stretches of calm and of wild windows."""
    volatility = np.exp(autocorrelated(0.97)(rng, (losses.shape[-1],)))
    return losses * volatility / np.float32(np.exp(1.0))


NULLS = (
    Kind(name="independent windows", noise=independent),
    Kind(name="autocorrelation 0.5", noise=autocorrelated(0.5)),
    Kind(name="autocorrelation 0.8", noise=autocorrelated(0.8)),
    Kind(name="autocorrelation 0.9", noise=autocorrelated(0.9)),
    Kind(name="heavy tails (t, 3)", noise=independent, common=heavy),
    Kind(name="rare large losses", noise=independent, common=skewed(1.0)),
    Kind(name="rare large gains", noise=independent, common=skewed(-1.0)),
    Kind(name="calm and wild stretches", noise=independent, common=calm_and_wild),
    Kind(name="overlapping targets, horizon 24", noise=overlapping(24), horizon=24),
    Kind(name="5 series at the same moments", noise=autocorrelated(0.5), series=5, windows=1500),
    Kind(name="16 groups held out whole", noise=independent, groups=16, windows=1600),
    Kind(name="5 walk-forward folds", noise=autocorrelated(0.5), folds=5, windows=1000),
    Kind(name="100 windows, autocorrelation 0.5", noise=autocorrelated(0.5), windows=100),
    Kind(name="epochs independent", noise=independent, between_epochs=0.0),
    Kind(name="epochs nearly alike", noise=autocorrelated(0.5), between_epochs=0.99),
    Kind(name="1 trial, autocorrelation 0.8", noise=autocorrelated(0.8), trials=1),
    Kind(name="1 trial, 1 epoch, autocorrelation 0.8", noise=autocorrelated(0.8), trials=1, epochs=1),
    Kind(name="200 trials, independent of each other", noise=independent, trials=200, shared=0.0, epochs=5),
    Kind(name="TPE, 40 trials in 5 dimensions", noise=independent, trials=40, epochs=5, search=True),
)
SIGNALS = tuple(
    replace(kind, name=f"{kind.name}, {word} signal", lead=lead)
    for kind in (NULLS[0], NULLS[1], NULLS[2], NULLS[4], NULLS[7], NULLS[8])
    for word, lead in (("weak", WEAK), ("strong", STRONG))
)


def losses_of(kind: Kind, rng: np.random.Generator) -> np.ndarray:
    """Loss differences of every trial and epoch, (trials, epochs, windows)."""
    moments = kind.windows // kind.series
    losses = kind.noise(rng, (kind.trials, kind.epochs, moments))
    for epoch in range(1, kind.epochs):
        r = np.float32(kind.between_epochs)
        losses[:, epoch] = r * losses[:, epoch - 1] + np.sqrt(1 - r * r) * losses[:, epoch]
    everyone = kind.noise(rng, (1, 1, moments))
    losses = np.sqrt(1 - kind.shared) * losses + np.sqrt(kind.shared) * everyone
    losses = kind.common(rng, losses.astype(np.float32))
    if kind.series > 1:  # half of what happens at a moment happens to all series
        own = rng.standard_normal((kind.trials, 1, kind.windows), dtype=np.float32)
        losses = np.sqrt(0.5) * np.tile(losses, kind.series) + np.sqrt(0.5) * own
    if kind.groups:
        levels = rng.standard_normal((kind.trials, 1, kind.groups), dtype=np.float32)
        losses = losses + np.repeat(levels, kind.windows // kind.groups, axis=-1)
    return losses - np.float32(kind.lead)


def simulate(kind: Kind, seed: int) -> Verdict:
    """The verdict on one simulated study."""
    rng = np.random.default_rng([seed, sum(kind.name.encode())])
    every = searched(kind, rng, seed) if kind.search else losses_of(kind, rng)
    folds = np.array_split(np.arange(kind.windows), kind.folds)
    curves = np.stack([every[:, :, fold].mean(axis=-1, dtype=np.float64) for fold in folds], axis=1)
    best_epochs = curves.argmin(axis=2)
    trials = np.arange(len(every))
    losses = np.concatenate(
        [every[trials, best_epochs[:, i]][:, fold] for i, fold in enumerate(folds)], axis=1
    )
    times = np.tile(np.arange(kind.windows // kind.series), kind.series) if kind.series > 1 else None
    groups = np.repeat(np.arange(kind.groups), kind.windows // kind.groups) if kind.groups else None
    best = losses[losses.mean(axis=1, dtype=np.float64).argmin()]
    return verdict(
        best,
        np.zeros(kind.windows),
        losses,
        against="the reference",
        curves=curves,
        n_adaptive=kind.trials - STARTUP if kind.search else 0,
        horizon=kind.horizon,
        times=times,
        groups=groups,
        seed=seed,
    )


STARTUP, DIMENSIONS, REACH, OWN, WAVES = 10, 5, 0.5, 0.3, 150
"""Of the search: trials at random first, parameters in [0, 1], the distance over which losses are alike, the
share of the variance that is a trial's own, and the waves that make the rest."""


def searched(kind: Kind, rng: np.random.Generator, seed: int) -> np.ndarray:
    """Loss differences of the trials that Optuna's TPE asks for, where no config is better than another.

    A config's losses are a smooth random function of its parameters (Rahimi and Recht 2007), so that there is
    a best config for these windows to be found, which is no better on others.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True)
    study = optuna.create_study(sampler=sampler)
    frequencies = rng.standard_normal((WAVES, DIMENSIONS)) / REACH
    phases = rng.uniform(0, 2 * np.pi, WAVES)
    waves = kind.noise(rng, (WAVES, kind.windows))
    space = {f"x{i}": optuna.distributions.FloatDistribution(0.0, 1.0) for i in range(DIMENSIONS)}
    found = []
    for _ in range(kind.trials):
        trial = study.ask(space)
        x = np.array([trial.params[name] for name in space])
        smooth = np.sqrt(2 / WAVES) * np.cos(frequencies @ x + phases) @ waves
        own = losses_of(replace(kind, trials=1, shared=0.0), rng)[0]
        found.append(np.sqrt(1 - OWN) * smooth.astype(np.float32) + np.sqrt(OWN) * own)
        study.tell(trial, float(found[-1].mean(axis=1).min()))
    return np.stack(found)


def row_of(kind: Kind, studies: int) -> str:
    """One row of the table."""
    started = time.process_time()
    verdicts = [simulate(kind, seed) for seed in range(studies)]
    words = [v.word for v in verdicts]
    held = sum(v.low is not None and v.low <= -kind.lead <= v.high for v in verdicts)
    width = np.median([v.high - v.low for v in verdicts])
    seconds = (time.process_time() - started) / studies
    return (
        f"| {kind.name} | {words.count('better')} | {words.count('worse')} | {held / studies:.1%} | "
        f"{width:.2f} | {np.median([v.n_blocks for v in verdicts]):.0f} | {seconds * 1000:.0f} ms |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    print(f"| {arguments.studies} studies | better | worse | held | width | blocks | CPU |")
    print("|---|---|---|---|---|---|---|")
    for a_kind in (*NULLS, *SIGNALS):
        if not arguments.only or any(word in a_kind.name for word in arguments.only):
            print(row_of(a_kind, arguments.studies), flush=True)
