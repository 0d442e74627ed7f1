"""The project's commands; each answers with JSON on standard output.

Addresses are read from the environment, never from an argument, which every user of the host can read:
OLD_DATABASE_URL is the old service's database, SALON_DATABASE the new one.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict

import psycopg

from .generate import generate, prepare

OLD, NEW = "OLD_DATABASE_URL", "SALON_DATABASE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="salon", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    old = commands.add_parser("generate", help="make the old service's database, in an empty one")
    old.add_argument("--scale", type=float, default=1.0, help="1.0 is what the salon has")
    old.add_argument("--messages", type=int, help="how many messages; left out: 100,000 by the scale")
    old.add_argument("--seed", type=int, default=1)
    commands.add_parser("prepare", help="put the messenger's tables into the new database")
    chosen = parser.parse_args(arguments)
    if chosen.command == "prepare":
        with psycopg.connect(os.environ[NEW], autocommit=True) as conn:
            prepare(conn)
        print(json.dumps({"prepared": True}))
        return 0
    with psycopg.connect(os.environ[OLD], autocommit=True) as conn:
        made = generate(conn, chosen.scale, chosen.seed, messages=chosen.messages)
    print(json.dumps(asdict(made)))
    return 0
