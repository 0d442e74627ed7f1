"""Reconcile against ranges hashed by hand, on both sides, with nothing different."""

from __future__ import annotations

import statistics

from benchmarks.lab import Figure, apply_timed, interleaved, lab, spread, timed
from lockgate.engine.session import Sessions
from lockgate.mapping import group
from lockgate.mapping.reconcile import one_snapshot, reconcile

_PLAN = """
plan: bench
phases:
  - id: fill
    steps:
      - map: people
        into: new.people
        key: [id]
        from: old.people
        select: SELECT p.id, lower(p.email) AS email, p.name, p.born FROM old.people p
"""
# What an engineer writes by hand: count and hash of a thousand ranges of the key, from both sides.
_BY_HAND = """
WITH s AS (SELECT width_bucket(id, 0, {rows}, 1000) AS b, count(*) AS n,
                  sum(hashtextextended(ROW(id, lower(email), name, born)::text, 0)::numeric) AS h
           FROM old.people GROUP BY 1),
     t AS (SELECT width_bucket(id, 0, {rows}, 1000) AS b, count(*) AS n,
                  sum(hashtextextended(ROW(id, email, name, born)::text, 0)::numeric) AS h
           FROM new.people GROUP BY 1)
SELECT count(*) FROM s FULL JOIN t USING (b) WHERE (s.n, s.h) IS DISTINCT FROM (t.n, t.h)
"""


def measure(rows: int, rounds: int) -> list[Figure]:
    """Both are run over the same tables, in turn."""
    with lab() as here:
        here.run(
            "CREATE SCHEMA old",
            "CREATE SCHEMA new",
            "CREATE TABLE old.people (id bigint PRIMARY KEY, email text, name text, born date)",
            "CREATE TABLE new.people (id bigint PRIMARY KEY, email text, name text, born date)",
            "INSERT INTO old.people SELECT g, 'Mail' || g || '@Example.com', 'Name ' || g, "
            f"'1950-01-01'::date + g % 20000 FROM generate_series(1, {rows}) g",
            "VACUUM ANALYZE old.people",
        )
        apply_timed(here, here.plan(_PLAN))
        here.run("VACUUM ANALYZE new.people")
        with Sessions(here.dsn).open("bench") as conn:
            loaded = group.load(conn, here.one("SELECT id FROM lockgate.sync_targets"))

            def ours() -> None:
                with one_snapshot(conn, loaded):
                    assert reconcile(conn, loaded).agrees

            def by_hand() -> None:
                assert here.one(_BY_HAND.format(rows=rows)) == 0

            theirs, mine = interleaved(rounds, lambda: timed(by_hand), lambda: timed(ours))
    times = statistics.median(mine) / statistics.median(theirs)
    note = f"{rows:,} rows: by hand {spread(theirs)}, reconcile {spread(mine)}"
    return [Figure("reconcile, nothing different", "1.1 times", "0.6 times", f"{times:.2f} times", note)]
