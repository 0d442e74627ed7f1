"""The project's commands; each answers with JSON on standard output.

The database's address is read from the environment variable LIFE_GRAPH_DATABASE, never from an argument: arguments can
be read by every user of the host.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

import psycopg

from .generate import fill, generate
from .search import find_parties

DATABASE = "LIFE_GRAPH_DATABASE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="life_graph", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, said in (("generate", "make the database of before"), ("fill", "a year of use, once 004 is there")):
        part = commands.add_parser(name, help=said)
        part.add_argument("--scale", type=float, default=1.0, help="1.0 is a year of one household")
        part.add_argument("--seed", type=int, default=1)
    commands.add_parser("search", help="parties whose name is like a text").add_argument("name")
    chosen = parser.parse_args(arguments)
    with psycopg.connect(os.environ[DATABASE], autocommit=True) as conn:
        if chosen.command == "search":
            answer: object = [asdict(each) for each in find_parties(conn, chosen.name)]
        else:
            work = generate if chosen.command == "generate" else fill
            answer = asdict(work(conn, chosen.scale, chosen.seed, report=lambda stage: print(stage, file=sys.stderr)))
    print(json.dumps(answer))
    return 0
