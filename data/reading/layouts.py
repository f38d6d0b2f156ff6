"""Where the numbers of a date and a time of day stand in a text of one shape.

A shape is taken apart into a family, such as "##Y" for 00/00/0000: which number is the day and which the
month is no question of one text, but of the whole column (``formats.py``).

In a family Y is a number of four digits, # one of one or two, J one of three (a day of the year), N a month's
name, and Q, W and H are the marks of quarters, weeks and half years.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from .words import CHARACTERS, FILLERS, MONTHS, OFFSETS, WEEKDAYS

FAMILIES = frozenset(
    "Y## ##Y ### Y# #Y ## #NY #N# NY N# #N YN# Y#N YN N#Y N## YQ# Q#Y #QY #Q# Q## YW# YW## W#Y YH# H#Y YJ".split()  # noqa: E501,SIM905
)
"""Those that can be a date."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A piece of a text: bytes ``start`` to ``stop``, and what they are.

    Roles: "0", "1", "2" a date's numbers in order; "N" a month's name; "A" a weekday; "H", "M", "S", "f"
    hour, minute, second and its fraction; "p" am or pm; "z" an offset, "+" its hours and ":" its minutes.
    """

    role: str
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A shape taken apart.

    Attributes:
        family: Of its date; empty for a time of day alone.
        parts: In order.
        month: Of its month's name; 0 where there is none.
        noon: "a" or "p" on a clock of twelve hours.
        offset: Minutes ahead of UTC of a zone's name; None where the text has no offset at all.
        sign: Of an offset written in numbers.
    """

    family: str
    parts: tuple[Part, ...]
    month: int = 0
    noon: str = ""
    offset: int | None = None
    sign: int = 1

    @property
    def has_clock(self) -> bool:
        """Whether it has a time of day."""
        return any(part.role == "H" for part in self.parts)

    def part(self, role: str) -> Part | None:
        """Its part of that role."""
        return next((part for part in self.parts if part.role == role), None)


_COLONS = re.compile(
    r"(?<!0)(?P<H>0{1,2}):(?P<M>00)(?::(?P<S>00)(?:[.,:](?P<f>0{1,9})0*)?)?(?!0)"
    r"(?:\s*(?P<p>[ap]\.?\s?m\.?(?![a-z])))?"
)
_DOTS = re.compile(
    r"(?P<H>0{1,2})(?:[.h](?P<M>00)(?:[.m](?P<S>00)s?(?:[.,](?P<f>0{1,9})0*)?)?)?\s*(?P<p>[ap]\.?\s?m\.?)?"
    r"\s*(?:h|uhr|h00)?"
)
_COMPACT = re.compile(r"(?P<H>00)(?P<M>00)(?:(?P<S>00)(?:[.,]?(?P<f>0{1,9})0*)?)?")
_OFFSET = re.compile(
    r"\s*(?P<zone>[a-z]{1,4})?\s*(?:(?P<sign>[+-])(?P<hours>0{1,2}):?(?P<minutes>00)?(?::?00)?)?"
    r"(?:\s*[\[(][^\])]*[\])])?"
)
_JOIN = re.compile(r"[\s,_:;-]*(?:(?<![a-z])t)?[\s,]*$")
_TOKEN = re.compile(r"0+|[^\W\d_]+|[^\w]+|_+")
_SEPARATOR = re.compile(r"[-/.,:' _–]+")
_MARKS = {"q": "Q", "t": "Q", "w": "W", "kw": "W", "wk": "W", "week": "W", "h": "H", "s": "H"}
_SPLITS = {8: (("Y##", (4, 2, 2)), ("##Y", (2, 2, 4))), 6: (("Y#", (4, 2)), ("###", (2, 2, 2)))}
_LONGEST = 60


@cache
def layouts_of(shape: str) -> tuple[Layout, ...]:
    """The ways to take a shape apart as a date, with or without a time of day; none if it is no date."""
    text = shape.strip().lower()
    if not 3 <= len(text) <= _LONGEST or "0" not in text or len(text) != len(shape.strip()):
        return ()
    ways: dict[str, Layout] = {}
    for date, clock in _splits(text):
        for way in _dates(text, date):
            if way.family not in ways:
                ways[way.family] = _joined(shape, way, clock)
    return tuple(ways.values())


@cache
def clock_of(shape: str) -> Layout | None:
    """A shape taken apart as a time of day alone; None if it is none."""
    text = shape.strip().lower()
    for pattern in (_COLONS, _DOTS, _COMPACT):
        match = pattern.match(text)
        if match and match["M"]:
            rest = _offset(text, match.end())
            if rest is not None:
                return _joined(shape, Layout(family="", parts=()), _clock(match, rest))
    return None


