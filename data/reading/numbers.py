"""How a column of text writes its numbers, found from the shapes of all its rows.

A file has one decimal sign. Where a column alone could be read two ways (1.234 is a thousand or one and a
bit), the other columns decide; where none does, the file is refused: a wrong guess is a factor of a thousand.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .shapes import Shapes

THOUSANDS = {".": ("", ",", " ", "'", "_"), ",": ("", ".", " ", "'", "_")}
"""Signs between thousands that go with a decimal sign."""
MOST = 0.9
"""Of a column's texts so many must be numbers, else it is text; the rest are reported."""

_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "−": "-"})
_SIGNS = r"[$€£¥₹₽%‰]|us\$|r\$|kr|zł|chf|usd|eur|gbp|rs\.?"
_AFFIXED = re.compile(
    rf"(?P<sign>[-+]?)\s*(?P<left>(?:{_SIGNS})?)\s*(?P<number>[-+]?[\d.,][^a-z%]*?(?:e[-+]?\d+)?)\s*"
    rf"(?P<right>(?:{_SIGNS})?)(?P<factor>[kmbt]?)",
    re.IGNORECASE,
)
_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_WORDS = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """How a column writes numbers.

    Attributes:
        decimal: "." or ",".
        thousands: The sign between thousands; "" where there is none.
        affix: What stands beside each number, such as "€" or "%"; "" where nothing does.
        plain: Arrow reads it as it is.
        whole: Integers of at most 19 digits, without a missing one.
    """

    decimal: str
    thousands: str = ""
    affix: str = ""
    plain: bool = False
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a column can be read as.

    Attributes:
        formats: Decimal sign to the format that reads most of the column by it.
        odd: Shapes that are no numbers in these.
        neutral: Both signs read the same numbers, for none has one.
        sign: The one before three digits in all numbers that have one; "" where they tell the format.
        mixed: Whole numbers below a thousand stand beside them, as they do beside thousands.
    """

    formats: Mapping[str, NumberFormat]
    odd: tuple[str, ...]
    neutral: bool
    sign: str
    mixed: bool


def read_shapes(shapes: Shapes, n_missing: int) -> Reading | None:
    """What a column's shapes, missing ones left out, can be read as; None if it is text."""
    if not shapes.seen or shapes.is_free_text:
        return None
    total = shapes.count
    best: dict[str, tuple[int, NumberFormat]] = {}
    for decimal, signs in THOUSANDS.items():
        for thousands in signs:
            if thousands in (".", ",") and shapes.leading_zero:
                continue  # 0.123 is no thousand
            count = sum(seen.count for shape, seen in shapes.seen.items() if fits(shape, decimal, thousands))
            if count >= MOST * total and count > best.get(decimal, (0, None))[0]:
                best[decimal] = (count, NumberFormat(decimal=decimal, thousands=thousands))
    if not best:
        return None
    most = max(count for count, _ in best.values())
    formats = {decimal: form for decimal, (count, form) in best.items() if count == most}
    one = next(iter(formats.values()))
    good = [shape for shape in shapes if fits(shape, one.decimal, one.thousands)]
    odd = tuple(shape for shape in shapes if not fits(shape, one.decimal, one.thousands))
    neutral = len(formats) == 2 and not any("." in shape or "," in shape for shape in good)
    if neutral:
        formats = {".": formats["."]}
    formats = {sign: _finish(form, good, n_missing, bool(odd)) for sign, form in formats.items()}
    whole = [shape for shape in good if "." not in shape and "," not in shape]
    return Reading(
        formats=formats,
        odd=odd,
        neutral=neutral,
        sign="" if len(formats) < 2 else "." if any("." in shape for shape in good) else ",",
        mixed=bool(whole) and max(len(re.sub(r"\D", "", shape)) for shape in whole) <= 3,
    )


