"""Accounting: what became of every row of the driving relation, from the present state, in one snapshot.

A row is *migrated* if it wins at least one key, *merged* if it yields and others win all its keys, else
*rejected*, for the first declared reason that holds. Each class is counted by itself, so that the sum is a
check. Rejected rows are kept whole, merged ones with the key that they went into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.mapping.compiled import Compiled, equal_as_held, names, names_as_held
from lockgate.mapping.group import Group
from lockgate.mapping.queries import first_number
from lockgate.mapping.reconcile import Reconciled, doubtful
from lockgate.mapping.statements import key_json
from lockgate.sql.tree import literal, quote

UNDECLARED = "no declared reason"
NULL_KEY = "null key"


@dataclass(frozen=True, slots=True)
class Accounts:
    """Where the rows of one mapping's driving relation went.

    :param of: what ``source_rows`` counts: of a SELECT that is copied whole nobody can tell which row of its source
        became which, so that the rows that it yields are accounted for instead.
    :param yields: rows that the mapping yields; ``won`` of them keep their key.
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
    born: int
    target_rows: int
    unexplained: int
    query: str
    of: str = "source rows"

    @property
    def adds_up(self) -> bool:
        """Whether every row is accounted for, counted each way."""
        return self.migrated + self.merged + self.rejected == self.source_rows and self.unexplained == 0


def account(conn: Connection[Any], group: Group, compiled: Compiled, found: Reconciled) -> Accounts:
    """Account for every source row of one mapping and renew its quarantine, in the open transaction's snapshot.

    :param found: the comparison in the same snapshot; where no bucket differed, no key is yielded twice.
    """
    conn.execute(b"SELECT pg_catalog.set_config('work_mem', '128MB', true)")
    conn.execute("DELETE FROM lockgate.quarantine WHERE plan = %s AND mapping = %s", (group.plan, compiled.name))
    lost = 0 if found.identical else _keep_losers(conn, group, compiled)
    if compiled.select.whole:
        return _account_yields(conn, group, compiled, found, lost)
    merged = _keep_merged(conn, group, compiled) if lost else 0
    rejected = _keep_rejected(conn, group, compiled)
    yields = found.yields[group.compiled.index(compiled)]
    yielding = first_number(conn, yielding_query(compiled)) if compiled.fan_out else yields
    return Accounts(
        source_rows=first_number(conn, f"SELECT count(*) FROM {compiled.driving_relation.sql}"),
        migrated=yielding - merged,
        merged=merged,
        rejected=sum(rejected.values()),
        rejected_by_reason=rejected,
        yields=yields,
        won=yields - lost,
        born=found.born,
        target_rows=first_number(conn, f"SELECT count(*) FROM {compiled.target.sql}"),
        unexplained=rejected.get(UNDECLARED, 0) + found.missing + found.different + found.extra,
        query=yielding_query(compiled),
    )


def _account_yields(conn: Connection[Any], group: Group, compiled: Compiled, found: Reconciled, lost: int) -> Accounts:
    """Account for what a SELECT yields that is copied whole; its yields have no rows to be kept in quarantine by."""
    query = f"SELECT count(*) FROM ({compiled.select.render()}) AS y"
    yields, every = found.yields[group.compiled.index(compiled)], first_number(conn, query)
    no_key = first_number(conn, f"{query} WHERE NOT ({compiled.not_null('y')})")
    return Accounts(
        source_rows=every,
        migrated=yields - lost,
        merged=lost,
        rejected=no_key,
        rejected_by_reason={NULL_KEY: no_key} if no_key else {},
        yields=yields,
        won=yields - lost,
        born=found.born,
        target_rows=first_number(conn, f"SELECT count(*) FROM {compiled.target.sql}"),
        unexplained=found.missing + found.different + found.extra,
        query=query,
        of="yielded rows",
    )


def _identity(compiled: Compiled, alias: str) -> list[str]:
    return [f"{alias}.lockgate_d{i}" for i in range(len(compiled.driving_identity("x")))]


def _same_row(compiled: Compiled, left: str, right: str) -> str:
    """The condition that ``left`` (a yield) comes from the driving row ``right``."""
    return compiled.same_driving_row(_identity(compiled, left), compiled.driving_identity(right))


