"""The whole `map` step against the one statement that a careful engineer would write."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.lab import Figure, Lab, apply_timed, interleaved, lab, ratio, spread, timed

PLAN = """
plan: bench
settings: {{workers: {workers}}}
phases:
  - id: fill
    steps:
      - map: contacts
        into: new.contacts
        key: [party_id, kind, value]
        from: old.emails
        winner: [s.is_primary DESC, s.created_at]
        select: |
          SELECT s.entity_id AS party_id, 'email' AS kind, lower(btrim(s.email)) AS value, s.is_primary, s.created_at
          FROM old.emails s
"""
_PLAIN = """
INSERT INTO new.contacts (party_id, kind, value, is_primary, created_at)
SELECT s.entity_id, 'email', lower(btrim(s.email)), s.is_primary, s.created_at FROM old.emails s
ON CONFLICT DO NOTHING
"""
_NAIVE = """
INSERT INTO new.contacts (party_id, kind, value, is_primary, created_at)
SELECT s.entity_id, 'email', lower(btrim(s.email)), s.is_primary, s.created_at FROM old.emails s
WHERE NOT EXISTS (SELECT FROM new.contacts c
                  WHERE c.party_id = s.entity_id AND c.kind = 'email' AND c.value = lower(btrim(s.email)))
LIMIT 1000 ON CONFLICT DO NOTHING
"""


def fill(here: Lab, rows: int, duplicates: float) -> None:
    here.run(
        "DROP SCHEMA IF EXISTS old CASCADE",
        "DROP SCHEMA IF EXISTS new CASCADE",
        "CREATE SCHEMA old",
        "CREATE SCHEMA new",
        "CREATE TABLE old.emails (id uuid PRIMARY KEY, entity_id uuid NOT NULL, email text, "
        "is_primary boolean NOT NULL, created_at timestamptz NOT NULL)",
        # Rows of one key stand far apart, as they do in a table that has grown.
        f"INSERT INTO old.emails SELECT md5(g::text)::uuid, md5(o::text)::uuid, ' Mail' || o || '@Example.com ', "
        f"g % 3 = 0, '2020-01-01'::timestamptz + g * interval '1 s' "
        f"FROM generate_series(1, {rows}) g, LATERAL (SELECT CASE WHEN g > {rows} * {1 - duplicates} "
        f"THEN g % {rows // 2} + 1 ELSE g END AS o) x ORDER BY md5((g * 7)::text)",
        "CREATE TABLE new.contacts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), party_id uuid NOT NULL, "
        "kind text NOT NULL, value text NOT NULL, is_primary boolean NOT NULL, created_at timestamptz, "
        "UNIQUE (party_id, kind, value))",
        "CREATE INDEX ON new.contacts (value)",
        "CREATE INDEX ON new.contacts (created_at)",
        "CREATE INDEX ON old.emails (entity_id)",
        "VACUUM ANALYZE old.emails",
    )


def _empty(here: Lab) -> None:
    here.run("TRUNCATE new.contacts")
    here.forget()
    here.run("CHECKPOINT")


def _plain(here: Lab) -> float:
    _empty(here)
    return timed(lambda: here.run(_PLAIN))


def _ours(here: Lab, plan: Path) -> float:
    _empty(here)
    return apply_timed(here, plan)["fill/contacts"]


def _naive(here: Lab) -> float:
    _empty(here)

    def loop() -> None:
        while here.conn.execute(_NAIVE.encode()).rowcount:
            pass

    return timed(loop)


def measure(rows: int, rounds: int) -> list[Figure]:
    """Rows are of the smaller runs; the comparison of ten times the rows takes a tenth of them as well."""
    figures = []
    with lab() as here:
        one, two = here.plan(PLAN.format(workers=1)), here.plan(PLAN.format(workers=2))
        fill(here, rows, 0.0)
        plain, ours = interleaved(rounds, lambda: _plain(here), lambda: _ours(here, one))
        note = f"{rows:,} rows, {rounds} rounds: plain {spread(plain)}, Lockgate {spread(ours)}"
        figures.append(Figure("INSERT mapping, 1 worker", "0.95 x", "1.2 x", f"{ratio(plain, ours):.2f} x", note))
        fill(here, rows, 0.01)
        plain, ours = interleaved(rounds, lambda: _plain(here), lambda: _ours(here, two))
        note = f"{rows:,} rows, 1 % duplicates: plain {spread(plain)}, Lockgate {spread(ours)}"
        figures.append(Figure("INSERT mapping, 2 workers", "1.4 x", "1.9 x", f"{ratio(plain, ours):.2f} x", note))
        small = rows * 2 // 5
        fill(here, small, 0.0)
        naive, ours = interleaved(max(2, rounds // 2), lambda: _naive(here), lambda: _ours(here, one))
        note = f"{small:,} rows, 1 worker: naive {spread(naive)}, Lockgate {spread(ours)}"
        figures.append(Figure("against the naive loop of 1,000", "4 x", "7 x", f"{ratio(naive, ours):.1f} x", note))
        fill(here, rows // 5, 0.0)
        plain_few, few = interleaved(rounds, lambda: _plain(here), lambda: _ours(here, one))
        fill(here, rows * 2, 0.0)
        plain_many, many = interleaved(max(2, rounds // 2), lambda: _plain(here), lambda: _ours(here, one))
        times = statistics.median(many) / statistics.median(few)
        plainly = statistics.median(plain_many) / statistics.median(plain_few)
        note = f"{rows // 5:,} rows {spread(few)}, {rows * 2:,} rows {spread(many)}; the plain form {plainly:.1f} times"
        figures.append(Figure("10 times the rows", "11 times the time", "10", f"{times:.1f} times", note))
    return figures
