"""The load: leads come in, messages are said, jobs are made; each write is journaled.

The load is open: writes are due at fixed times whether or not earlier ones have ended, and a write's time counts from
when it was due. A worker has leads of its own, so that the last write about a lead says how it must be stored.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection

from lockgate.demo.journal import Journal

from .application import Application, Message
from .journal import Entry

_ROLES = ("user", "assistant", "tool", "system")
_KNOWN = """
SELECT l.id, l.phone FROM "Lead" l
WHERE l.phone IS NOT NULL AND jsonb_array_length(CASE jsonb_typeof(l."stateMetadata") WHEN 'array'
      THEN l."stateMetadata" ELSE '[]' END) > 2
ORDER BY l."createdAt" LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A lead that was there before: the load may only let it say something, and take in others with its number."""

    lead: UUID
    phone: str


@dataclass(frozen=True, slots=True)
class Load:
    """How hard to drive the application, by its role's address.

    :ivar rate: writes a second, over all workers.
    """

    dsn: str
    rate: float
    seed: int = 1
    workers: int = 4


def known(conn: Connection[Any], limit: int) -> list[Known]:
    """Some of the generator's leads that have a number and messages."""
    return [Known(*row) for row in conn.execute(_KNOWN, (limit,))]


def drive(load: Load, known: Sequence[Known], journal: Journal, stop: Event) -> None:
    """Write until ``stop`` is set; writes under way are still waited for.

    :raises psycopg.Error: if the database cannot be reached at all. A write that fails is journaled.
    """
    workers = [_Worker(load, number, known[number :: load.workers], journal, stop) for number in range(load.workers)]
    threads = [Thread(target=worker.run, name=f"load-{worker.number}") for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dataclass(slots=True)
class _Worker:
    load: Load
    number: int
    known: Sequence[Known]
    journal: Journal
    stop: Event
    own: list[UUID] = field(default_factory=list)
    with_job: set[UUID] = field(default_factory=set)

    def run(self) -> None:
        start = time.monotonic()
        with psycopg.connect(self.load.dsn, autocommit=True, application_name="quoting-service") as conn:
            application = Application(conn)
            for number in self._numbers():
                due = start + number / self.load.rate
                if self.stop.wait(max(due - time.monotonic(), 0)):
                    return
                self._write(application, number, due)

    def _numbers(self) -> Iterator[int]:
        number = self.number
        while True:
            yield number
            number += self.load.workers

    def _write(self, application: Application, number: int, due: float) -> None:
        kind, lead, values, write = self._chosen(application, number)
        memory, error = False, ""
        try:
            memory = write()
        except psycopg.Error as failure:
            error = f"{type(failure).__name__}: {failure}".strip()
        took = time.monotonic() - due
        at = time.time() - took
        self.journal.write(Entry(kind, at, took * 1000, not error, memory, str(lead), values, error))

    def _chosen(self, application: Application, number: int) -> tuple[str, UUID, dict[str, str], Callable[[], bool]]:
        chance = random.Random(f"{self.load.seed} {number}")
        dice = chance.random()
        now = datetime.now(UTC).replace(tzinfo=None)
        now -= timedelta(microseconds=now.microsecond % 1000)
        if dice < 0.45 and (self.own or self.known):
            lead = chance.choice(self.own) if self.own and dice < 0.30 else chance.choice(self.known).lead
            message = Message(chance.choice(_ROLES), f"Said {number}", now)
            return "say", lead, {"content": message.content}, lambda: application.say(lead, message)
        if dice < 0.60 and self.own:
            lead, job = chance.choice(self.own), UUID(int=chance.getrandbits(128), version=4)
            self.with_job.add(lead)
            return "job", lead, {"id": str(job)}, lambda: application.make_job(lead, job, f"Job {number}", now)
        free = [lead for lead in self.own if lead not in self.with_job] if dice < 0.64 else []
        if free:
            lead = chance.choice(free)
            self.own.remove(lead)
            return "forget", lead, {}, lambda: application.forget(lead)
        lead = UUID(int=chance.getrandbits(128), version=4)
        self.own.append(lead)
        phone = f" {chance.choice(self.known).phone} " if dice > 0.95 and self.known else _phone(number)
        email = f"Load.{self.load.seed}.{number}@mail.example"
        return (
            "lead",
            lead,
            {"phone": phone, "email": email},
            lambda: application.add_lead(lead, f"Load {number}", phone, email, now),
        )


def _phone(number: int) -> str:
    """A number of an area that the generator does not use."""
    return f"(99) 9{number // 10_000:04d}-{number % 10_000:04d}"
