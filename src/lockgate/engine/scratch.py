"""Databases that are gone afterwards: on a server that is named, or on a throw-away one of our own.

A process that is killed cannot clear up. The next one that needs such a place does it: a database whose maker has no
session any more is dropped, a folder whose maker holds its lock no more is removed with the server in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from lockgate.embedded import EmbeddedServer
from lockgate.engine.queries import load
from lockgate.engine.session import Sessions
from lockgate.errors import DatabaseError, LockgateError

_OWNER = "owner"
_FOLDER = "lockgate-scratch-"


@contextmanager
def database(server: str, encoding: str = "UTF8", *, like: str | None = None) -> Iterator[Sessions]:
    """A new database on a server.

    :param server: the address of any database there; its role may create databases.
    :param like: a database there, of which it is to be a copy with all rows. Default: it is empty.
    :raises DatabaseError: if none can be made.
    """
    called = f"lockgate_scratch_{secrets.token_hex(6)}"
    name = sql.Identifier(called)
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}").format(name, sql.Literal(encoding))
    if like is not None:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(like))
    # Its session's name tells everybody that the database is in use.
    with Sessions(server).open(f"scratch:{called}") as admin:
        _drop_left(admin)
        try:
            admin.execute(create)
        except psycopg.Error as error:
            raise _not_made(error, like) from error
        try:
            yield Sessions(make_conninfo(server, dbname=called))
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def _not_made(error: psycopg.Error, like: str | None) -> DatabaseError:
    why = ". ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
    if like is None:
        hint = "Name a server with --on whose role may create databases."
    else:
        hint = "It must be on the server of --on, nobody may be connected to it, and you must own it."
    what = "No scratch database can be made" if like is None else f"Database {like} cannot be copied"
    return DatabaseError(what, why=why, hint=hint)


@contextmanager
def folder(bytes_wanted: int = 0) -> Iterator[Path]:
    """A temporary folder for a server's data.

    :raises LockgateError: if its disk has not that much space.
    """
    _remove_left(Path(tempfile.gettempdir()))
    # Locked before it has the name by which others look for it.
    new = Path(tempfile.mkdtemp(prefix="lockgate-new-"))
    owner = (new / _OWNER).open("w")
    fcntl.flock(owner, fcntl.LOCK_EX)
    place = new.rename(new.with_name(f"{_FOLDER}{secrets.token_hex(4)}"))
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
        owner.close()


def _drop_left(admin: Connection[Any]) -> None:
    """Drop databases of ours whose maker was killed; what cannot be dropped now is left to the next."""
    for (name,) in admin.execute(load("scratch_left")).fetchall():
        with contextlib.suppress(psycopg.Error):
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _remove_left(where: Path) -> None:
    """Remove folders of ours whose maker was killed, and end the servers in them."""
    for place in where.glob(f"{_FOLDER}*"):
        with contextlib.suppress(OSError, LockgateError):
            if place.is_symlink() or place.stat().st_uid != os.getuid():
                continue
            with (place / _OWNER).open("r+") as owner:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its maker lives
                EmbeddedServer(place).stop()
                shutil.rmtree(place)


@contextmanager
def own(bytes_wanted: int = 0, encoding: str = "UTF8") -> Iterator[Sessions]:
    """A new database on a throw-away server of our own.

    :raises LockgateError: without the embedded server, or the space for it.
    """
    with folder(bytes_wanted) as place, EmbeddedServer(place) as server, database(server.dsn(), encoding) as made:
        yield made