def _same_yielder(compiled: Compiled, left: str, right: str) -> str:
    """The condition that two yields come from one driving row."""
    return compiled.same_driving_row(_identity(compiled, left), _identity(compiled, right))


def yielding_query(compiled: Compiled) -> str:
    """Count the driving rows that yield at all."""
    distinct = f"SELECT DISTINCT {', '.join(_identity(compiled, 'y'))}"
    return f"SELECT count(*) FROM ({distinct} FROM {compiled.keyed(compiled.yields(), 'y')}) AS x"


def beaten(conn: Connection[Any], group: Group) -> int:
    """How many of the rows that all mappings of a target yield do not keep their key, in the present state."""
    every = " UNION ALL ".join(
        f"SELECT {names_as_held(group.evaluation.key, 'y')} FROM {compiled.keyed(compiled.yields(), 'y')}"
        for compiled in group.compiled
    )
    repeated = (
        f"SELECT count(*) AS n FROM ({every}) AS y GROUP BY {names(group.evaluation.key, 'y')} HAVING count(*) > 1"
    )
    return first_number(conn, f"SELECT coalesce(sum(r.n - 1), 0) FROM ({repeated}) AS r")


def _keep_losers(conn: Connection[Any], group: Group, compiled: Compiled) -> int:
    """Find the yields of this mapping that do not keep their key, into a temporary table; return how many.

    A key that is yielded twice makes its bucket differ, so they are all among the doubtful yields.
    """
    key = compiled.key
    every = " UNION ALL ".join(
        f"SELECT {names_as_held(key, 'y')} FROM {doubtful(number)} AS y" for number in range(len(group.compiled))
    )
    conn.execute(b"DROP TABLE IF EXISTS pg_temp.lockgate_repeated, pg_temp.lockgate_losers")
    conn.execute(
        f"CREATE TEMPORARY TABLE lockgate_repeated AS SELECT {names(key, 'y')} FROM ({every}) AS y "
        f"GROUP BY {names(key, 'y')} HAVING count(*) > 1".encode()
    )
    ranked = " UNION ALL ".join(
        f"SELECT {number} AS lockgate_prio, {names_as_held(key, 'y')}, "
        f"row_number() OVER (PARTITION BY {names(key, 'y')} ORDER BY {mapping.order('y')}) AS lockgate_rank"
        f"{_own_identity(compiled, mapping)} "
        f"FROM {doubtful(number)} AS y JOIN pg_temp.lockgate_repeated AS r ON {equal_as_held(key, 'r', 'y')}"
        for number, mapping in enumerate(group.compiled)
    )
    mine = group.compiled.index(compiled)
    return conn.execute(
        f"CREATE TEMPORARY TABLE lockgate_losers AS SELECT * FROM (SELECT z.*, z.lockgate_rank = 1 AND z.lockgate_prio "
        f"= min(z.lockgate_prio) OVER (PARTITION BY {names(key, 'z')}) AS lockgate_won FROM ({ranked}) AS z) AS x "
        f"WHERE x.lockgate_prio = {mine} AND NOT x.lockgate_won".encode()
    ).rowcount


def _own_identity(compiled: Compiled, mapping: Compiled) -> str:
    types = compiled.driving_types()
    own = mapping is compiled
    items = [f"y.lockgate_d{i}" if own else f"NULL::{type_}" for i, type_ in enumerate(types)]
    return "".join(f", {item} AS lockgate_d{i}" for i, item in enumerate(items))


