"""Comparing what the mappings yield with what the table holds, row by row, exactly, while writes go on.

Both sides are hashed into buckets in one snapshot; only buckets that differ are compared row by row; and what
is visibly still to be applied in that snapshot is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, IsolationLevel

from lockgate.catalog.relations import Column
from lockgate.mapping.changelog import SEGMENTS
from lockgate.mapping.compiled import Compiled, equal, names
from lockgate.mapping.group import Group
from lockgate.mapping.intake import Intake
from lockgate.mapping.statements import desired, key_json

_ROWS_PER_BUCKET = 32
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a comparison found.

    :param missing: keys that are yielded and not in the target.
    :param different: keys whose row is not what is yielded.
    :param extra: rows of the target that nothing yields, without those born in the new model.
    :param pending: keys among the differences that were visibly still to be applied.
    :param poisoned: keys that the target refuses; they count as missing or different, too.
    :param identical: whether both sides agreed in every bucket at once: then no key is yielded twice.
    :param examples: some keys that are wrong, as JSON.
    """

    missing: int
    different: int
    extra: int
    pending: int
    poisoned: int
    born: int
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
    """
    logs = [images.log for images in group.images.values()] + ([group.touched] if group.touched else [])
    tables = [log.table(segment) for log in logs for segment in SEGMENTS]
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with conn.transaction():
            if tables:
                conn.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS SHARE MODE".encode())
            yield
    finally:
        conn.isolation_level = None


def reconcile(conn: Connection[Any], group: Group) -> Reconciled:
    """Compare a target with its mappings, in the transaction of ``one_snapshot``.

    :raises psycopg.Error: if the SELECT fails on a row.
    """
    return _Comparison(conn, group).run()


def hash_of(columns: tuple[Column, ...], alias: str) -> str:
    """A hash of a row that differs when the stored form of any column does; NULL is not the empty text."""
    items = [f"{alias}.{c.sql}" if c.exact_hash else f"({alias}.{c.sql})::text" for c in columns]
    return f"pg_catalog.hash_record_extended(ROW({', '.join(items)}), 0)"


class _Comparison:
    def __init__(self, conn: Connection[Any], group: Group) -> None:
        self.conn = conn
        self.group = group
        self.evaluation = group.evaluation
        self.first: Compiled = group.compiled[0]
        self.key = self.evaluation.key
        self.outputs = self.first.outputs
        self.target = self.evaluation.target.sql

    def mark(self) -> int:
        buckets = self._bucket_count()
        self._fill_buckets(buckets)
        if not self._any_bucket():
            return 0
        key = names(self.key)
        return self.conn.execute(
            f"INSERT INTO {self.group.recheck} ({key}, fence) "
            f"SELECT {key}, '0'::xid8 FROM {self._wrong_rows(buckets)}".encode()
        ).rowcount

    def run(self) -> Reconciled:
        buckets = self._bucket_count()
        query = self._fill_buckets(buckets)
        row = self.conn.execute(
            b"SELECT coalesce(sum(source), 0)::bigint, coalesce(sum(target), 0)::bigint FROM pg_temp.lockgate_buckets "
            b"WHERE bucket IS NULL"
        ).fetchone()
        assert row is not None
        compared, held = int(row[0]), int(row[1])
        identical = not self._any_bucket()
        wrong = None if identical else self._wrong_rows(buckets)
        found = self._judge(wrong) if wrong else (0, 0, 0, 0, ())
        return Reconciled(
            missing=found[0],
            different=found[1],
            extra=found[2],
            pending=found[3],
            poisoned=self._number("SELECT count(*) FROM lockgate.poison WHERE target_id = %s", self.group.target_id),
            born=self._born(),
            compared_rows=compared,
            target_rows=held,
            buckets=buckets,
            identical=identical,
            examples=found[4],
            query=query,
        )

    def _born(self) -> int:
        if self.evaluation.updates_only:
            return 0
        there = f"SELECT FROM {self.target} AS t WHERE {equal(self.key, 't', 'b')}"
        return self._number(f"SELECT count(*) FROM {self.evaluation.born} AS b WHERE EXISTS ({there})")

    def _fill_buckets(self, buckets: int) -> str:
        query = self._buckets_query(buckets)
        self.conn.execute(b"SELECT pg_catalog.set_config('work_mem', '128MB', true)")
        self.conn.execute(
            b"CREATE TEMPORARY TABLE IF NOT EXISTS lockgate_buckets (bucket bigint, source bigint, target bigint)"
        )
        self.conn.execute(b"TRUNCATE pg_temp.lockgate_buckets")
        self.conn.execute(f"INSERT INTO pg_temp.lockgate_buckets {query}".encode())
        return query

    def _bucket_count(self) -> int:
        rows = max(self.evaluation.target.estimated_rows, self.first.driving_relation.estimated_rows, 1.0)
        count = 64
        while count * _ROWS_PER_BUCKET < rows and count < 1 << 18:
            count *= 2
        return count

    def _buckets_query(self, buckets: int) -> str:
        """Count and hash sum of each bucket on both sides; the buckets that differ, and a row of totals."""
        bucket = f"pg_catalog.hash_record_extended(ROW({self._key_text('x')}), 0) & {buckets - 1}"
        row = f"{hash_of(self.outputs, 'x')}::numeric"
        source = " UNION ALL ".join(self._typed_yields(mapping) for mapping in self.group.compiled)
        target = self._target_rows()
        summed = f"SELECT {bucket} AS b, count(*) AS n, sum({row}) AS h"
        return (
            f"WITH s AS MATERIALIZED ({summed} FROM ({source}) AS x GROUP BY 1), "
            f"t AS MATERIALIZED ({summed} FROM ({target}) AS x GROUP BY 1) "
            "SELECT coalesce(s.b, t.b), s.n, t.n FROM s FULL JOIN t ON s.b = t.b "
            "WHERE (s.n, s.h) IS DISTINCT FROM (t.n, t.h) "
            "UNION ALL SELECT NULL, (SELECT sum(n) FROM s), (SELECT sum(n) FROM t)"
        )

    def _key_text(self, alias: str) -> str:
        return ", ".join(f"{alias}.{c.sql}" if c.exact_hash else f"({alias}.{c.sql})::text" for c in self.key)

    def _typed_yields(self, mapping: Compiled) -> str:
        items = ", ".join(f"y.{c.sql}::{c.type} AS {c.sql}" for c in self.outputs)
        return f"SELECT {items} FROM ({mapping.select.render()}) AS y WHERE {mapping.not_null('y')}"

    def _target_rows(self) -> str:
        rows = f"SELECT {names(self.outputs, 't')} FROM {self.target} AS t"
        if not self.evaluation.updates_only:
            return rows
        # Of a transform only the rows count that it speaks of.
        yields = " UNION ALL ".join(f"({mapping.select.render()})" for mapping in self.group.compiled)
        return f"{rows} WHERE EXISTS (SELECT FROM ({yields}) AS y WHERE {equal(self.key, 't', 'y')})"

    def _any_bucket(self) -> bool:
        return self._number("SELECT count(*) FROM pg_temp.lockgate_buckets WHERE bucket IS NOT NULL") > 0

    def _wrong_rows(self, buckets: int) -> str:
        """Compare the rows of the buckets that differ; return the table of keys that are wrong."""
        table = f"pg_temp.lockgate_wrong_{self.group.target_id}"
        key = ", ".join(f"{c.sql} {c.plain_type}" for c in self.key)
        bare = table.removeprefix("pg_temp.")
        self.conn.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {bare} (lockgate_kind text, {key})".encode())
        self.conn.execute(f"TRUNCATE {table}".encode())
        named = "SELECT bucket FROM pg_temp.lockgate_buckets WHERE bucket IS NOT NULL"

        def inside(alias: str) -> str:
            return f"(pg_catalog.hash_record_extended(ROW({self._key_text(alias)}), 0) & {buckets - 1}) IN ({named})"

        typed = ", ".join(f"d.{c.sql}::{c.type} AS {c.sql}" for c in self.outputs)
        source = f"SELECT {typed} FROM ({desired(self.group.compiled, None)}) AS d"
        first = self.key[0].sql
        kind = f"CASE WHEN t.{first} IS NULL THEN 'missing' WHEN s.{first} IS NULL THEN 'extra' ELSE 'different' END"
        keys = ", ".join(f"coalesce(s.{c.sql}, t.{c.sql})" for c in self.key)
        self.conn.execute(
            f"INSERT INTO {table} (lockgate_kind, {names(self.key)}) SELECT {kind}, {keys} "
            f"FROM (SELECT * FROM ({source}) AS x WHERE {inside('x')}) AS s "
            f"FULL JOIN (SELECT * FROM ({self._target_rows()}) AS x WHERE {inside('x')}) AS t "
            f"ON {equal(self.key, 's', 't')} "
            f"WHERE s.{self.key[0].sql} IS NULL OR t.{self.key[0].sql} IS NULL "
            f"OR {self.evaluation.differs('s', 't')}".encode()
        )
        if self.evaluation.updates_only:
            self.conn.execute(f"DELETE FROM {table} WHERE lockgate_kind <> 'different'".encode())
        self.conn.execute(
            f"DELETE FROM {table} AS w USING {self.evaluation.born} AS b "
            f"WHERE w.lockgate_kind = 'extra' AND {equal(self.key, 'w', 'b')}".encode()
        )
        return table

    def _judge(self, table: str) -> tuple[int, int, int, int, tuple[Any, ...]]:
        pending = 0
        if self._number(f"SELECT count(*) FROM {table}"):
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

    def _number(self, statement: str, *values: Any) -> int:
        row = self.conn.execute(statement.encode(), values or None).fetchone()
        return int(row[0]) if row else 0


def mark_mismatches(conn: Connection[Any], group: Group) -> int:
    """Compare, and put every key that is wrong into the table of keys to look at again; return how many.

    This is the repair after something that no log can tell: TRUNCATE, a partition attached, a log switched
    off. To be called in a transaction of the caller.
    """
    return _Comparison(conn, group).mark()
