"""Comparing what the mappings yield with what the table holds, row by row, exactly, while writes go on.

Both sides are hashed into buckets in one snapshot; only buckets that differ are compared row by row; and what
is visibly still to be applied in that snapshot is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel

from lockgate.engine.sqlerrors import explain
from lockgate.errors import LockgateError
from lockgate.mapping import culprits, poison
from lockgate.mapping.changelog import SEGMENTS
from lockgate.mapping.compiled import Compiled, as_held, equal, equal_as_held, names
from lockgate.mapping.group import Group
from lockgate.mapping.hashing import hash_of, hash_of_key
from lockgate.mapping.intake import Intake
from lockgate.mapping.queries import first_number
from lockgate.mapping.statements import desired, key_json

_ROWS_PER_BUCKET = 32
_EXAMPLES = 5
# Stands for the table itself where its mappings are told by their numbers.
_HELD = -1


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a comparison found.

    :param missing: keys that are yielded and not in the target.
    :param different: keys whose row is not what is yielded.
    :param extra: rows of the target that nothing yields, without those born in the new model.
    :param pending: keys among the differences that were visibly still to be applied.
    :param poisoned: keys that the target refuses; they count as missing or different, too.
    :param conflicts: keys that both models wrote differently, and of which the old one's row stands.
    :param yields: rows that each mapping of the target yields.
    :param identical: whether both sides agreed in every bucket at once: then no key is yielded twice.
    :param examples: some keys that are wrong, as JSON.
    """

    missing: int
    different: int
    extra: int
    pending: int
    poisoned: int
    conflicts: int
    born: int
    yields: tuple[int, ...]
    compared_rows: int
    target_rows: int
    buckets: int
    identical: bool
    examples: tuple[Any, ...]
    query: str

    @property
    def agrees(self) -> bool:
        """Whether mapping and table agree."""
        return not (self.missing or self.different or self.extra)


@contextmanager
def one_snapshot(conn: Connection[Any], group: Group) -> Iterator[None]:
    """A transaction with one snapshot, in which no log of the target is emptied behind its back.

    TRUNCATE is not bound by snapshots, so the logs are locked against it before the snapshot is taken.

    :raises DatabaseError: if the data is what the comparison fails on.
    """
    logs = [images.log for images in group.images.values()] + ([group.touched] if group.touched else [])
    tables = [log.table(segment) for log in logs for segment in SEGMENTS]
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with conn.transaction():
            if tables:
                conn.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS SHARE MODE".encode())
            yield
    except psycopg.Error as error:
        if not poison.is_refusal(error):
            raise
        raise _refused(conn, group, error) from None
    finally:
        conn.isolation_level = None


def _refused(conn: Connection[Any], group: Group, error: psycopg.Error) -> LockgateError:
    """The error, with the part that refuses, and some rows.

    The rows' keys stand in the hint alone, which is told to whoever runs the command and is not kept in the ledger.
    """
    yielding = " and ".join(mapping.name for mapping in group.compiled)
    what = f"What {yielding} yields cannot be compared with {group.evaluation.target.label}"
    found = culprits.find(conn, group.compiled)
    if found is None:
        return explain(error, group.compiled[0].definition.place("select"), what)
    what += f": it fails at {found.part} of mapping {found.mapping.name}"
    refusal = explain(error, found.mapping.definition.place("select"), what)
    if found.rows:
        source = found.mapping.driving_relation.label
        refusal.hint = f"Correct the mapping, or these rows of {source} and perhaps others: {'; '.join(found.rows)}"
    return refusal


def reconcile(conn: Connection[Any], group: Group, *, followed: bool = True) -> Reconciled:
    """Compare a target with its mappings, in the transaction of ``one_snapshot``.

    :param followed: whether what is logged will still be applied, and is no difference therefore.
    """
    return _Comparison(conn, group).run(followed=followed)


def doubtful(number: int) -> str:
    """The temporary table of one mapping's yields in the buckets that differed; there until the transaction ends."""
    return f"pg_temp.lockgate_doubtful_{number}"


