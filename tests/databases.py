"""What the databases of tests are copies of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import psycopg
from psycopg.conninfo import conninfo_to_dict

from lockgate.ledger import install
from tests.copies import another_database


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
