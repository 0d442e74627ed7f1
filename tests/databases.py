"""Databases that live as long as a test, and templates that they are copies of."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.ledger import install

EMPTY = "template0"


@contextmanager
def another_database(server: str, template: str = EMPTY) -> Iterator[str]:
    """The address of a new database on the server that ``server`` is an address of, dropped after the block."""
    name = f"lockgate_test_{secrets.token_hex(6)}"
    with psycopg.connect(in_database(server, "postgres"), autocommit=True) as admin:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        admin.execute(made)
        try:
            yield in_database(server, name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def in_database(dsn: str, name: str) -> str:
    """The address of another database of the same server, a URI if ``dsn`` is one."""
    if dsn.startswith(("postgres://", "postgresql://")):
        return urlsplit(dsn)._replace(path=f"/{name}").geturl()
    return make_conninfo(dsn, dbname=name)


@contextmanager
def copy_of(dsn: str) -> Iterator[str]:
    """The address of a copy that the server makes of a database that nobody is connected to."""
    with another_database(dsn, str(conninfo_to_dict(dsn)["dbname"])) as copy:
        yield copy


class Templates:
    """Databases that many tests begin with: each is made once on a server, for its copies cost far less."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._names: dict[tuple[str, Callable[[str], None]], str] = {}

    def of(self, server: str, fill: Callable[[str], None]) -> str:
        """The name of a database that ``fill``, called once with its address, has filled. Do not connect to it."""
        if (server, fill) not in self._names:
            dsn = self._stack.enter_context(another_database(server))
            fill(dsn)
            self._names[server, fill] = str(conninfo_to_dict(dsn)["dbname"])
        return self._names[server, fill]


def with_ledger(dsn: str) -> None:
    """Install an empty ledger. The server's own copy of a database with a ledger is as good as one made there."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        install(conn)
