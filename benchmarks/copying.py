"""Copying a table of another database, with its proof, against COPY piped by hand into the same table."""

from __future__ import annotations

import os

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from benchmarks.lab import Figure, apply_timed, interleaved, lab, ratio, spread, timed

_TABLE = (
    "CREATE TABLE people (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text, settings jsonb, born date, "
    "seen timestamptz)"
)
_ROWS = (
    "INSERT INTO people SELECT g, 'mail' || g || '@example.com', 'Name ' || g, jsonb_build_object('n', g), "
    "'1950-01-01'::date + g % 20000, '2026-01-01'::timestamptz + g * interval '1 s' FROM generate_series(1, {rows}) g"
)
_PLAN = """
plan: bench
phases:
  - id: load
    steps:
      - copy: people
        from: LOCKGATE_BENCH_SOURCE
        tables: [public.people]
        passes: 2
"""


def measure(rows: int, rounds: int) -> list[Figure]:
    """Both fill the same empty table, in turn; ours then hashes all rows on both sides."""
    with lab() as here:
        here.run("CREATE DATABASE old")
        source = make_conninfo(here.dsn, dbname="old")
        with psycopg.connect(source, autocommit=True) as there:
            for statement in (_TABLE, _ROWS.format(rows=rows), "VACUUM ANALYZE people"):
                there.execute(statement.encode())
        here.run(_TABLE)
        os.environ["LOCKGATE_BENCH_SOURCE"] = source
        folder = here.plan(_PLAN)

        def empty() -> None:
            here.forget()
            here.run("TRUNCATE people", "CHECKPOINT")

        def by_hand() -> float:
            empty()
            return timed(lambda: _pipe(source, here.dsn))

        def ours() -> float:
            empty()
            return sum(apply_timed(here, folder).values())

        theirs, mine = interleaved(rounds, by_hand, ours)
        assert here.one("SELECT count(*) FROM people") == rows
    return [
        Figure(
            "copy of another database's table, with its proof",
            "0.5 times the rate of a plain COPY pipe",
            "0.7 times",
            f"{ratio(theirs, mine):.2f} times",
            f"{rows:,} rows, {rounds} interleaved runs; pipe {spread(theirs)}, ours {spread(mine)}: loaded in chunks "
            "that a kill resumes, then all rows hashed on both sides",
        )
    ]


def _pipe(source: str, target: str) -> None:
    """What pg_dump piped into pg_restore does with a table's rows: one COPY out, one COPY in."""
    with (
        psycopg.connect(source) as there,
        psycopg.connect(target) as into,
        there.cursor().copy(sql.SQL("COPY people TO STDOUT")) as out,
        into.cursor().copy(sql.SQL("COPY people FROM STDIN")) as taken,
    ):
        for piece in out:
            taken.write(piece)
