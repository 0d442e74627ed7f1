"""The rows on which a comparison fails: looked for after the failure, by halving the source, for some seconds only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Leaf
from lockgate.mapping import poison
from lockgate.mapping.compiled import Compiled, as_held
from lockgate.mapping.part import Part, tid
from lockgate.sql.tree import literal, quote

SECONDS = 10
_ROWS = 3
_OTHERS = 8
_BLOCK = 1 << 16  # places of rows in a block: more than any block has
_HOLD_ROWS = ("r", "p", "m")


@dataclass(frozen=True, slots=True)
class Culprits:
    """What a comparison fails on.

    :param part: the part of the mapping: FROM or WHERE, a column, a word of its winner, a reason.
    :param rows: what identifies some of the rows of the driving relation; none where they were not found.
    """

    mapping: Compiled
    part: str
    rows: tuple[str, ...]


def find(conn: Connection[Any], compiled: tuple[Compiled, ...]) -> Culprits | None:
    """Look for rows that the SELECT of a mapping, or the types of its target, refuse; None if none was found in time.

    In a transaction of its own, which reads only.
    """
    found: list[_Row] = []
    try:
        with conn.transaction():
            search = _Search(conn)
            try:
                for mapping in compiled:
                    if found:
                        break
                    found += search.rows(mapping)
                if not found:
                    return next(search.parts(compiled), None)
            except _OutOfTimeError as over:
                found += over.found
    except psycopg.Error:  # why it is looked for is told in any case
        return None
    if not found:
        return None
    return Culprits(found[0].mapping, found[0].part, tuple(row.key for row in found))


@dataclass(frozen=True, slots=True)
class _Row:
    mapping: Compiled
    part: str
    key: str


def _part(leaf: Leaf, low: int, high: int) -> Part:
    return Part(leaf, divmod(low, _BLOCK), divmod(high, _BLOCK))


def _number(place: str) -> int:
    block, _, number = place.strip("()").partition(",")
    return int(block) * _BLOCK + int(number)


class _OutOfTimeError(Exception):
    """With what was found before."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Row] = []


class _Search:
    """Asks parts of the source, each in a savepoint, until the time is over."""

    def __init__(self, conn: Connection[Any]) -> None:
        self.conn = conn

    def rows(self, mapping: Compiled) -> list[_Row]:
        """Some rows of the driving relation that are refused, the first ones of each of its tables."""
        found: list[_Row] = []
        if mapping.select.whole or mapping.driving_relation.kind not in _HOLD_ROWS:
            return found
        try:
            for leaf in catalog.leaves(self.conn, mapping.driving_relation.oid):
                low, high = 0, self._blocks(leaf) * _BLOCK
                while len(found) < _ROWS:
                    place = self._first(mapping, leaf, low, high)
                    row = None if place is None else self._row(mapping, _part(leaf, place, place + 1))
                    if place is None or row is None or not (found or self._tells_apart(mapping, leaf, place)):
                        break
                    found.append(row)
                    low = place + 1
        except _OutOfTimeError as over:
            over.found = found
            raise
        return found

    def parts(self, compiled: tuple[Compiled, ...]) -> Iterator[Culprits]:
        """Parts that are refused when all rows are asked at once: what a join leaves out depends on how it is done."""
        for mapping in compiled:
            for part, statement in _parts(mapping):
                if self._fails(statement(None)):
                    yield Culprits(mapping, part, ())

    def _first(self, mapping: Compiled, leaf: Leaf, low: int, high: int) -> int | None:
        """The place of the first row that is refused; what comes after it need not be read for that."""
        if not self._refused(mapping, _part(leaf, low, high)):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if self._refused(mapping, _part(leaf, low, middle)):
                high = middle
            else:
                low = middle
        return low

    def _tells_apart(self, mapping: Compiled, leaf: Leaf, place: int) -> bool:
        """Whether other rows are accepted. A join may read all of another relation whichever row is asked for."""
        elsewhere = f"ctid <> {tid(divmod(place, _BLOCK))}"
        others = self.conn.execute(
            f"SELECT ctid::text FROM ONLY {leaf.sql} WHERE {elsewhere} LIMIT {_OTHERS}".encode()
        ).fetchall()
        numbers = [_number(str(ctid)) for (ctid,) in others]
        return not numbers or not all(self._refused(mapping, _part(leaf, n, n + 1)) for n in numbers)

    def _row(self, mapping: Compiled, place: Part) -> _Row | None:
        part = next((part for part, statement in _parts(mapping) if self._fails(statement(place))), None)
        if part is None:
            return None
        names = mapping.driving_key or ("ctid",)
        values = ", ".join(f"x.{quote(name)}::text" for name in names)
        row = self.conn.execute(
            f"SELECT {values} FROM ONLY {place.leaf.sql} AS x WHERE {place.holds('x')}".encode()
        ).fetchone()
        if row is None:
            return None
        return _Row(mapping, part, " AND ".join(f"{n} = {literal(v)}" for n, v in zip(names, row, strict=True)))

    def _refused(self, mapping: Compiled, places: Part) -> bool:
        return any(self._fails(statement) for statement in _statements(mapping, places))

    def _fails(self, statement: str) -> bool:
        """Whether the data is refused.

        :raises _OutOfTimeError: when the answer takes too long.
        """
        row = self.conn.execute(
            "SELECT (%s - extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000)::int",
            (SECONDS * 1000,),
        ).fetchone()
        left = int(row[0]) if row else 0
        if left <= 0:
            raise _OutOfTimeError
        try:
            with self.conn.transaction():
                self.conn.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (f"{left}ms",))
                self.conn.execute(statement.encode())
        except psycopg.errors.QueryCanceled:
            raise _OutOfTimeError from None
        except psycopg.Error as error:
            if not poison.is_refusal(error):
                raise
            return True
        return False

    def _blocks(self, leaf: Leaf) -> int:
        row = self.conn.execute(
            "SELECT pg_catalog.pg_relation_size(%s::oid) / pg_catalog.current_setting('block_size')::bigint",
            (leaf.oid,),
        ).fetchone()
        return int(row[0]) if row else 0


