"""The sales desk: what writes to the lead database all the time, in its releases of before the hardening.

It writes all six tables that the plan touches, and the first release now and then one number twice, which nothing
forbids yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import psycopg

from lockgate.demo.journal import Journal, lines

from ..party_model.service import cpf as cpfs

QUERIES = Path(__file__).parent / "queries"
AGAIN_EVERY = 25
"""Of so many callers one says the number twice."""

CALL_BACK_AFTER = 10
"""So many callers later one is called back."""

_FIRST_CALLER = 40_000_000  # of the CPFs that a load makes; those of the service's load begin at 0
_BATCH = 1_000
_NEWEST = (
    "SELECT coalesce(max(substr(name, 8)::bigint), -1) FROM core.entities "
    "WHERE metadata ->> 'source' = 'desk' AND name LIKE 'Caller %'"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One caller, and how the transaction ended.

    :ivar at: when it was due, seconds since 1970.
    :ivar ms: milliseconds from when it was due until it was acknowledged or failed.
    :ivar times: how often the number was written.
    :ivar error: what went wrong, empty if nothing did.
    """

    number: int
    at: float
    ms: float
    times: int
    ok: bool
    error: str


def read(path: Path) -> Iterator[Entry]:
    """The entries in the order of their ends."""
    yield from (Entry(**line) for line in lines(path))


def caller(number: int) -> Mapping[str, Any]:
    """What is known of a caller, by its number."""
    return {
        "number": str(number),
        "entity": uuid5(NAMESPACE_URL, f"desk:caller:{number}"),
        "address": uuid5(NAMESPACE_URL, f"desk:address:{number}"),
        "cpf": cpfs.of_load(_FIRST_CALLER + number),
        "name": f"Caller {number}",
        "email": f"caller.{number}@desk.example",
        "phone": f"(81) 9{number:08d}",
    }


@dataclass(slots=True)
class Desk:
    """Writes at fixed times whether or not it is late; nothing is tried twice.

    :param rate: callers a second.
    :ivar once: set, and it is the next release, which writes a number once.
    """

    dsn: str
    rate: float
    journal: Journal
    once: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Write from now on, where the last desk ceased.

        :raises psycopg.Error: if the first caller cannot be written.
        """
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            row = conn.execute(_NEWEST).fetchone()
            assert row is not None
            if row[0] < 0:
                _write(conn, 0, 1)
        first = max(row[0], 0) + 1
        self._thread = threading.Thread(target=self._work, args=(first,), name="hardening-desk", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write no more; the transaction that is under way has ended when this returns."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self, first: int) -> None:
        conn = psycopg.connect(self.dsn, autocommit=True, application_name="sales-desk")
        start = time.monotonic()
        for number in count(first):
            due = start + (number - first) / self.rate
            if self._stop.wait(max(due - time.monotonic(), 0)):
                break
            times, error = 2 if number % AGAIN_EVERY == 0 and not self.once.is_set() else 1, ""
            try:
                if conn.closed:
                    conn = psycopg.connect(self.dsn, autocommit=True, application_name="sales-desk")
                _write(conn, number, times)
            except psycopg.Error as failure:
                error = str(failure).strip() or type(failure).__name__
            ms = (time.monotonic() - due) * 1000
            self.journal.write(Entry(number, time.time() - ms / 1000, ms, times, not error, error))
        conn.close()


def _write(conn: psycopg.Connection[Any], number: int, times: int) -> None:
    with conn.transaction():
        conn.execute(_query("write"), {**caller(number), "times": times})
        if number > CALL_BACK_AFTER:
            before = caller(number - CALL_BACK_AFTER)
            conn.execute(_query("call_back"), {**before, "number": number})


def probes() -> dict[str, tuple[str, str]]:
    """Of each table that the desk writes a statement that reads it and one that writes it, about the first caller.

    They change nothing, and are for somebody who wants to know how long that takes.
    """
    of = {name: f"'{caller(0)[name]}'" for name in ("entity", "address")}
    keys = {
        "core.entities": ("updated_at", f"entity_id = {of['entity']}"),
        "core.entity_phones": ("phone", f"entity_id = {of['entity']}"),
        "core.entity_emails": ("email", f"entity_id = {of['entity']}"),
        "core.entity_addresses": ("verified", f"entity_id = {of['entity']}"),
        "core.entity_relationships": ("relationship_type", f"source_entity_id = {of['entity']}"),
        "core.addresses": ("zip_code", f"id = {of['address']}"),
    }
    return {
        table: (
            f"SELECT {column} FROM {table} WHERE {condition}",
            f"UPDATE {table} SET {column} = {column} WHERE {condition}",
        )
        for table, (column, condition) in keys.items()
    }


def lost(conn: psycopg.Connection[Any], entries: Sequence[Entry]) -> list[str]:
    """What was acknowledged and is not there, a sentence a caller.

    A call back that failed, or of a caller who failed, is not looked for: both ends are then unknown.
    """
    ended = {entry.number: entry.ok for entry in entries}
    sure = [n for n, ok in ended.items() if ok and ended.get(n + CALL_BACK_AFTER, True)]
    found: list[str] = []
    for start in range(0, len(sure), _BATCH):
        numbers = sure[start : start + _BATCH]
        known = [caller(number) for number in numbers]
        rows = conn.execute(
            _query("desk_lost"),
            {
                "numbers": [each["number"] for each in known],
                "entities": [each["entity"] for each in known],
                "cpfs": [each["cpf"] for each in known],
                "phones": [each["phone"] for each in known],
                "emails": [each["email"] for each in known],
                "addresses": [each["address"] for each in known],
                "called_by": [str(n + CALL_BACK_AFTER) if n + CALL_BACK_AFTER in ended else None for n in numbers],
            },
        )
        found += [f"caller {number}: {missing} not as acknowledged" for number, missing in rows if missing]
    return found


def _query(name: str) -> bytes:
    return (QUERIES / f"{name}.sql").read_bytes()
