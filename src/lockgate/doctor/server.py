"""The server and the role: can Lockgate work here, and does something stand in its way?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection, sql

from lockgate.doctor.findings import Finding, fail, ok, warn
from lockgate.doctor.queries import rows
from lockgate.engine import health
from lockgate.engine.preflight import Server
from lockgate.plan.models import Settings

OLD_TRANSACTION = 60.0
"""Seconds after which an open transaction is worth knowing about."""


def server(found: Server) -> Iterator[Finding]:
    """What the preflight saw; it raises for whatever makes the database unusable."""
    yield ok("server", f"PostgreSQL {found.version}, database {found.database}, no pooler in between, no replica")


def role(conn: Connection[Any]) -> Iterator[Finding]:
    """Whether the role may make (or owns) the ledger, and may see who is in the way."""
    row = rows(conn, "role")[0]
    name = sql.Identifier(row.role).as_string(conn)
    database = sql.Identifier(row.database).as_string(conn)
    if row.owns_ledger is False:
        yield fail("role", f"role {row.role} does not own Lockgate's schema", "Connect as the role that runs the plan.")
    elif row.owns_ledger is None and not row.may_create:
        yield fail(
            "role",
            f"role {row.role} may not create schema lockgate",
            f"As the database's owner: GRANT CREATE ON DATABASE {database} TO {name};",
        )
    else:
        yield ok("role", f"role {row.role} may keep the ledger")
    if not row.sees_all:
        yield warn(
            "role",
            f"role {row.role} cannot see other sessions' queries: a blocker is named without its query",
            f"GRANT pg_read_all_stats TO {name};",
        )


def signals(conn: Connection[Any], settings: Settings) -> Iterator[Finding]:
    """The health signals that hold the work."""
    for signal in health.examine(conn, settings, health.looks(settings)):
        if signal.verdict is health.Verdict.HOLD:
            yield warn("health", signal.reason, "An apply holds its work until this is better.")
        elif signal.verdict is health.Verdict.UNKNOWN:
            yield warn("health", signal.reason, "The work does not wait for what it cannot see.")
        else:
            yield ok("health", signal.reason)


def sessions(conn: Connection[Any]) -> Iterator[Finding]:
    """Old and prepared transactions: strong locks wait for them, and vacuum does too."""
    old = rows(conn, "old_transactions", seconds=OLD_TRANSACTION)
    for row in old:
        yield warn(
            "sessions",
            f"process {row.pid} of role {row.role} ({row.state}) has had a transaction open for {row.seconds:.0f} s",
            f"End it if nobody needs it: SELECT pg_terminate_backend({row.pid});",
        )
    prepared = rows(conn, "prepared")
    for row in prepared:
        gid = sql.Literal(row.gid).as_string(conn)
        yield warn(
            "sessions",
            f"prepared transaction {gid} has been waiting for {row.seconds:.0f} s",
            f"Finish it: COMMIT PREPARED {gid}; or ROLLBACK PREPARED {gid};",
        )
    if not old and not prepared:
        yield ok("sessions", "no transaction is old or prepared")


def indexes(conn: Connection[Any]) -> Iterator[Finding]:
    """Indexes that are there and serve nothing."""
    found = rows(conn, "invalid_indexes")
    for row in found:
        yield fail(
            "indexes",
            f"index {row.index} of {row.of_table} is invalid: writes pay for it and no query uses it",
            f"DROP INDEX CONCURRENTLY {row.index}; then build it again. An unfinished step does so by itself.",
        )
    if not found:
        yield ok("indexes", "all indexes are valid")
