"""Marking the database before a provider takes a snapshot of it: what a copy must hold, and how old it can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from lockgate.backup.make import refuse_foreign
from lockgate.catalog import document, tables
from lockgate.catalog.content import content
from lockgate.catalog.tables import Table
from lockgate.engine.context import Progress
from lockgate.engine.evidence import Evidence
from lockgate.engine.recording import evidence
from lockgate.engine.session import Sessions
from lockgate.ledger import backups, require_home, schemas
from lockgate.ledger.backups import Mark

_LEDGER = "lockgate"


def mark(sessions: Sessions, plan: str, patterns: Sequence[str], progress: Progress) -> Mark:
    """Measure tables, one after the other and without a lock, and then write the mark.

    In this order: what was not written to between its measuring and the proof is in every copy that holds the mark
    as it was measured.

    :raises PlanError: for a pattern that fits nothing, or a table with rows on another server.
    """
    with sessions.open("mark") as conn:
        require_home(conn)
        chosen = [table for table in tables.choose(conn, patterns) if table.schema != _LEDGER]
        refuse_foreign(chosen)
        schema = document.read(conn, passing=False)
        progress.event(f"counts and hashes {len(chosen)} tables")
        measured = {table.label: _measured(conn, table) for table in chosen}
        with conn.transaction():
            schemas.keep(conn, schema.digest, schema.to_json())
            made = backups.mark(
                conn, plan=plan, at=sessions.clock.of(conn), chosen=patterns, schema=schema.digest, tables=measured
            )
            facts = {
                "at": made.at,
                "chosen": list(patterns),
                "token": str(made.token),
                "schema": made.schema,
                "tables": measured,
            }
            query = "count and hash of each table, then INSERT INTO lockgate.marks"
            evidence(conn, plan, None, None, [Evidence(f"backup_mark:{made.id}", query, facts)], run_id=None)
    return made


def _measured(conn: Connection[Any], table: Table) -> dict[str, Any]:
    stay = conn.execute("SELECT id FROM lockgate.archived WHERE relid = %s", (table.oid,)).fetchone()
    held = content(conn, table.oid)
    return {
        "schema": table.schema,
        "name": table.name,
        "archived": stay[0] if stay else None,
        "rows": held.rows,
        "way": held.way,
        "hash": held.hash,
    }
