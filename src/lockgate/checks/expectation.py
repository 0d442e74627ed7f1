"""A query and what it must yield; gates and checks share it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.engine import sqlerrors
from lockgate.engine.evidence import Evidence
from lockgate.errors import CheckFailed
from lockgate.ledger import canonical
from lockgate.plan.models import QueryCheck, QueryGate, is_query

COUNTED = 10_000
"""Rows that are counted at most, to say how many there are where none should be."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the query yields what is expected, in words, and the evidence.

    :param value: what it yields, or how many rows; None if that is no number.
    """

    passed: bool
    what: str
    evidence: Evidence
    value: float | None


def judge(conn: Connection[Any], item: QueryGate | QueryCheck, where: str) -> Judgement:
    """Ask the query and compare.

    :raises LockgateError: if the query fails, or does not yield one value where one is expected.
    """
    name = item.title or " ".join(item.query.split())
    if item.expectation == "empty":
        return _judge_rows(conn, item, name, where)
    value = one_value(conn, item.query, where)
    query, expected = item.query, "NULL"
    match item.expectation:
        case "at_least":
            passed, expected = _compare(value, item.at_least, 1), f"at least {item.at_least:g}"
        case "at_most":
            passed, expected = _compare(value, item.at_most, -1), f"at most {item.at_most:g}"
        case _:
            wanted: Any = item.equals
            if is_query(item.equals):
                query = f"{item.query}\n-- equals\n{item.equals}"
                wanted = one_value(conn, str(item.equals), where)
            passed, expected = same(value, wanted), _shown(wanted)
    words = f"{name}: {_shown(value)}"
    what = words if passed else f"{words}, and it must be {expected}"
    result = {"value": value, "expected": expected, "passed": passed}
    return Judgement(passed, what, Evidence(name, query, result), _number(value))


def one_value(conn: Connection[Any], query: str, where: str) -> Any:
    """The one value that a query yields; None for no row.

    :raises LockgateError: if it fails, or yields several.
    """
    try:
        with conn.transaction(), conn.cursor(name="lockgate_value") as cursor:
            cursor.execute(query.encode())
            rows = cursor.fetchmany(2)
    except psycopg.Error as error:
        raise sqlerrors.explain(error, where, "The query failed") from error
    if len(rows) > 1 or (rows and len(rows[0]) != 1):
        found = "several rows" if len(rows) > 1 else f"{len(rows[0])} columns"
        raise CheckFailed(f"The query must yield one value, and yields {found}", where=where, hint="Correct the query.")
    return rows[0][0] if rows else None


def same(value: Any, wanted: Any) -> bool:
    """Whether a value is the one that is wanted; text that is wanted is compared with the value's text."""
    if value is None or wanted is None:
        return value is wanted
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(wanted, str) and not isinstance(value, str):
        return canonical.plain(value) == wanted or str(value) == wanted
    if isinstance(wanted, float) and isinstance(value, Decimal):
        return value == Decimal(repr(wanted))
    return bool(value == wanted)


def _judge_rows(conn: Connection[Any], item: QueryGate | QueryCheck, name: str, where: str) -> Judgement:
    try:
        with conn.transaction(), conn.cursor(name="lockgate_rows") as cursor:
            cursor.execute(item.query.encode())
            rows = len(cursor.fetchmany(COUNTED + 1))
    except psycopg.Error as error:
        raise sqlerrors.explain(error, where, "The query failed") from error
    passed = (rows == 0) is item.empty
    shown = f"more than {COUNTED}" if rows > COUNTED else str(rows)
    found = f"{name}: {shown} row{'' if rows == 1 else 's'}"
    what = found if passed else f"{found}, and there must be {'none' if item.empty else 'some'}"
    result = {"rows": min(rows, COUNTED), "more": rows > COUNTED, "empty": item.empty, "passed": passed}
    return Judgement(passed, what, Evidence(name, item.query, result), rows)


def _compare(value: Any, limit: float | None, sign: int) -> bool:
    if value is None or limit is None or isinstance(value, bool):
        return False
    try:
        return (float(value) - limit) * sign >= 0
    except (TypeError, ValueError):
        return False


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float | Decimal) else None


def _shown(value: Any) -> str:
    return "NULL" if value is None else str(value)
