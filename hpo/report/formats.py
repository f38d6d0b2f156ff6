"""Numbers as people read them: four significant digits, 2.0M parameters, 1.2e-4, 1m 05s."""

NOTHING = "–"
"""Stands where there is no number."""


def score(value: float | None) -> str:
    """Four significant digits: 0.6931, 12.35, 1.235e-4."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e5:
        return _scientific(value, 3)
    return f"{value:#.4g}".removesuffix(".")


def distance(value: float | None) -> str:
    """A difference of scores, two significant digits: 0.012, 8.1e-4."""
    if value is None:
        return NOTHING
    return rate(value)


def signed(value: float | None) -> str:
    """A difference with its sign: +0.012."""
    if value is None:
        return NOTHING
    return f"{'-' if value < 0 else '+'}{distance(abs(value))}" if value else "0"


def rate(value: float) -> str:
    """A learning rate or a decay, two significant digits: 1.2e-4, 0.05, 0."""
    if value == 0:
        return "0"
    if abs(value) < 0.01:
        return _scientific(value, 1)
    return f"{value:.2g}" if abs(value) < 100 else f"{value:,.0f}"


def percent(fraction: float | None, plus: bool = False) -> str:
    """A fraction as a percentage: 14.86 %, with a plus sign if asked for: +14.86 %."""
    if fraction is None:
        return NOTHING
    value = 100 * fraction
    digits = 2 if abs(value) < 100 else 0
    text = f"{value:{'+' if plus else ''},.{digits}f} %"
    return text.lstrip("+-") if round(value, digits) == 0 else text


def p_value(p: float | None) -> str:
    """A p-value: 0.42, 0.031, < 0.001."""
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def params(count: int) -> str:
    """A number of parameters: 884k, 2.0M, 1.9B."""
    for limit, unit, digits in ((1e9, "B", 1), (1e6, "M", 1), (1e3, "k", 0)):
        # 999,600 rounds to 1.0M, not to 1000k.
        if count >= 0.9995 * limit:
            return f"{count / limit:.{digits}f}{unit}"
    return str(count)


def duration(seconds: float | None) -> str:
    """A time span: 0.4 s, 12.3 s, 1m 05s, 2h 03m."""
    if seconds is None:
        return NOTHING
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m"


def clock(seconds: float) -> str:
    """A time span for the terminal: 0.4 s, 12 s, 1 min 05 s, 2 h 03 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def dates(start: str, end: str) -> str:
    """A span of time: 2016-02-17 to 2018-12-31; with the time of day where there is one."""
    first, last = (stamp.removesuffix("T00:00:00") for stamp in (start, end))
    return f"{first} to {last}"


def plural(n: int, noun: str) -> str:
    """A count and its noun: 1 trial, 3 trials."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _scientific(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    if digits == 1:
        mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{int(exponent)}"
