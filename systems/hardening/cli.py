"""The project's commands; each answers with JSON on standard output.

The database's address is read from the environment variable PARTY_MODEL_DATABASE, as by the party model's commands:
it is the same one. It is never an argument, which every user of the host can read.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import psycopg

from lockgate.demo.journal import Journal

from .defects import defects
from .desk import Desk, lost, read
from .generate import generate
from .looking import validate
from .offline import harden

DATABASE = "PARTY_MODEL_DATABASE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="hardening", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (_generate, _defects, _desk, _lost, _validate, _offline):
        assert command.__doc__ is not None
        part = commands.add_parser(command.__name__[1:], help=command.__doc__, description=command.__doc__)
        for name, options in _OPTIONS[command.__name__[1:]].items():
            part.add_argument(f"--{name}", **options)
        part.set_defaults(run=command)
    chosen = parser.parse_args(arguments)
    chosen.run(chosen)
    return 0


_SCALE: dict[str, Any] = {"type": float, "default": 1.0, "help": "1.0 is the real database's size"}
_JOURNAL: dict[str, Any] = {"type": Path, "required": True, "help": "what the desk was told, a line a caller"}
_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "generate": {"scale": _SCALE, "seed": {"type": int, "default": 1}},
    "defects": {"scale": _SCALE},
    "desk": {
        "journal": _JOURNAL,
        "rate": {"type": float, "default": 50.0, "help": "callers a second"},
        "once": {"action": "store_true", "help": "the next release, which writes a number once"},
    },
    "lost": {"journal": _JOURNAL},
    "validate": {
        "since": {"type": datetime.fromisoformat, "required": True, "help": "when storage was switched on, as ISO 8601"}
    },
    "offline": {},
}


def _connect() -> psycopg.Connection[Any]:
    return psycopg.connect(os.environ[DATABASE], autocommit=True, prepare_threshold=None)


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def _generate(chosen: argparse.Namespace) -> None:
    """Make the database as it was found."""
    with _connect() as conn:
        found = generate(
            conn, chosen.scale, chosen.seed, report=lambda stage: print(stage, file=sys.stderr, flush=True)
        )
    _say(asdict(found))


def _defects(chosen: argparse.Namespace) -> None:
    """Say what there is to be found in the database."""
    _say(asdict(defects(chosen.scale)))


def _desk(chosen: argparse.Namespace) -> None:
    """Write what callers say, until SIGTERM or SIGINT."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Journal(chosen.journal) as journal:
        desk = Desk(os.environ[DATABASE], chosen.rate, journal)
        if chosen.once:
            desk.once.set()
        desk.start()
        _say({"started": True})
        stop.wait()
        desk.stop()


def _lost(chosen: argparse.Namespace) -> None:
    """Check each write that was acknowledged to the desk."""
    entries = list(read(chosen.journal))
    with _connect() as conn:
        _say({"acknowledged_writes": sum(entry.ok for entry in entries), "lost": lost(conn, entries)})


def _validate(chosen: argparse.Namespace) -> None:
    """Say what must be 0 after the plan, and is what it is."""
    with _connect() as conn:
        _say(validate(conn, chosen.since))


def _offline(_: argparse.Namespace) -> None:
    """Do what the plan does in one transaction, as the team did, on a database that nobody uses."""
    with _connect() as conn:
        _say({"seconds": harden(conn)})
