"""Accounting: what became of every row of the driving relation, from the present state, in one snapshot.

A row is *migrated* if it wins at least one key, *merged* if it yields and others win all its keys, else
*rejected*, for the first declared reason that holds. Rejected rows are kept whole, merged ones with the key
that they went into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.mapping.compiled import Compiled, equal, names
from lockgate.mapping.group import Group
from lockgate.mapping.statements import key_json
from lockgate.sql.tree import literal, quote

UNDECLARED = "no declared reason"
NULL_KEY = "null key"


@dataclass(frozen=True, slots=True)
class Accounts:
    """Where the rows of one mapping's driving relation went.

    :param yields: rows that the mapping yields; ``won`` of them keep their key.
    :param explained: rows of the target that this mapping's yields explain.
    :param born: rows of the target that the application made in the new model (of the whole target).
    :param unexplained: source rows rejected for no declared reason, and rows on which both sides disagree.
    """

    source_rows: int
    migrated: int
    merged: int
    rejected: int
    rejected_by_reason: Mapping[str, int]
    yields: int
    won: int
    explained: int
    born: int
    target_rows: int
    unexplained: int
    query: str

    @property
    def adds_up(self) -> bool:
        """Whether every row is accounted for, counted each way."""
        return (
            self.migrated + self.merged + self.rejected == self.source_rows
            and sum(self.rejected_by_reason.values()) == self.rejected
            and self.unexplained == 0
        )


def account(conn: Connection[Any], group: Group, compiled: Compiled, differences: int) -> Accounts:
    """Account for every source row of one mapping and renew its quarantine, in the open transaction's snapshot.

    :param differences: rows on which mapping and table disagree in this snapshot.
    """
    conn.execute(b"SELECT pg_catalog.set_config('work_mem', '128MB', true)")
    query = outcomes_query(group, compiled)
    conn.execute(b"DROP TABLE IF EXISTS pg_temp.lockgate_outcomes")
    conn.execute(f"CREATE TEMPORARY TABLE lockgate_outcomes AS {query}".encode())
    counts = {
        str(kind): int(n)
        for kind, n in conn.execute(b"SELECT outcome, sum(rows) FROM pg_temp.lockgate_outcomes GROUP BY outcome")
    }
    rejected_by_reason = _keep_quarantine(conn, group, compiled)
    source = _number(conn, f"SELECT count(*) FROM {compiled.driving_relation.sql}")
    target_rows = _number(conn, f"SELECT count(*) FROM {compiled.target.sql}")
    born = (
        0
        if compiled.definition.updates_only
        else _number(
            conn,
            f"SELECT count(*) FROM {group.evaluation.born} AS b WHERE EXISTS "
            f"(SELECT FROM {compiled.target.sql} AS t WHERE {equal(compiled.key, 't', 'b')})",
        )
    )
    return Accounts(
        source_rows=source,
        migrated=counts.get("migrated", 0),
        merged=counts.get("merged", 0),
        rejected=counts.get("rejected", 0),
        rejected_by_reason=rejected_by_reason,
        yields=counts.get("yields", 0),
        won=counts.get("won", 0),
        explained=counts.get("explained", 0),
        born=born,
        target_rows=target_rows,
        unexplained=rejected_by_reason.get(UNDECLARED, 0) + differences,
        query=query,
    )


def _identity(compiled: Compiled, alias: str) -> str:
    return ", ".join(f"{alias}.lockgate_d{i}" for i in range(len(compiled.driving_identity("x"))))


def _all_yields(group: Group, mine: Compiled) -> str:
    """Yields of all mappings of the target as (prio, key, order), with the identity only of this mapping's."""
    outer = []
    for number, mapping in enumerate(group.compiled):
        own = mapping is mine
        count = len(mine.driving_identity("x"))
        identity = ", ".join(f"{f'y.lockgate_d{i}' if own else 'NULL'} AS lockgate_i{i}" for i in range(count))
        rank = (
            f"row_number() OVER (PARTITION BY {names(mapping.key, 'y')} ORDER BY {mapping.order('y')}) AS lockgate_rank"
        )
        outer.append(
            f"SELECT {number} AS lockgate_prio, {names(mine.key, 'y')}, {identity}, {rank} "
            f"FROM ({mapping.yields()}) AS y WHERE {mapping.not_null('y')}"
        )
    return " UNION ALL ".join(outer)


def outcomes_query(group: Group, compiled: Compiled) -> str:
    """The query that classes every row of the driving relation; one row a class with its count."""
    number = next(i for i, mapping in enumerate(group.compiled) if mapping is compiled)
    key = names(compiled.key, "y")
    identity = compiled.driving_identity("s")
    ids = ", ".join(f"y.lockgate_i{i}" for i in range(len(identity)))
    same = " AND ".join(f"o.lockgate_i{i} = {item}" for i, item in enumerate(identity))
    return (
        f"WITH y AS MATERIALIZED (SELECT y.*, y.lockgate_rank = 1 AND y.lockgate_prio = "
        f"min(y.lockgate_prio) OVER (PARTITION BY {key}) AS lockgate_won FROM ({_all_yields(group, compiled)}) AS y), "
        f"o AS MATERIALIZED (SELECT {ids}, bool_or(y.lockgate_won) AS won FROM y "
        f"WHERE y.lockgate_prio = {number} GROUP BY {ids}) "
        "SELECT CASE WHEN o.won THEN 'migrated' WHEN o.won IS NULL THEN 'rejected' ELSE 'merged' END AS outcome, "
        f"count(*) AS rows FROM {compiled.driving_relation.sql} AS s LEFT JOIN o ON {same} GROUP BY 1 "
        f"UNION ALL SELECT 'yields', count(*) FROM y WHERE y.lockgate_prio = {number} "
        f"UNION ALL SELECT 'won', count(*) FROM y WHERE y.lockgate_prio = {number} AND y.lockgate_won "
        f"UNION ALL SELECT 'explained', count(*) FROM y JOIN {compiled.target.sql} AS t "
        f"ON {equal(compiled.key, 't', 'y')} WHERE y.lockgate_prio = {number} AND y.lockgate_won"
    )