def _keep_merged(conn: Connection[Any], group: Group, compiled: Compiled) -> int:
    """Keep each driving row that won no key, with a key that it went into; return how many."""
    ids = ", ".join(_identity(compiled, "l"))
    won = (
        f"NOT EXISTS (SELECT FROM {compiled.keyed(compiled.yields(), 'y')} AND "
        f"{_same_yielder(compiled, 'y', 'l')} "
        f"AND NOT EXISTS (SELECT FROM pg_temp.lockgate_losers AS o WHERE {equal_as_held(compiled.key, 'o', 'y')} AND "
        f"{_same_yielder(compiled, 'o', 'y')}))"
    )
    losers = (
        f"SELECT {ids}, (pg_catalog.array_agg({key_json(compiled.key, 'l')}))[1] AS into_key "
        f"FROM pg_temp.lockgate_losers AS l {f'WHERE {won} ' if compiled.fan_out else ''}GROUP BY {ids}"
    )
    return conn.execute(
        "INSERT INTO lockgate.quarantine (plan, mapping, outcome, reason, source, into_key) "
        f"SELECT {literal(group.plan)}, {literal(compiled.name)}, 'merged', 'another row keeps the key', "
        f"{_source_json(compiled, 's')}, y.into_key FROM ({losers}) AS y "
        f"JOIN {compiled.driving_relation.sql} AS s ON {_same_row(compiled, 'y', 's')}".encode()
    ).rowcount


def _keep_rejected(conn: Connection[Any], group: Group, compiled: Compiled) -> dict[str, int]:
    """Keep each driving row that yields nothing, whole, with the first reason that holds; return them by reason."""
    alias = quote(compiled.driving.alias)
    same = _same_row(compiled, "lockgate_y", alias)  # the plan's own alias may be any other
    null_key = f"EXISTS (SELECT FROM ({compiled.yields()}) AS lockgate_y WHERE {same})"
    cases = "".join(
        f" WHEN ({condition}\n) THEN {literal(reason)}" for reason, condition in compiled.definition.rejected.items()
    )
    yielded = f"{compiled.keyed(compiled.yields(), 'lockgate_y')} AND {same}"
    counted_only = ", ".join(literal(reason) for reason in compiled.definition.not_kept)
    kept = f"WHERE r.reason NOT IN ({counted_only})" if counted_only else ""
    conn.execute(b"DROP TABLE IF EXISTS pg_temp.lockgate_rejected")
    conn.execute(
        f"CREATE TEMPORARY TABLE lockgate_rejected AS "
        f"SELECT CASE{cases} WHEN {null_key} THEN '{NULL_KEY}' ELSE '{UNDECLARED}' END AS reason, "
        f"{', '.join(f'{item} AS d{i}' for i, item in enumerate(compiled.driving_identity(alias)))} "
        f"FROM {compiled.driving_relation.sql} AS {alias} WHERE NOT EXISTS (SELECT FROM {yielded})".encode()
    )
    theirs = compiled.driving_identity("s")
    same = compiled.same_driving_row([f"r.d{i}" for i in range(len(theirs))], theirs)
    conn.execute(
        "INSERT INTO lockgate.quarantine (plan, mapping, outcome, reason, source, kept) "
        f"SELECT {literal(group.plan)}, {literal(compiled.name)}, 'rejected', r.reason, "
        f"{_source_json(compiled, 's')}, pg_catalog.to_jsonb(s.*) FROM pg_temp.lockgate_rejected AS r "
        f"JOIN {compiled.driving_relation.sql} AS s ON {same} {kept}".encode()
    )
    rows = conn.execute(b"SELECT reason, count(*) FROM pg_temp.lockgate_rejected GROUP BY reason ORDER BY reason")
    return {str(reason): int(count) for reason, count in rows}


def _source_json(compiled: Compiled, alias: str) -> str:
    """The identity of a driving row as a JSON object."""
    labels = compiled.driving_key or (("tableoid", "ctid") if compiled.driving_relation.kind == "p" else ("ctid",))
    items = compiled.driving_identity(alias)
    pairs = ", ".join(f"{literal(label)}, {item}::text" for label, item in zip(labels, items, strict=True))
    return f"pg_catalog.jsonb_build_object({pairs})"


def as_evidence(accounts: Accounts) -> dict[str, Any]:
    """The accounts as JSON values."""
    return {
        "of": accounts.of,
        "source_rows": accounts.source_rows,
        "migrated": accounts.migrated,
        "merged": accounts.merged,
        "rejected": accounts.rejected,
        "rejected_by_reason": dict(accounts.rejected_by_reason),
        "yields": accounts.yields,
        "yields_that_won": accounts.won,
        "born_in_new_model": accounts.born,
        "target_rows": accounts.target_rows,
        "unexplained_rows": accounts.unexplained,
        "adds_up": accounts.adds_up,
    }
