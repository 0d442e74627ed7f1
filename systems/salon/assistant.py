"""The booking assistant, as far as a demo needs it: it writes all the time, to the database that is in use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

_MESSAGE = (
    "INSERT INTO messages (company_id, phone, external_id, direction, content, created_at) "
    "VALUES (1, %s, %s, %s, %s, %s)"
)
_VISIT = "UPDATE clients SET visit_count = %s WHERE id = %s"
_IN_USE = "SELECT name FROM operations.active_database"
_PHONE = "79000000001"
_KNOWN = 50  # clients whose visits it counts


@dataclass(slots=True)
class Assistant:
    """Writes a message, and a client's visits, in one transaction; remembers what was acknowledged.

    :param old: address of the old service's database; ``new`` that of the new one, which says which one is in use.
    :param now: the time that a message gets.
    :ivar messages: external ids of the messages that were acknowledged.
    :ivar visits: client -> what was acknowledged last.
    :ivar failures: what a user would have seen.
    """

    old: str
    new: str
    now: Callable[[], datetime]
    pause: float = 0.01
    messages: list[str] = field(default_factory=list)
    visits: dict[int, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Write from now on."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._work, name="salon-assistant", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write no more; the write that is under way has ended when this returns."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def in_use(self) -> str:
        """Address of the database that is in use."""
        with suppress(psycopg.errors.UndefinedTable), psycopg.connect(self.new, autocommit=True) as conn:
            row = conn.execute(_IN_USE).fetchone()
            return self.new if row == ("new",) else self.old
        return self.old

    def _work(self) -> None:
        try:
            # The database is changed only while it does not write.
            with psycopg.connect(self.in_use(), autocommit=True) as conn:
                while not self._stop.wait(self.pause):
                    self._write(conn)
        except psycopg.Error as error:
            self.failures.append(str(error))

    def _write(self, conn: psycopg.Connection[Any]) -> None:
        number = len(self.messages) + len(self.failures) + 1
        name, client, visits = f"assistant-{number}", 1 + number % _KNOWN, 1_000 + number
        try:
            with conn.transaction():
                conn.execute(_MESSAGE, (_PHONE, name, "incoming", f"Message {number}", self.now()))
                known = conn.execute(_VISIT, (visits, client)).rowcount
        except psycopg.Error as error:
            self.failures.append(str(error))
            return
        self.messages.append(name)
        if known:
            self.visits[client] = visits


def lost(conn: psycopg.Connection[Any], assistant: Assistant) -> list[str]:
    """What was acknowledged and is not in a database, each in a few words."""
    kept = {row[0] for row in conn.execute("SELECT external_id FROM messages WHERE external_id LIKE 'assistant-%'")}
    visits = dict(conn.execute("SELECT id, visit_count FROM clients").fetchall())
    missing = [f"message {name}" for name in assistant.messages if name not in kept]
    return missing + [f"visits of client {each}" for each, was in assistant.visits.items() if visits.get(each) != was]