def _splits(text: str) -> Iterator[tuple[list[tuple[int, int]], Layout | None]]:
    """Pieces of a text that would be its date, and the time of day beside them."""
    for match in _COLONS.finditer(text):
        before = _JOIN.sub("", text[: match.start()])
        if not before:
            after = re.match(r"[\s,]+", text[match.end() :])  # a time of day, then the date
            if after:
                yield [(match.end() + after.end(), len(text))], _clock(match, Layout(family="", parts=()))
            continue
        rest = _offset(text, match.end())
        if rest is not None:
            yield [(0, len(before))], _clock(match, rest)
        year = re.match(r"\s+(?P<zone>[a-z]{1,4}\s+)?(?P<year>0000)$", text[match.end() :])
        if year:  # Tue Oct 25 00:00:00 CEST 2022
            zone = (year["zone"] or "").strip()
            offset = OFFSETS.get(zone) if zone else None
            if not zone or offset is not None:
                pieces = [(0, len(before)), (match.end() + year.start("year"), len(text))]
                yield pieces, _clock(match, Layout(family="", parts=(), offset=offset))
    for gap in re.finditer(r"(?<=[0-9年月日.])(?:t|[\s,]+t?)(?=0)", text):
        for pattern in (_DOTS, _COMPACT):
            found = pattern.match(text, gap.end())
            rest = _offset(text, found.end()) if found else None
            if found and rest is not None:
                yield [(0, gap.start())], _clock(found, rest)
    digits = re.fullmatch(r"(0{8})(00)(00)?(00)?", text)
    if digits:
        parts = [
            Part(role=role, start=digits.start(i), stop=digits.end(i))
            for i, role in ((2, "H"), (3, "M"), (4, "S"))
            if digits[i]
        ]
        yield [(0, 8)], Layout(family="", parts=tuple(parts))
    yield [(0, len(text))], None


def _clock(match: re.Match[str], rest: Layout) -> Layout:
    parts = [
        Part(role=role, start=match.start(role), stop=match.end(role))
        for role in ("H", "M", "S", "f", "p")
        if role in match.re.groupindex and match[role]
    ]
    noon = match["p"] if "p" in match.re.groupindex else None
    return replace(rest, parts=(*parts, *rest.parts), noon=(noon or "")[:1])


def _offset(text: str, start: int) -> Layout | None:
    """What stands behind a time of day: nothing, or an offset from UTC; None if it is something else."""
    match = _OFFSET.fullmatch(text, start)
    if match is None or (match["zone"] and match["zone"] not in OFFSETS):
        return None
    if not match["zone"] and not match["sign"]:
        return Layout(family="", parts=())
    begin = match.start("zone") if match["zone"] else match.start("sign")
    parts = [Part(role="z", start=begin, stop=len(text))]
    if match["sign"]:
        parts.append(Part(role="+", start=match.start("hours"), stop=match.end("hours")))
    if match["minutes"]:
        parts.append(Part(role=":", start=match.start("minutes"), stop=match.end("minutes")))
    return Layout(
        family="",
        parts=tuple(parts),
        offset=OFFSETS.get(match["zone"] or "", 0),
        sign=-1 if match["sign"] == "-" else 1,
    )


def _dates(text: str, pieces: list[tuple[int, int]]) -> Iterator[Layout]:
    """The ways to read pieces of a text as a date without a time of day."""
    tokens = [
        (match.group(), match.start(), match.end())
        for start, stop in pieces
        for match in _TOKEN.finditer(text, start, stop)
    ]
    words = [token for token, _, _ in tokens if token[0].isalpha()]
    months = [word for word in words if word in MONTHS]
    name = next((word for word in months if word not in WEEKDAYS), months[-1] if months else None)
    ways: list[tuple[str, list[Part]]] = [("", [])]
    for token, start, stop in tokens:
        kinds = _kinds(token, name, after_week=ways[0][0].endswith("W"))
        if kinds is None:
            return
        longer = []
        for family, parts in ways:
            for kind, lengths in kinds:
                more, at = list(parts), start
                for length in lengths:
                    n_numbers = sum(part.role.isdigit() for part in more)
                    role = kind if kind in ("N", "A") else str(n_numbers)
                    more.append(Part(role=role, start=at, stop=at + length if lengths != (-1,) else stop))
                    at += length
                longer.append((family + kind.replace("A", ""), more))
        ways = longer
    for family, parts in ways:
        if family in FAMILIES:
            yield Layout(
                family=family, parts=tuple(parts), month=MONTHS[name] if name and "N" in family else 0
            )


def _kinds(token: str, month: str | None, after_week: bool) -> list[tuple[str, tuple[int, ...]]] | None:
    """What a token adds to a family, and the lengths of its numbers; None if it is in no date."""
    if token[0] == "0":
        size = len(token)
        if size in _SPLITS:
            return list(_SPLITS[size])
        if after_week and size == 3:
            return [("##", (2, 1))]
        kind = {1: "#", 2: "#", 3: "J", 4: "Y"}.get(size)
        return None if kind is None else [(kind, (size,))]
    if _SEPARATOR.fullmatch(token) or token in CHARACTERS or (month and token in FILLERS):
        return [("", ())]
    if token == month:
        return [("N", (-1,))]
    if token in WEEKDAYS:
        return [("A", (-1,))]
    return [(_MARKS[token], ())] if token in _MARKS else None


def _joined(shape: str, date: Layout, clock: Layout | None) -> Layout:
    """Date and time of day, their spans counted in bytes of the unstripped shape."""
    lower = shape.lower()
    start = len(lower) - len(lower.lstrip())
    parts = [*date.parts, *(clock.parts if clock else ())]

    def at(position: int) -> int:
        return len(shape[: start + position].encode())

    moved = sorted(
        (Part(role=p.role, start=at(p.start), stop=at(p.stop)) for p in parts), key=lambda p: p.start
    )
    result = replace(clock, parts=tuple(moved)) if clock else Layout(family="", parts=tuple(moved))
    return replace(result, family=date.family, month=date.month)
