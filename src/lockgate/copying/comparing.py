"""What differs between a table there and here: by hashes of buckets first, and of rows where buckets differ.

A row is in a bucket by the hash of its key, so that it does not matter in which order either database sorts texts. The
hashes are of the values alone and equal in all versions of the server; types for which that is not so go by their text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.copying.pairs import Pair
from lockgate.errors import PlanError
from lockgate.ledger.copies import Owner

Key = tuple[str, ...]
"""A key's values as texts."""

_IN_A_BUCKET, _MOST_BUCKETS = 128, 1 << 17
_AT_ONCE = 100_000  # rows of buckets that differ, listed in one query on each side
_EXAMPLES = 10
_MOST = 500_000  # differences of one table that are kept; what is beyond is found by the next look


@dataclass(frozen=True, slots=True)
class Bucket:
    """:param own: rows that the copy has written and nobody else since; 0 there."""

    rows: int
    hash: int
    own: int


@dataclass(slots=True)
class Difference:
    """What differs of one table.

    :param query: what was asked there, and ``query_here`` what was asked here.
    :param wanted: keys of rows that are to be copied: absent here, or changed there.
    :param missing: how many of them are absent here.
    :param gone: keys, and hashes here, of the copy's own rows that are no more there.
    :param clashing: keys of rows that differ, and that somebody has written here.
    :param born: rows that are only here, and that the copy has not made.
    :param source_rows: rows there, and ``source`` its count and hash.
    :param more: whether there was more than can be kept.
    """

    pair: Pair
    query: str
    query_here: str
    source_rows: int
    source: str
    own: int
    wanted: list[Key] = field(default_factory=list)
    missing: int = 0
    gone: list[tuple[Key, int]] = field(default_factory=list)
    clashing: list[Key] = field(default_factory=list)
    born: int = 0
    more: bool = False

    @property
    def queries(self) -> str:
        """What was asked of both sides."""
        return f"there: {self.query}; here: {self.query_here}"

    @property
    def found(self) -> int:
        """How many rows are not as they are there; those born here are no difference."""
        return len(self.wanted) + len(self.gone) + len(self.clashing)

    def facts(self) -> dict[str, Any]:
        """For the ledger; of what differs some keys, which are shown only when they are asked for."""
        examples = {
            "differing": [list(key) for key in self.wanted[:_EXAMPLES]],
            "gone": [list(key) for key, _ in self.gone[:_EXAMPLES]],
            "clashing": [list(key) for key in self.clashing[:_EXAMPLES]],
        }
        return {
            "rows": self.source_rows,
            "digest": self.source,
            "missing": self.missing,
            "different": len(self.wanted) - self.missing,
            "gone": len(self.gone),
            "clashing": len(self.clashing),
            "born": self.born,
            "examples": {kind: keys for kind, keys in examples.items() if keys},
        }


def compare(here: Connection[Any], there: Connection[Any], copy: Owner, pair: Pair) -> Difference:
    """Find what differs, each side as its open transaction sees it."""
    count, rows = 1, max(_about(here, pair.table), _about(there, pair.there) if pair.there is not None else 0.0)
    while count * _IN_A_BUCKET < rows and count < _MOST_BUCKETS:
        count *= 2
    mask = count - 1
    theirs = buckets(there, _there(pair), _items(pair, "there"), mask)
    ours = buckets(here, _here(pair), _items(pair, "here"), mask, copy.own("t", pair.table.oid))
    source_rows = sum(bucket.rows for bucket in theirs.values())
    found = Difference(
        pair,
        _bucket_query(_there(pair), _items(pair, "there"), mask),
        _bucket_query(_here(pair), _items(pair, "here"), mask),
        source_rows,
        content(theirs),
        sum(bucket.own for bucket in ours.values()),
    )
    for chosen in _in_pieces(theirs, ours):
        if found.found >= _MOST:
            found.more = True
            break
        _look_closer(here, there, copy, pair, mask, chosen, found)
    return found


def _about(conn: Connection[Any], table: Relation) -> float:
    """About how many rows a table has; more rather than less where nobody has counted them yet."""
    row = conn.execute(
        "SELECT coalesce(sum(pg_catalog.pg_relation_size(o)), 0)::float8 FROM unnest(%s::oid[]) AS l (o)",
        ([leaf.oid for leaf in table.leaves],),
    ).fetchone()
    return max(table.estimated_rows, float(row[0]) / 100 if row else 0.0)


def content(found: Mapping[int, Bucket]) -> str:
    """Count and hash of all rows."""
    together = 0
    for bucket in found.values():
        together ^= bucket.hash
    return f"{sum(bucket.rows for bucket in found.values())}:{together & (2**64 - 1):016x}"


