"""The role that the service works as: it may use the lead database's tables and nothing else."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

SERVICE_ROLE = "party_service"


def create_service_role(conn: psycopg.Connection[Any], password: str, name: str = SERVICE_ROLE) -> None:
    """Make the role, or give the one that is there this password.

    :param conn: autocommit, to the database that the role will use, as a role that may create roles.
    :raises psycopg.Error: if the server refuses.
    """
    role = sql.Identifier(name)
    with_password = sql.SQL("WITH LOGIN PASSWORD {}").format(sql.Literal(password))
    try:
        conn.execute(sql.SQL("CREATE ROLE {} {}").format(role, with_password))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        conn.execute(sql.SQL("ALTER ROLE {} {}").format(role, with_password))


def grant_to_service(conn: psycopg.Connection[Any], name: str = SERVICE_ROLE) -> None:
    """Let the role use the tables of ``core``, those that this session's role makes later included."""
    role = sql.Identifier(name)
    for grant in (
        "GRANT USAGE ON SCHEMA core TO {}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA core TO {}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA core TO {}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA core GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA core GRANT USAGE ON SEQUENCES TO {}",
    ):
        conn.execute(sql.SQL(grant).format(role))