def decide_decimal(
    readings: Mapping[str, Reading], separator: str | None, given: str | None
) -> dict[str, NumberFormat]:
    """The format of each column of numbers.

    Args:
        readings: Column to what it can be read as.
        separator: Of the file's columns.
        given: The decimal sign that the user gave.

    Raises:
        ValueError: A column can be read in two ways and nothing tells which, or not by the sign given. Where
            commas separate, a point is the decimal sign, unless some numbers have none; and a comma in
            quotes stands between thousands, if some numbers have none.
    """
    if given not in (None, ".", ","):
        raise ValueError(f"--decimal must be . or , and is {given!r}")
    known = {next(iter(r.formats)) for r in readings.values() if len(r.formats) == 1 and not r.neutral}
    chosen = {}
    for name, reading in readings.items():
        if given is not None:
            sign = "." if reading.neutral else given
            if sign not in reading.formats:
                raise ValueError(
                    f"column {name!r} is not written with the decimal sign {given!r} of --decimal"
                )
        elif len(reading.formats) == 1:
            sign = next(iter(reading.formats))
        elif len(known) == 1:
            sign = next(iter(known))
        elif separator == "," and not known and reading.mixed == (reading.sign == ","):
            sign = "."
        else:
            raise ValueError(
                f"column {name!r} can be read in two ways, its numbers have thousands or three decimals; "
                "give --decimal . or --decimal ,"
            )
        chosen[name] = reading.formats[sign]
    return chosen


def to_numbers(texts: pa.Array, form: NumberFormat, missing: Iterable[str]) -> npt.NDArray[np.float64]:
    """Texts as numbers, NaN where one is missing or none, (N,)."""
    clean = pc.utf8_trim_whitespace(_tidy(texts))
    clean = pc.if_else(pc.is_in(clean, pa.array(list(missing), pa.string())), None, clean)
    negative = pc.match_substring_regex(clean, r"^\(.*\)$")
    if form.affix:
        factors = pc.utf8_lower(pc.extract_regex(clean, r"(?P<f>[kKmMbBtT]?)\)?$").field("f"))
        clean = pc.replace_substring_regex(clean, rf"(?i)[()\s]|{_SIGNS}|[kmbt]$", "")
    if form.thousands:
        clean = pc.replace_substring(clean, form.thousands, "")
    if form.decimal == ",":
        clean = pc.replace_substring(clean, ",", ".")
    clean = pc.replace_substring_regex(clean, r"^\+", "")
    good = pc.match_substring_regex(clean, r"(?i)^-?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$|^-?inf(inity)?$")
    values = pc.cast(pc.if_else(pc.fill_null(good, False), clean, None), pa.float64())
    numbers = np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    if form.affix:
        for letter, factor in _FACTORS.items():
            if letter:
                numbers[pc.fill_null(pc.equal(factors, letter), False).to_numpy(zero_copy_only=False)] *= (
                    factor
                )
        numbers[pc.fill_null(negative, False).to_numpy(zero_copy_only=False)] *= -1
    return numbers


def _tidy(texts: pa.Array) -> pa.Array:
    for blank, plain in _BLANKS.items():
        texts = pc.replace_substring(texts, chr(blank), str(plain))
    return texts


def _bare(shape: str) -> tuple[str, str]:
    """A shape's number, and what stands beside it."""
    text = shape.translate(_BLANKS).strip()
    in_brackets = text.startswith("(") and text.endswith(")")
    match = _AFFIXED.fullmatch(text[1:-1].strip() if in_brackets else text)
    if match is None:
        return text, ""
    if match["left"] and match["right"]:
        return text, ""
    affix = match["left"] or match["right"] or ("()" if in_brackets else "") or match["factor"]
    return match["sign"] + match["number"].strip(), affix


@cache
def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    point = re.escape(decimal)
    whole = r"\d+"
    if thousands:
        sign = re.escape(thousands)
        whole = rf"(?:\d+|\d{{1,3}}(?:{sign}\d{{3}})+|\d{{1,2}}(?:{sign}\d\d)+{sign}\d{{3}})"
    return re.compile(rf"[-+]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?")


@cache
def fits(shape: str, decimal: str, thousands: str) -> bool:
    """Whether a shape is a number with these signs, perhaps with a currency or a percent sign beside it."""
    number = _bare(shape)[0]
    return bool(_pattern(decimal, thousands).fullmatch(number) or _WORDS.fullmatch(number))


def _finish(form: NumberFormat, good: list[str], n_missing: int, has_odd: bool) -> NumberFormat:
    affixes = sorted({affix for shape in good if (affix := _bare(shape)[1])})
    plain = re.compile(rf"-?\d+({re.escape(form.decimal)}\d*)?([eE][-+]?\d+)?|-?{re.escape(form.decimal)}\d+")
    is_plain = not affixes and not form.thousands and not has_odd and all(map(plain.fullmatch, good))
    return NumberFormat(
        decimal=form.decimal,
        thousands=form.thousands,
        affix=", ".join(affixes),
        plain=is_plain,
        whole=is_plain and n_missing == 0 and all(re.fullmatch(r"-?\d{1,19}", shape) for shape in good),
    )