def content_there(there: Connection[Any], pair: Pair) -> str:
    """Count and hash of a table there."""
    return content(buckets(there, _there(pair), _items(pair, "there"), 0))


def row_hash(pair: Pair, alias: str) -> str:
    """The hash of a row here."""
    items = (held.item(held.here(alias), convert=pair.convert) for held in pair.columns)
    return f"pg_catalog.hash_record_extended(ROW({', '.join(items)}), 0)"


def key_matches(pair: Pair, row: str, key: str) -> str:
    """The condition that a row here has the key whose texts are ``v0``, ``v1`` and so on of ``key``."""
    return " AND ".join(
        f"{held.here(row)} {held.column.equals} {key}.v{n}::{held.column.plain_type}" for n, held in enumerate(pair.key)
    )


@dataclass(frozen=True, slots=True)
class _Items:
    """What is hashed of a row, and the texts of its key."""

    key: str
    row: str
    texts: str


def _items(pair: Pair, side: str) -> _Items:
    def value(held: Any) -> str:
        return str(held.there("s") if side == "there" else held.here("t"))

    def record(columns: Sequence[Any]) -> str:
        items = ", ".join(held.item(value(held), convert=pair.convert) for held in columns)
        return f"pg_catalog.hash_record_extended(ROW({items}), 0)"

    texts = ", ".join(f"({value(held)})::text" for held in pair.key)
    return _Items(record(pair.key), record(pair.columns), f"ARRAY[{texts}]")


def _there(pair: Pair) -> str:
    return f"{pair.theirs} AS s" + (f" WHERE ({pair.where})" if pair.where else " WHERE true")


def _here(pair: Pair) -> str:
    return f"{pair.here} AS t WHERE true"


def _bucket_query(source: str, items: _Items, mask: int, own: str = "false") -> str:
    return (
        f"SELECT {items.key} & {mask}, count(*), pg_catalog.bit_xor({items.row}), count(*) FILTER (WHERE {own}) "
        f"FROM {source} GROUP BY 1"
    )


def buckets(conn: Connection[Any], source: str, items: _Items, mask: int, own: str = "false") -> dict[int, Bucket]:
    """The buckets of one side, by their numbers."""
    rows = conn.execute(_bucket_query(source, items, mask, own).encode())
    return {int(number): Bucket(int(count), int(xor), int(mine)) for number, count, xor, mine in rows}


def _in_pieces(theirs: Mapping[int, Bucket], ours: Mapping[int, Bucket]) -> Iterator[list[int]]:
    """The buckets that differ, so many at a time that their rows can be kept in mind."""
    chosen: list[int] = []
    size = 0
    for number in theirs.keys() | ours.keys():
        one, other = theirs.get(number), ours.get(number)
        if one and other and (one.rows, one.hash) == (other.rows, other.hash):
            continue
        chosen.append(number)
        size += max(one.rows if one else 0, other.rows if other else 0)
        if size >= _AT_ONCE:
            yield chosen
            chosen, size = [], 0
    if chosen:
        yield chosen


def _look_closer(
    here: Connection[Any],
    there: Connection[Any],
    copy: Owner,
    pair: Pair,
    mask: int,
    chosen: Sequence[int],
    found: Difference,
) -> None:
    numbers = f"'{{{','.join(map(str, chosen))}}}'::bigint[]"

    def listed(conn: Connection[Any], source: str, items: _Items, own: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {items.texts}, {items.row}, {own} FROM {source} AND {items.key} & {mask} = ANY ({numbers})"
        return conn.execute(query.encode()).fetchall()

    theirs: dict[Key, int] = {}
    for key, value, _ in listed(there, _there(pair), _items(pair, "there"), "false"):
        if tuple(key) in theirs:
            names = ", ".join(held.column.name for held in pair.key)
            raise PlanError(
                f"{pair.label} yields two rows of one key ({names})",
                where=pair.table.label,
                hint="Name columns that identify a row by `key`, or mend the SELECT.",
            )
        theirs[tuple(key)] = int(value)
    for listed_key, value, own in listed(here, _here(pair), _items(pair, "here"), copy.own("t", pair.table.oid)):
        key = tuple(listed_key)
        wanted = theirs.pop(key, None)
        if wanted == value:
            continue
        if wanted is not None:
            (found.wanted if own else found.clashing).append(key)
        elif own:
            found.gone.append((key, int(value)))
        else:
            found.born += 1
    found.wanted += theirs
    found.missing += len(theirs)
