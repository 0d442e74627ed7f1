"""The project's commands; each answers with JSON on standard output.

The database's address is read from the environment variable PARTY_MODEL_DATABASE, never from an argument:
arguments can be read by every user of the host.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event
from typing import Any

import psycopg

from lockgate.demo.journal import Journal, latency

from .counts import BORN, expected
from .generate import generate
from .journal import NOT_STORED, read
from .load import Load, drive, send_all
from .operations import KnownPerson, born
from .parent import end_with_parent
from .people import known_people, load_rows, primary_addresses
from .roles import SERVICE_ROLE, create_service_role, grant_to_service
from .service.store import Model
from .verify import verify

DATABASE = "PARTY_MODEL_DATABASE"
SERVICE_PASSWORD = "PARTY_MODEL_SERVICE_PASSWORD"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="party_model", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (_generate, _expected, _role, _people, _service, _born, _load, _verify):
        assert command.__doc__ is not None
        part = commands.add_parser(command.__name__[1:], help=command.__doc__, description=command.__doc__)
        for name, options in _OPTIONS[command.__name__[1:]].items():
            part.add_argument(f"--{name}", **options)
        part.set_defaults(run=command)
    chosen = parser.parse_args(arguments)
    chosen.run(chosen)
    return 0


_SCALE: dict[str, Any] = {"type": float, "default": 1.0, "help": "1.0 is the real database's size"}
_SEED: dict[str, Any] = {"type": int, "default": 1}
_PARENT: dict[str, Any] = {"action": "store_true", "help": "end when standard input does"}
_URL: dict[str, Any] = {"required": True, "help": "the service's address"}
_JOURNAL: dict[str, Any] = {"type": Path, "required": True, "help": "the file that the load client writes"}
_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "generate": {"scale": _SCALE, "seed": _SEED},
    "expected": {"scale": _SCALE},
    "role": {"name": {"default": SERVICE_ROLE}},
    "people": {"limit": {"type": int, "default": 400}},
    "service": {
        "model": {"type": Model, "choices": list(Model), "default": Model.IN_USE},
        "port": {"type": int, "default": 0, "help": "0 for a free one"},
        "connections": {"type": int, "default": 8},
        "with-parent": _PARENT,
    },
    "born": {"url": _URL, "journal": _JOURNAL, "seed": _SEED},
    "load": {
        "url": _URL,
        "journal": _JOURNAL,
        "seed": _SEED,
        "rate": {"type": float, "default": 50.0, "help": "requests a second"},
        "workers": {"type": int, "default": 8, "help": "connections"},
        "model": {"type": Model, "choices": list(Model), "help": "asked for with each request"},
        "seconds": {"type": float, "help": "how long; until SIGTERM or SIGINT if left out"},
        "known": {"type": Path, "help": "the answer of `people`: people whose contacts may be changed"},
        "with-parent": _PARENT,
    },
    "verify": {
        "journal": _JOURNAL,
        "models": {"nargs": "*", "default": ["old", "new"], "choices": ["old", "new"]},
        "interval": {"action": "append", "default": [], "help": "NAME:FROM:TO in seconds since 1970, for its latency"},
    },
}


def _connect() -> psycopg.Connection[Any]:
    return psycopg.connect(os.environ[DATABASE], autocommit=True, prepare_threshold=None)


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def _generate(chosen: argparse.Namespace) -> None:
    """Make the legacy database."""
    with _connect() as conn:
        figures = generate(
            conn, chosen.scale, chosen.seed, report=lambda stage: print(stage, file=sys.stderr, flush=True)
        )
    _say(asdict(figures))


def _expected(chosen: argparse.Namespace) -> None:
    """Say what the migration must make of the legacy database."""
    _say(asdict(expected(chosen.scale)))


def _role(chosen: argparse.Namespace) -> None:
    """Make the role of the service; its password is read from PARTY_MODEL_SERVICE_PASSWORD."""
    with _connect() as conn:
        create_service_role(conn, os.environ[SERVICE_PASSWORD], chosen.name)
        grant_to_service(conn, chosen.name)
    _say({"role": chosen.name})


def _people(chosen: argparse.Namespace) -> None:
    """List people whose contacts a load may change."""
    with _connect() as conn:
        _say([asdict(person) for person in known_people(conn, chosen.limit)])


def _service(chosen: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; the first line says where."""
    from .service.app import serve  # the other commands do without an HTTP server

    if chosen.with_parent:
        end_with_parent()
    serve(os.environ[DATABASE], chosen.model, print_line, port=chosen.port, connections=chosen.connections)


def print_line(line: str) -> None:
    """Write a line at once."""
    print(line, flush=True)


def _born(chosen: argparse.Namespace) -> None:
    """Let the service write the people who are born in the new model."""
    with Journal(chosen.journal) as journal:
        send_all(chosen.url, born(chosen.seed, BORN), journal)
    _say({"born": BORN})


def _load(chosen: argparse.Namespace) -> None:
    """Drive the service and journal every answer."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if chosen.with_parent:
        end_with_parent()
    known = [KnownPerson(**each) for each in json.loads(chosen.known.read_text())] if chosen.known else []
    load = Load(chosen.url, chosen.rate, chosen.workers, chosen.seed, chosen.model, chosen.seconds)
    with Journal(chosen.journal) as journal:
        _say({"started": True})
        drive(load, known, journal, stop)


def _verify(chosen: argparse.Namespace) -> None:
    """Check each acknowledged write in both models; say how long requests took and what the load made."""
    entries = list(read(chosen.journal))
    with _connect() as conn:
        lost = verify(entries, conn, models=chosen.models)
        made = load_rows(conn) if "old" in chosen.models else []
        primary = primary_addresses(conn) if "new" in chosen.models else None
    intervals = {}
    for interval in chosen.interval:
        name, since, until = interval.split(":")
        intervals[name] = asdict(latency(entries, float(since), float(until)))
    _say(
        {
            "requests": len(entries),
            "failed_requests": sum(not entry.ok for entry in entries),
            "acknowledged_writes": sum(
                len(entry.people) + len(entry.erased) for entry in entries if entry.ok and entry.model != NOT_STORED
            ),
            "lost_writes": len({each.cpf for each in lost}),
            "lost": [asdict(each) for each in lost[:20]],
            "failures": [asdict(replace(entry, people={})) for entry in entries if not entry.ok][:20],
            "latency": intervals,
            "load_rows": [asdict(each) for each in made],
            "primary_addresses": primary,
        }
    )
