"""Feature tiers: technical indicators, one expression each, cumulative from a20 to a200.

The tables stand in ``tier_a20.py`` to ``tier_a200.py``, docs/features.md is made from them, and tests prove
that row t of every indicator uses rows up to t alone.
"""

import pandas as pd

from ..names import check_name
from .bars import Bars, Tier
from .tier_a20 import A20
from .tier_a50 import A50
from .tier_a100 import A100
from .tier_a200 import A200

TIERS: dict[str, Tier] = {
    "a20": A20,
    "a50": A20 | A50,
    "a100": A20 | A50 | A100,
    "a200": A20 | A50 | A100 | A200,
}

NEEDS_VIX = ("a50", "a100", "a200")

_PAGE_HEAD = """\
# Feature tiers

OHLCV come with each tier, the VIX from a50 on. Row t of every indicator uses rows up to t alone
(tests/data/test_tiers.py). Days are trading days. The table is `data/tier_a20.py` to `data/tier_a200.py`:
TA-Lib has the indicator, or pandas computes it. This page is made from it by
`python tests/data/test_tiers.py`.
"""


def compute(frame: pd.DataFrame, tier: str) -> pd.DataFrame:
    """All indicators of a tier.

    Args:
        frame: Open, High, Low, Close and Volume, from a50 on VIX, indexed by date in order.
        tier: Name of the tier.

    Raises:
        ValueError: The tier is not known, or needs the VIX, which is not there.
    """
    check_name("feature tier", tier, TIERS)
    bars = Bars(frame, TIERS[tier])
    return pd.DataFrame({name: bars[name] for name in TIERS[tier]}, index=frame.index, dtype="float64")


def page() -> str:
    """The documentation of all tiers, as Markdown."""
    parts = [_PAGE_HEAD]
    before: Tier = {}
    for name, tier in TIERS.items():
        rows = [f"| {feature} | {words} |" for feature, (words, _) in tier.items() if feature not in before]
        added = "" if not before else f", {len(rows)} of them new"
        parts.append(f"\n## {name}: {len(tier)} indicators{added}\n\n| name | what it is |\n|---|---|\n")
        parts.append("\n".join(rows) + "\n")
        before = tier
    return "".join(parts)