_Statement = Callable[[Part | None], str]


def _parts(mapping: Compiled) -> list[tuple[str, _Statement]]:
    """Each part of a mapping that may refuse a row, with the statement that asks for it alone."""
    asked = _yielded(mapping)
    parts: list[tuple[str, _Statement]] = [
        ("FROM or WHERE", lambda places: f"SELECT count(*) FROM ({_yields(mapping, places)}) AS y")
    ]
    parts += [
        (part, lambda places, value=value: _ask_yields(mapping, places, [value]))  # type: ignore[misc]
        for part, value in asked
    ]
    for number, reason in enumerate(mapping.definition.rejected, 1):
        parts.append(
            (f"reason {reason!r}", lambda places, number=number: _ask_reasons(mapping, places, number))  # type: ignore[misc]
        )
    return parts


def _statements(mapping: Compiled, places: Part) -> list[str]:
    """All that is asked of some rows."""
    statements = [_ask_yields(mapping, places, [value for _, value in _yielded(mapping)])]
    reasons = len(mapping.definition.rejected)
    return [*statements, _ask_reasons(mapping, places, reasons)] if reasons else statements


def _yielded(mapping: Compiled) -> list[tuple[str, str]]:
    """What the comparison evaluates of a yield: the columns as the target holds them, and the words of the winner."""
    columns = [(f"column {column.name}", as_held(column, f"y.{column.sql}")) for column in mapping.outputs]
    words = [(f"winner {word.expression}", f"y.lockgate_w{number}") for number, word in enumerate(mapping.winner)]
    return columns + words


def _ask_yields(mapping: Compiled, places: Part | None, values: list[str]) -> str:
    counts = ", ".join(f"count({value})" for value in values)
    return f"SELECT {counts} FROM {mapping.keyed(_yields(mapping, places), 'y')}"


def _ask_reasons(mapping: Compiled, places: Part | None, number: int) -> str:
    """Ask for the first reasons, of rows that yield nothing: of others they need not make sense."""
    alias = quote(mapping.driving.alias)
    reasons = list(mapping.definition.rejected.values())[:number]
    cases = "".join(f" WHEN ({reason}\n) THEN 1" for reason in reasons)
    theirs = [f"lockgate_y.lockgate_d{i}" for i in range(len(mapping.driving_identity(alias)))]
    same = mapping.same_driving_row(theirs, mapping.driving_identity(alias))
    rows = f"ONLY {places.leaf.sql}" if places else mapping.driving_relation.sql
    among = f"{places.holds(alias)} AND" if places else ""
    yielded = f"SELECT FROM {mapping.keyed(_yields(mapping, places), 'lockgate_y')} AND {same}"
    return f"SELECT count(CASE{cases} END) FROM {rows} AS {alias} WHERE {among} NOT EXISTS ({yielded})"


def _yields(mapping: Compiled, places: Part | None) -> str:
    return places.yields(mapping) if places is not None else mapping.yields()