def _keep_quarantine(conn: Connection[Any], group: Group, compiled: Compiled) -> dict[str, int]:
    """Renew the quarantine of this mapping; return the rejected rows by reason."""
    place = (group.plan, compiled.name)
    conn.execute("DELETE FROM lockgate.quarantine WHERE plan = %s AND mapping = %s", place)
    conn.execute(_rejected_statement(compiled).encode(), place)
    conn.execute(_merged_statement(group, compiled).encode(), place)
    rows = conn.execute(
        "SELECT reason, count(*) FROM lockgate.quarantine WHERE plan = %s AND mapping = %s AND outcome = 'rejected' "
        "GROUP BY reason ORDER BY reason",
        place,
    ).fetchall()
    return {str(reason): int(count) for reason, count in rows}


def _source_json(compiled: Compiled, alias: str) -> str:
    """The identity of a driving row as a JSON object."""
    labels = compiled.driving_key or (("tableoid", "ctid") if compiled.driving_relation.kind == "p" else ("ctid",))
    items = compiled.driving_identity(alias)
    pairs = ", ".join(f"{literal(label)}, {item}::text" for label, item in zip(labels, items, strict=True))
    return f"pg_catalog.jsonb_build_object({pairs})"


def _rejected_statement(compiled: Compiled) -> str:
    alias = quote(compiled.driving.alias)
    identity = compiled.driving_identity(alias)
    same = " AND ".join(f"y.lockgate_d{i} = {item}" for i, item in enumerate(identity))
    null_key = f"EXISTS (SELECT FROM y WHERE {same})"
    cases = "".join(
        f" WHEN ({condition}\n) THEN {literal(reason)}".replace("%", "%%")
        for reason, condition in compiled.definition.rejected.items()
    )
    fits = f"{compiled.not_null('y')} AND {same}"
    return (
        f"WITH y AS MATERIALIZED ({compiled.yields().replace('%', '%%')}) "
        "INSERT INTO lockgate.quarantine (plan, mapping, outcome, reason, source, kept) "
        f"SELECT %s, %s, 'rejected', CASE{cases} WHEN {null_key} THEN '{NULL_KEY}' ELSE '{UNDECLARED}' END, "
        f"{_source_json(compiled, alias)}, pg_catalog.to_jsonb({alias}) "
        f"FROM {compiled.driving_relation.sql} AS {alias} WHERE NOT EXISTS (SELECT FROM y WHERE {fits})"
    )


def _merged_statement(group: Group, compiled: Compiled) -> str:
    number = next(i for i, mapping in enumerate(group.compiled) if mapping is compiled)
    key = names(compiled.key, "y")
    count = len(compiled.driving_identity("s"))
    ids = ", ".join(f"y.lockgate_i{i}" for i in range(count))
    same = " AND ".join(f"o.lockgate_i{i} = {item}" for i, item in enumerate(compiled.driving_identity("s")))
    yields = _all_yields(group, compiled).replace("%", "%%")
    return (
        f"WITH y AS MATERIALIZED (SELECT y.*, y.lockgate_rank = 1 AND y.lockgate_prio = "
        f"min(y.lockgate_prio) OVER (PARTITION BY {key}) AS lockgate_won FROM ({yields}) AS y), "
        f"o AS (SELECT {ids}, (pg_catalog.array_agg({key_json(compiled.key, 'y')}))[1] AS into_key FROM y "
        f"WHERE y.lockgate_prio = {number} GROUP BY {ids} HAVING NOT bool_or(y.lockgate_won)) "
        "INSERT INTO lockgate.quarantine (plan, mapping, outcome, reason, source, into_key) "
        f"SELECT %s, %s, 'merged', 'another row keeps the key', {_source_json(compiled, 's')}, o.into_key "
        f"FROM {compiled.driving_relation.sql} AS s JOIN o ON {same}"
    )


def _number(conn: Connection[Any], statement: str) -> int:
    row = conn.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0


def as_evidence(accounts: Accounts) -> dict[str, Any]:
    """The accounts as JSON values."""
    return {
        "source_rows": accounts.source_rows,
        "migrated": accounts.migrated,
        "merged": accounts.merged,
        "rejected": accounts.rejected,
        "rejected_by_reason": dict(accounts.rejected_by_reason),
        "yields": accounts.yields,
        "yields_that_won": accounts.won,
        "target_rows_explained": accounts.explained,
        "born_in_new_model": accounts.born,
        "target_rows": accounts.target_rows,
        "unexplained_rows": accounts.unexplained,
        "adds_up": accounts.adds_up,
    }
