"""The proof of a copy: every table on both sides in full, and whose doing it is where they differ."""

from __future__ import annotations

import threading
from typing import Any

from psycopg import Connection, IsolationLevel

from lockgate.checks.base import CheckContext, CheckResult
from lockgate.copying import comparing
from lockgate.copying.comparing import Difference
from lockgate.copying.definition import named
from lockgate.engine.evidence import Evidence
from lockgate.errors import LedgerError
from lockgate.ledger import copies
from lockgate.ledger.copies import TableRow


def judge(ctx: CheckContext, conn: Connection[Any], name: str) -> CheckResult:
    """Compare all tables of a copy, each side in one snapshot.

    What was written here after both agreed is no fault, as long as the other database is what it was then.

    :raises LedgerError: if the copy has not begun.
    """
    definition = named(ctx.loaded, name)
    copy = copies.find(conn, ctx.loaded.plan.plan, definition.name)
    if copy is None:
        raise LedgerError(f"copy {definition.name} has not begun", where=ctx.where, hint="run its phase first")
    known = copies.tables(conn, copy.id)
    source = definition.source(ctx.loaded, ctx.clock, ctx.progress, threading.Event())
    with source, source.transaction() as there:
        pairs = definition.pairs(conn, there).pairs
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        with conn.transaction():
            # It idles while the other database hashes.
            conn.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            found = [comparing.compare(conn, there, copy, pair) for pair in pairs]
    parts = [_sentence(difference, known.get(difference.pair.table.oid)) for difference in found]
    passed = all(_holds(difference, known.get(difference.pair.table.oid)) for difference in found)
    evidence = tuple(
        Evidence(f"compared:{difference.pair.table.label}", difference.queries, difference.facts())
        for difference in found
    )
    hint = "Copy again what differs: a further `copy` with `again`, when nobody writes to the other database."
    return CheckResult(passed, f"{definition.name}: {'; '.join(parts)}", evidence, None if passed else hint)


def _holds(found: Difference, row: TableRow | None) -> bool:
    if not found.found:
        return True
    return row is not None and row.source == found.source and not any((len(found.wanted) - found.missing, found.gone))


def _sentence(found: Difference, row: TableRow | None) -> str:
    said = [f"{found.pair.table.label}: {found.source_rows} rows"]
    if found.found and _holds(found, row):
        said.append(f"{len(found.clashing)} changed and {found.missing} deleted here since both agreed")
    elif found.found:
        counts = {
            "missing": found.missing,
            "different": len(found.wanted) - found.missing,
            "too many": len(found.gone),
            "written here and different": len(found.clashing),
        }
        said.append(", ".join(f"{count} {what}" for what, count in counts.items() if count))
    else:
        said.append("no difference")
    if found.born:
        said.append(f"{found.born} born here")
    return ", ".join(said)
