"""Whether a database can be used at all, and messages that say why not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

from lockgate.engine.address import describe, redact
from lockgate.errors import ConnectionFailed, PrivilegeMissing

OLDEST, NEWEST = 14, 18


@dataclass(frozen=True, slots=True)
class Server:
    """What a preflight found.

    :param version_num: as ``server_version_num``, such as 180006.
    """

    version_num: int
    version: str
    database: str
    role: str
    superuser: bool

    @property
    def major(self) -> int:
        """Major version, such as 18."""
        return self.version_num // 10_000


_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"password authentication failed|no password supplied|SASL|authentication failed",
        "The password was not accepted",
        "Set PGPASSWORD or an entry in ~/.pgpass, or correct the one in the address.",
    ),
    (
        r'role "[^"]*" does not exist',
        "The role does not exist",
        "Name an existing role: postgresql://ROLE@host/name.",
    ),
    (
        r'database "[^"]*" does not exist',
        "The database does not exist",
        "Check the name at the end of the address; `psql -l` lists the databases.",
    ),
    (
        r"no pg_hba\.conf entry",
        "The server does not let this role in from here",
        "Add an entry to pg_hba.conf (or the provider's access list), or set sslmode=require.",
    ),
    (
        r"not permitted to log in|permission denied for database",
        "The role may not connect",
        "As an administrator: ALTER ROLE ... LOGIN; GRANT CONNECT ON DATABASE ... TO ....",
    ),
    (
        r"too many clients|remaining connection slots|too many connections",
        "The server has no free connection",
        "Close some, or raise max_connections; Lockgate needs about six plus one a worker.",
    ),
    (
        r"starting up|shutting down|in recovery mode|not yet accepting",
        "The server is not ready",
        "Try again when it has started.",
    ),
    (
        r"SSL|certificate",
        "The encrypted connection could not be made",
        "Look at sslmode and sslrootcert of the address.",
    ),
    (
        r"could not translate host name|Name or service not known|nodename nor servname|failure in name",
        "The host name is not known",
        "Check the host in the address.",
    ),
    (
        r"refused|timeout expired|timed out|No route|unreachable|No such file|server closed the connection",
        "The database cannot be reached",
        "Is the server running, and are host and port right? `pg_isready -h HOST -p PORT` tells.",
    ),
)


def explain(error: psycopg.Error, dsn: str) -> ConnectionFailed:
    """A message for a connection that could not be made; the password is in none of it."""
    text = clean(str(error), dsn)
    for pattern, what, hint in _CAUSES:
        if re.search(pattern, text, re.I):
            return ConnectionFailed(what, where=describe(dsn), why=text, hint=hint)
    return ConnectionFailed("No connection to the database", where=describe(dsn), why=text, hint="Check the address.")


def clean(text: str, dsn: str) -> str:
    """``text`` on one line, without the password of ``dsn``."""
    password = conninfo_to_dict(dsn).get("password")
    if password:
        text = text.replace(str(password), "***")
    return " ".join(redact(text).split())


def refuse_pooler(conn: Connection[Any], dsn: str) -> None:
    """Refuse a connection that a pooler stands in.

    The process id that the client was told at its start differs from the one that answers, or two
    statements are answered by two processes.

    :raises ConnectionFailed: with what to ask for instead.
    """
    try:
        answers = {conn.execute("SELECT pg_catalog.pg_backend_pid()").fetchone() for _ in range(2)}
    except psycopg.OperationalError as error:
        raise explain(error, dsn) from None
    if answers != {(conn.info.backend_pid,)}:
        raise ConnectionFailed(
            "There is a connection pooler between Lockgate and the database",
            where=describe(dsn),
            why="The process that answers is not the one that the connection was opened to; "
            "session settings and locks would leak into other clients' sessions.",
            hint="Give the server's direct address: often port 5432, not 6432, or no '-pooler' in the host.",
        )


def examine(conn: Connection[Any], dsn: str) -> Server:
    """Look at version, role and replica state.

    :raises ConnectionFailed: for a replica, a read-only database or an unsupported version.
    """
    row = conn.execute(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"
        " current_database(), current_user, pg_is_in_recovery(),"
        " current_setting('transaction_read_only')::bool,"
        " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
    ).fetchone()
    assert row is not None
    number, version, database, role, replica, read_only, superuser = row
    refuse_version(number, version, dsn)
    if replica:
        raise ConnectionFailed(
            "This is a read-only replica",
            where=describe(dsn),
            why="pg_is_in_recovery() is true.",
            hint="Give the primary's address; target_session_attrs=read-write in the address finds it.",
        )
    if read_only:
        raise ConnectionFailed(
            "Transactions are read-only here",
            where=describe(dsn),
            why="default_transaction_read_only is on; some providers set it when the disk is full.",
            hint=f'ALTER ROLE "{role}" SET default_transaction_read_only = off; first look at the free disk.',
        )
    return Server(number, version, database, role, bool(superuser))


def refuse_version(number: int, version: str, dsn: str) -> None:
    """:raises ConnectionFailed: for a server older or newer than what was tested."""
    major = number // 10_000
    if OLDEST <= major <= NEWEST:
        return
    raise ConnectionFailed(
        f"PostgreSQL {version} is not supported",
        where=describe(dsn),
        why=f"Lockgate was tested with PostgreSQL {OLDEST} to {NEWEST}.",
        hint="Upgrade the server." if major < OLDEST else "Look for a newer Lockgate.",
    )


def require_create(conn: Connection[Any]) -> None:
    """:raises PrivilegeMissing: if the role may not make the ledger's schema, with the GRANT that helps."""
    row = conn.execute(
        "SELECT current_database(), current_user, has_database_privilege(current_database(), 'CREATE'),"
        " to_regnamespace('lockgate') IS NOT NULL"
    ).fetchone()
    assert row is not None
    database, role, may_create, exists = row
    if may_create or exists:
        return
    grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {};").format(sql.Identifier(database), sql.Identifier(role))
    raise PrivilegeMissing(
        f"Role {role} may not create the schema that holds Lockgate's ledger",
        where=f"database {database}",
        why="It lacks CREATE on the database.",
        hint=f"As the database's owner: {grant.as_string(conn)}",
    )
