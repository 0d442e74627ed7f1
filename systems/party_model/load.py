"""The load client: drives the service at a set rate and journals how each request ended.

The load is open: requests are due at fixed times whether or not earlier ones were answered, and a request's
time counts from when it was due. Nothing is tried twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from urllib.parse import urlsplit

from lockgate.demo.journal import Journal

from .journal import NOT_STORED, Entry
from .operations import KnownPerson, Operation, numbered

REQUEST_SECONDS = 60
"""A request without an answer for so long has failed."""


@dataclass(frozen=True, slots=True)
class Load:
    """How hard to drive the service.

    :ivar rate: requests a second, over all workers.
    :ivar workers: connections.
    :ivar model: which model to ask for with each request; None leaves it to the service.
    :ivar seconds: how long; None until ``stop`` is set.
    """

    url: str
    rate: float
    workers: int = 8
    seed: int = 1
    model: str | None = None
    seconds: float | None = None


def drive(load: Load, known: Sequence[KnownPerson], journal: Journal, stop: Event) -> None:
    """Send requests until the time is over or ``stop`` is set; those under way are still waited for."""
    start = time.monotonic()
    threads = [
        Thread(target=_work, args=(load, worker, known, journal, start, stop), name=f"load-{worker}")
        for worker in range(load.workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send_all(url: str, operations: Iterable[Operation], journal: Journal) -> None:
    """Send these requests one after the other."""
    connection = _connection(url)
    for number, operation in enumerate(operations):
        journal.write(_send(connection, number, operation, time.monotonic(), None, set()))
    connection.close()


def _work(load: Load, worker: int, known: Sequence[KnownPerson], journal: Journal, start: float, stop: Event) -> None:
    connection = _connection(load.url)
    stored: set[str] = set()
    for number, operation in numbered(worker, load.workers, load.seed, known):
        due = start + number / load.rate
        if load.seconds is not None and due >= start + load.seconds:
            break
        if stop.wait(max(due - time.monotonic(), 0)):
            break
        entry = _send(connection, number, operation, due, load.model, stored)
        if entry.ok and entry.model != NOT_STORED:
            stored |= entry.people.keys()
        journal.write(entry)
    connection.close()


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname is not None
    return HTTPConnection(parts.hostname, parts.port, timeout=REQUEST_SECONDS)


def _send(
    connection: HTTPConnection, number: int, operation: Operation, due: float, model: str | None, stored: Set[str]
) -> Entry:
    """Send one request over the connection (which connects by itself when it is closed) and read the answer.

    :param stored: CPFs of the worker's people that the service has stored.
    """
    headers = {"Content-Type": "application/json"}
    if wanted := operation.model or model:
        headers["X-Model"] = wanted
    body = None if operation.body is None else json.dumps(operation.body)
    status, written, error = 0, "", ""
    try:
        connection.request(operation.method, operation.path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        status, written = response.status, response.headers.get("X-Model", "")
        error = _complaint(operation, status, answer, written, stored)
    except (OSError, HTTPException, ValueError) as failure:
        connection.close()
        error = f"{type(failure).__name__}: {failure}"
    end, wall = time.monotonic(), time.time()
    return Entry(
        number=number,
        kind=operation.kind,
        at=wall - (end - due),
        ms=(end - due) * 1000,
        ok=not error,
        status=status,
        model=written,
        lead=operation.lead,
        people=operation.people,
        erased=operation.erased,
        error=error,
    )


def _complaint(operation: Operation, status: int, answer: bytes, written: str, stored: Set[str]) -> str:
    """What is wrong with an answer; empty if nothing is."""
    if status != 200:
        return f"status {status}: {answer[:200].decode(errors='replace')}"
    said = json.loads(answer)
    if operation.erased:
        return "" if said["found"] or not stored >= set(operation.erased) else "the person was not there"
    due = 0 if written == NOT_STORED else len(operation.people)
    if said["stored_in_db"] != due or set(said["failed"]) != set(operation.invalid):
        return f"stored {said['stored_in_db']} of {due}, refused {sorted(said['failed'])}"
    return ""
