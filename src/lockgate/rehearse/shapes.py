"""Texts of a certain shape: which of their characters are digits and letters, and what stands between them.

A shape is what the source tells of a text. It holds ``9`` for each digit and ``a`` or ``A`` for each letter, so that it
says how long texts are and where an ``@`` stands, and nothing that was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from psycopg import sql

_SLOTS = "9aA"
_UUID = re.compile(r"[9aA]{8}-[9aA]{4}-[9aA]{4}-[9aA]{4}-[9aA]{12}")
_DATE = re.compile(r"9999-99-99")
_TIME = re.compile(r"9999-99-99([ A])99:99:99(A?)")
_SPREAD = 9
"""Digits that are made of the number itself, so that other numbers have other ones; those after them are of a hash."""
_GOLDEN = 618_033_989
"""About the golden part of 10**9. It and each of its ends are prime to powers of ten: no two numbers meet, and those
that follow each other come to lie far apart."""
PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Shape:
    """How texts of a column look.

    :param mask: with ``9`` for a digit, ``a`` and ``A`` for letters.
    :param part: how many of the column's texts look so; the parts of all are 1 together, or less.
    :param distinct: how many different texts look so, where they are few and known.
    """

    mask: str
    part: float
    distinct: int | None = None


def text(shapes: Sequence[Shape], number: sql.Composable, seed: int) -> sql.Composed:
    """A text for row ``g.i`` that looks like those of the source.

    :param number: not negative; below 10**9 other numbers yield other texts, where a shape has digits enough.
    """
    chance = sql.SQL("pg_catalog.abs(pg_catalog.hashint8extended(g.i, {}))").format(sql.Literal(seed + 3))
    cases = [(shape.part, _looking(shape, seed)) for shape in shapes]
    chosen = by_part(sql.SQL("r.chance % {}").format(sql.Literal(PARTS)), cases)
    return sql.SQL("(SELECT {} FROM (SELECT ({})::bigint AS n, {} AS chance OFFSET 0) AS r)").format(
        chosen, number, chance
    )


def by_part(chance: sql.Composable, cases: Sequence[tuple[float, sql.Composable]]) -> sql.Composed:
    """One of the values, each as often as its part of all parts says.

    :param chance: a number from 0 to below ``PARTS``.
    """
    whole = sum(part for part, _ in cases) or 1.0
    reached, whens = 0.0, list[sql.Composable]()
    for part, value in cases[:-1]:
        reached += part / whole * PARTS
        whens.append(sql.SQL("WHEN {} < {} THEN {}").format(chance, sql.Literal(round(reached)), value))
    _, last = cases[-1]
    return sql.SQL("CASE {} ELSE {} END").format(sql.SQL(" ").join(whens), last) if whens else sql.Composed([last])


def _looking(shape: Shape, seed: int) -> sql.Composable:
    """The text for number ``r.n`` that looks so."""
    mask = shape.mask
    if _UUID.fullmatch(mask):
        return sql.SQL("pg_catalog.md5(r.n::text || {})::uuid::text").format(sql.Literal(f" {seed}"))
    if _DATE.fullmatch(mask):
        return sql.SQL("(date '2020-01-01' + (r.n % 1500)::int)::text")
    if found := _TIME.fullmatch(mask):
        return sql.SQL("pg_catalog.to_char(timestamp '2020-01-01' + r.n * interval '1 minute', {})").format(
            sql.Literal(f'YYYY-MM-DD"{found[1].replace("A", "T")}"HH24:MI:SS"{found[2].replace("A", "Z")}"')
        )
    number: sql.Composable = sql.SQL("r.n")
    if shape.distinct:
        number = sql.SQL("(r.chance / {} % {})").format(sql.Literal(PARTS), sql.Literal(shape.distinct))
    pieces = list(_pieces(mask, number))
    return sql.SQL(" || ").join(pieces) if pieces else sql.Literal("")


def _pieces(mask: str, number: sql.Composable) -> Iterator[sql.Composable]:
    slots = sum(character in _SLOTS for character in mask)
    digits = _digits(slots, number)
    place = 1
    for kind, group in groupby(mask, key=lambda c: c if c in _SLOTS else ""):
        run = "".join(group)
        if not kind:
            yield sql.Literal(run)
            continue
        taken = sql.SQL("pg_catalog.substr({}, {}, {})").format(digits, sql.Literal(place), sql.Literal(len(run)))
        place += len(run)
        if kind == "9":
            yield taken
        else:
            letters = "abcdefghij" if kind == "a" else "ABCDEFGHIJ"
            yield sql.SQL("pg_catalog.translate({}, '0123456789', {})").format(taken, sql.Literal(letters))


def _digits(slots: int, number: sql.Composable) -> sql.Composable:
    """As many digits, of which the first nine are those of the number itself, spread."""
    near = min(slots, _SPREAD)
    modulus = 10**near
    own = sql.SQL("pg_catalog.lpad((({} * {}) % {})::text, {}, '0')").format(
        number, sql.Literal(_GOLDEN % modulus), sql.Literal(modulus), sql.Literal(near)
    )
    if slots <= _SPREAD:
        return own
    more = slots - _SPREAD
    hashed = sql.SQL("pg_catalog.translate(pg_catalog.md5(({})::text), 'abcdef', '314159')").format(number)
    return sql.SQL("({} || pg_catalog.rpad({}, {}, {}))").format(own, hashed, sql.Literal(more), hashed)
