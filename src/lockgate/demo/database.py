"""Where the demo's data live: a server started for it, or a database of its own on a server that was named."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.embedded import EmbeddedServer
from lockgate.engine.address import describe
from lockgate.engine.session import Sessions
from lockgate.errors import PrivilegeMissing

# A checkpoint in the middle would be measured as if the plan had caused it.
_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "max_connections": "60"}


@dataclass(frozen=True, slots=True)
class DemoDatabase:
    """An empty database.

    :ivar dsn: its address as its owner. It may hold a password and is never shown.
    :ivar service_role: a role for the service, to be made by the project; removed with the database.
    :ivar place: where it is, for people.
    :ivar kept: where it will be afterwards, for people; None if it goes.
    :ivar named: the address of the server that was named; None if the server is the demo's own.
    """

    dsn: str
    service_role: str
    service_password: str
    place: str
    kept: str | None
    named: str | None = None

    @property
    def service_dsn(self) -> str:
        """Its address as the service."""
        return make_conninfo(self.dsn, user=self.service_role, password=self.service_password)


@contextmanager
def on_own_server(keep: bool, name: str) -> Iterator[DemoDatabase]:
    """A database of this name on a server that is started now and stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="lockgate-demo-"))
    try:
        with EmbeddedServer(folder, settings=_SETTINGS) as server:
            with psycopg.connect(server.dsn(), autocommit=True) as admin:
                _create(admin, name)
            yield DemoDatabase(
                dsn=make_conninfo(server.dsn(name)),
                service_role="party_service",
                service_password=secrets.token_urlsafe(18),
                place=f"an embedded PostgreSQL in {folder}",
                kept=f"{folder}, database {name}" if keep else None,
            )
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def on_server(dsn: str, keep: bool) -> Iterator[DemoDatabase]:
    """A database, and a role, on the server of ``dsn``; both go at the end, unless kept.

    :raises ConnectionFailed: if there is no usable server.
    :raises PrivilegeMissing: if this role may not make them.
    """
    sessions = Sessions(dsn)
    name = f"lockgate_demo_{secrets.token_hex(4)}"
    with sessions.open("demo") as admin:
        _require_rights(admin)
        _create(admin, name)
    database = make_conninfo(dsn, dbname=name)
    try:
        yield DemoDatabase(
            dsn=database,
            service_role=name,
            service_password=secrets.token_urlsafe(18),
            place=describe(database),
            kept=f"database and role {name} on {describe(dsn)}" if keep else None,
            named=dsn,
        )
    finally:
        if not keep:
            with sessions.open("demo") as admin:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
                admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


@contextmanager
def beside(dsn: str, keep: bool) -> Iterator[str]:
    """The address of another empty database on the server of ``dsn``, which goes at the end, unless kept."""
    name = f"{conninfo_to_dict(dsn)['dbname']}_old"
    with psycopg.connect(dsn, autocommit=True) as admin:
        _create(admin, name)
        try:
            yield make_conninfo(dsn, dbname=name)
        finally:
            if not keep:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def copied(database: DemoDatabase) -> Iterator[str]:
    """The address of a copy of the database as it is, to which nobody may be connected; the copy goes at the end."""
    name = f"{conninfo_to_dict(database.dsn)['dbname']}_copy"
    copy, original = sql.Identifier(name), sql.Identifier(str(conninfo_to_dict(database.dsn)["dbname"]))
    # From another database of the server: one to which somebody is connected cannot be copied.
    with psycopg.connect(database.named or make_conninfo(database.dsn, dbname="postgres"), autocommit=True) as admin:
        by_files = sql.SQL(" STRATEGY file_copy" if admin.info.server_version >= 150_000 else "")
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}{}").format(copy, original, by_files))
        try:
            yield make_conninfo(database.dsn, dbname=name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(copy))


def _create(admin: Connection[Any], name: str) -> None:
    # template0, because names are written in UTF-8 whatever the server's own encoding is.
    admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name)))


def _require_rights(admin: Connection[Any]) -> None:
    row = admin.execute(
        "SELECT current_user, rolsuper OR rolcreatedb, rolsuper OR rolcreaterole"
        " FROM pg_catalog.pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None
    role, creates_databases, creates_roles = row
    if not (creates_databases and creates_roles):
        raise PrivilegeMissing(
            f"Role {role} may not make a database and a role for the demo",
            where=describe(admin.info.dsn),
            hint=f"ALTER ROLE {role} CREATEDB CREATEROLE; or leave --database out.",
        )
