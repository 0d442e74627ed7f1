"""Databases that are gone afterwards: on a server that is named, or on a throw-away one of our own."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lockgate.embedded import EmbeddedServer
from lockgate.engine.session import Sessions
from lockgate.errors import DatabaseError, LockgateError


@contextmanager
def database(server: str, encoding: str = "UTF8") -> Iterator[Sessions]:
    """A new, empty database on a server.

    :param server: the address of any database there; its role may create databases.
    :raises DatabaseError: if none can be made.
    """
    name = sql.Identifier(f"lockgate_scratch_{secrets.token_hex(6)}")
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}").format(name, sql.Literal(encoding))
    with Sessions(server).open("scratch") as admin:
        try:
            admin.execute(create)
        except psycopg.Error as error:
            raise DatabaseError(
                "No scratch database can be made",
                why=error.diag.message_primary,
                hint="Name a server with --on whose role may create databases.",
            ) from error
        try:
            yield Sessions(make_conninfo(server, dbname=name.as_string(None).strip('"')))
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


@contextmanager
def folder(bytes_wanted: int = 0) -> Iterator[Path]:
    """A temporary folder for a server's data.

    :raises LockgateError: if its disk has not that much space.
    """
    place = Path(tempfile.mkdtemp(prefix="lockgate-scratch-"))
    try:
        free = shutil.disk_usage(place).free
        if free < bytes_wanted:
            raise LockgateError(
                "There is not enough space for a scratch database",
                where=str(place.parent),
                why=f"It takes {bytes_wanted / 2**20:.0f} MiB, and {free / 2**20:.0f} MiB are free.",
                hint="Set TMPDIR to a folder on a larger disk, or name a server with --on.",
            )
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def own(bytes_wanted: int = 0, encoding: str = "UTF8") -> Iterator[Sessions]:
    """A new database on a throw-away server of our own.

    :raises LockgateError: without the embedded server, or the space for it.
    """
    with folder(bytes_wanted) as place, EmbeddedServer(place) as server, database(server.dsn(), encoding) as made:
        yield made