class _Comparison:
    def __init__(self, conn: Connection[Any], group: Group) -> None:
        self.conn = conn
        self.group = group
        self.evaluation = group.evaluation
        self.first: Compiled = group.compiled[0]
        self.key = self.evaluation.key
        self.outputs = self.first.outputs
        self.target = self.evaluation.target.sql

    def mark(self, *, keep_extra: bool) -> int:
        buckets = self._bucket_count()
        self._fill_buckets(buckets)
        if not self._any_bucket():
            return 0
        key, wrong = names(self.key), self._wrong_rows(buckets)
        if keep_extra and not self.evaluation.updates_only:
            self._forgive_pending(wrong)  # those are looked at in any case, and may be stale
            taken = f"WITH w AS (DELETE FROM {wrong} WHERE lockgate_kind = 'extra' RETURNING {key})"
            keep = f"INSERT INTO {self.evaluation.born} ({key}) SELECT {key} FROM w ON CONFLICT ({key}) DO NOTHING"
            self.conn.execute(f"{taken} {keep}".encode())
        return self.conn.execute(
            f"INSERT INTO {self.group.recheck} ({key}, lockgate_fence) SELECT {key}, '0'::xid8 FROM {wrong}".encode()
        ).rowcount

    def run(self, *, followed: bool) -> Reconciled:
        buckets = self._bucket_count()
        yields, held = self._fill_buckets(buckets)
        identical = not self._any_bucket()
        wrong = None if identical else self._wrong_rows(buckets)
        found = self._judge(wrong, followed=followed) if wrong else (0, 0, 0, 0, ())
        return Reconciled(
            missing=found[0],
            different=found[1],
            extra=found[2],
            pending=found[3],
            poisoned=first_number(
                self.conn, "SELECT count(*) FROM lockgate.poison WHERE target_id = %s", self.group.target_id
            ),
            conflicts=first_number(
                self.conn, "SELECT count(*) FROM lockgate.conflicts WHERE target_id = %s", self.group.target_id
            ),
            born=self._born(),
            yields=yields,
            compared_rows=sum(yields),
            target_rows=held,
            buckets=buckets,
            identical=identical,
            examples=found[4],
            query=self._buckets_query(buckets),
        )

    def _born(self) -> int:
        if self.evaluation.updates_only:
            return 0
        there = f"SELECT FROM {self.target} AS t WHERE {equal(self.key, 't', 'b')}"
        return first_number(self.conn, f"SELECT count(*) FROM {self.evaluation.born} AS b WHERE EXISTS ({there})")

    def _fill_buckets(self, buckets: int) -> tuple[tuple[int, ...], int]:
        """Remember the buckets that differ; return the yields of each mapping and the rows of the target.

        A plain SELECT, because what inserts is never done by several processes of the server at once.
        """
        self.conn.execute(b"SELECT pg_catalog.set_config('work_mem', '128MB', true)")
        rows = self.conn.execute(self._buckets_query(buckets).encode()).fetchall()
        totals = next(row for row in rows if row[0] is None)
        self.conn.execute(b"DROP TABLE IF EXISTS pg_temp.lockgate_buckets")
        self.conn.execute(b"CREATE TEMPORARY TABLE lockgate_buckets (bucket bigint PRIMARY KEY) ON COMMIT DROP")
        self.conn.execute(
            "INSERT INTO pg_temp.lockgate_buckets SELECT * FROM unnest(%s::bigint[])",
            ([row[0] for row in rows if row[0] is not None],),
        )
        return tuple(int(count or 0) for count in totals[2:]), int(totals[1] or 0)

    def _bucket_count(self) -> int:
        rows = max(self.evaluation.target.estimated_rows, self.first.driving_relation.estimated_rows, 1.0)
        count = 64
        while count * _ROWS_PER_BUCKET < rows and count < 1 << 18:
            count *= 2
        return count

    def _buckets_query(self, buckets: int) -> str:
        """Hash both sides into buckets: those that differ, and one row of counts.

        Of a bucket the number of rows and the sum of their hashes are compared: sums, because equal pairs cancel
        in an exclusive or, and the number, because a sum alone could agree by chance. Both sides are read as one
        relation, of which the planner knows no number of buckets: it takes them for few then, and has several
        processes sum them up.
        """
        mappings = range(len(self.group.compiled))
        sources = [self._typed_yields(number) for number in mappings]
        sources.append(f"SELECT {_HELD} AS lockgate_prio, x.* FROM ({self._target_rows()}) AS x")
        hashed = (
            f"SELECT x.lockgate_prio AS p, {hash_of_key(self.key, 'x')} AS k, {hash_of(self.outputs, 'x')} AS h "
            f"FROM ({source}) AS x"
            for source in sources
        )
        sides = ", ".join(
            f"count(*) FILTER (WHERE {side}) AS {name}n, sum(h) FILTER (WHERE {side}) AS {name}h"
            for name, side in (("t", f"p = {_HELD}"), ("s", f"p <> {_HELD}"))
        )
        counts = ", ".join(f"count(*) FILTER (WHERE p = {i}) AS n{i}" for i in mappings)
        return (
            f"WITH b AS MATERIALIZED (SELECT k & {buckets - 1} AS b, {sides}, {counts} "
            f"FROM ({' UNION ALL '.join(hashed)}) AS x GROUP BY 1) "
            f"SELECT b, tn, {', '.join(f'n{i}' for i in mappings)} FROM b WHERE (sn, sh) IS DISTINCT FROM (tn, th) "
            f"UNION ALL SELECT NULL, sum(tn), {', '.join(f'sum(n{i})' for i in mappings)} FROM b"
        )

    def _typed_yields(self, number: int) -> str:
        mapping = self.group.compiled[number]
        items = ", ".join(f"{as_held(c, f'y.{c.sql}')} AS {c.sql}" for c in self.outputs)
        return f"SELECT {number} AS lockgate_prio, {items} FROM {mapping.keyed(mapping.select.render(), 'y')}"

    def _target_rows(self) -> str:
        rows = f"SELECT {names(self.outputs, 't')} FROM {self.target} AS t"
        if not self.evaluation.updates_only:
            return rows
        # Of a transform only the rows count that it speaks of.
        yields = " UNION ALL ".join(f"({mapping.apart(mapping.select.render())})" for mapping in self.group.compiled)
        return f"{rows} WHERE EXISTS (SELECT FROM ({yields}) AS y WHERE {equal_as_held(self.key, 't', 'y')})"

    def _any_bucket(self) -> bool:
        return first_number(self.conn, "SELECT count(*) FROM pg_temp.lockgate_buckets WHERE bucket IS NOT NULL") > 0

    def _wrong_rows(self, buckets: int) -> str:
        """Compare the rows of the buckets that differ; return the table of keys that are wrong."""
        table = f"pg_temp.lockgate_wrong_{self.group.target_id}"
        key = ", ".join(f"{c.sql} {c.plain_type}" for c in self.key)
        bare = table.removeprefix("pg_temp.")
        self.conn.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {bare} (lockgate_kind text, {key})".encode())
        self.conn.execute(f"TRUNCATE {table}".encode())

        def inside(alias: str) -> str:
            return f"({hash_of_key(self.key, alias)} & {buckets - 1}) IN (SELECT bucket FROM pg_temp.lockgate_buckets)"

        for number, mapping in enumerate(self.group.compiled):
            self.conn.execute(f"DROP TABLE IF EXISTS {doubtful(number)}".encode())
            self.conn.execute(
                f"CREATE TEMPORARY TABLE {doubtful(number).removeprefix('pg_temp.')} ON COMMIT DROP AS "
                f"SELECT y.* FROM {mapping.keyed(mapping.yields(), 'y')} AND {inside('y')}".encode()
            )
        typed = ", ".join(f"{as_held(c, f'd.{c.sql}')} AS {c.sql}" for c in self.outputs)
        kept = [doubtful(number) for number in range(len(self.group.compiled))]
        source = f"SELECT {typed} FROM ({desired(self.group.compiled, yields=kept)}) AS d"
        first = self.key[0].sql
        no_row = f"{{}}.{first} IS NOT DISTINCT FROM NULL"
        kind = (
            f"CASE WHEN {no_row.format('t')} THEN 'missing' WHEN {no_row.format('s')} THEN 'extra' ELSE 'different' END"
        )
        keys = ", ".join(f"coalesce(s.{c.sql}, t.{c.sql})" for c in self.key)
        self.conn.execute(
            f"INSERT INTO {table} (lockgate_kind, {names(self.key)}) SELECT {kind}, {keys} FROM ({source}) AS s "
            f"FULL JOIN (SELECT * FROM ({self._target_rows()}) AS x WHERE {inside('x')}) AS t "
            f"ON {equal_as_held(self.key, 't', 's')} "
            f"WHERE {no_row.format('s')} OR {no_row.format('t')} OR {self.evaluation.differs('s', 't')}".encode()
        )
        if self.evaluation.updates_only:
            self.conn.execute(f"DELETE FROM {table} WHERE lockgate_kind <> 'different'".encode())
        self.conn.execute(
            f"DELETE FROM {table} AS w USING {self.evaluation.born} AS b "
            f"WHERE w.lockgate_kind = 'extra' AND {equal(self.key, 'w', 'b')}".encode()
        )
        return table

    def _judge(self, table: str, *, followed: bool) -> tuple[int, int, int, int, tuple[Any, ...]]:
        pending = 0
        if followed and first_number(self.conn, f"SELECT count(*) FROM {table}"):
            pending = self._forgive_pending(table)
        rows = self.conn.execute(f"SELECT lockgate_kind, count(*) FROM {table} GROUP BY 1".encode()).fetchall()
        counts = {str(kind): int(count) for kind, count in rows}
        examples = self.conn.execute(
            f"SELECT {key_json(self.key, 'w')} FROM {table} AS w LIMIT {_EXAMPLES}".encode()
        ).fetchall()
        return (
            counts.get("missing", 0),
            counts.get("different", 0),
            counts.get("extra", 0),
            pending,
            tuple(row[0] for row in examples),
        )

    def _forgive_pending(self, table: str) -> int:
        """Take out the keys that logged changes and recheck entries of this very snapshot will still touch."""
        Intake(self.conn, self.group).collect_pending()
        pending = self.evaluation.candidates
        return self.conn.execute(
            f"DELETE FROM {table} AS w WHERE EXISTS (SELECT FROM {pending} AS c WHERE {equal(self.key, 'w', 'c')}) "
            f"OR EXISTS (SELECT FROM {self.group.recheck} AS r WHERE {equal(self.key, 'w', 'r')})".encode()
        ).rowcount


def mark_mismatches(conn: Connection[Any], group: Group, *, keep_extra: bool) -> int:
    """Compare, and put every key that is wrong into the table of keys to look at again; return how many.

    This is the repair after something that no log can tell: TRUNCATE, a partition attached, a log switched
    off. To be called in a transaction of the caller.

    :param keep_extra: take rows that nothing yields for the application's own, born in the new model.
    """
    return _Comparison(conn, group).mark(keep_extra=keep_extra)
