"""A `transform` in place against one UPDATE, and against batches that touch rows so that a trigger does the work."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lab import Figure, Lab, apply_timed, interleaved, lab, ratio, spread, timed

_PLAN = """
plan: bench
settings: {{workers: {workers}, chunk_rows: 5000}}
phases:
  - id: change
    steps:
      - transform: emails
        table: app.people
        key: [id]
        from: app.people
        keep_before: false
        select: SELECT p.id, lower(btrim(p.email)) AS email_plain FROM app.people p
"""
# As pgroll writes it: the rows of a batch are locked in the order of their key, and then touched.
_BATCH = """
WITH batch AS (SELECT id FROM app.people WHERE id > {last} ORDER BY id LIMIT 1000 FOR NO KEY UPDATE),
     touched AS (UPDATE app.people AS p SET id = p.id FROM batch WHERE p.id = batch.id RETURNING p.id)
SELECT max(id) FROM touched
"""


def _fill(here: Lab, rows: int) -> None:
    here.forget()
    here.run(
        "DROP SCHEMA IF EXISTS app CASCADE",
        "CREATE SCHEMA app",
        "CREATE TABLE app.people (id bigint PRIMARY KEY, email text, name text, email_plain text)",
        "INSERT INTO app.people SELECT g, ' Mail' || g || '@Example.com ', md5(g::text) || repeat('n', 28) "
        f"FROM generate_series(1, {rows}) g",
        "CREATE INDEX ON app.people (name)",
        "VACUUM ANALYZE app.people",
        "CHECKPOINT",
    )


def _plain(here: Lab, rows: int) -> float:
    _fill(here, rows)
    return timed(lambda: here.run("UPDATE app.people SET email_plain = lower(btrim(email))"))


def _ours(here: Lab, rows: int, plan: Path, grown: list[float]) -> float:
    _fill(here, rows)
    before = here.one("SELECT pg_relation_size('app.people')")
    seconds = apply_timed(here, plan)["change/emails"]
    grown.append(here.one("SELECT pg_relation_size('app.people')") / before)
    return seconds


def _touch(here: Lab, rows: int) -> float:
    _fill(here, rows)
    here.run(
        "CREATE FUNCTION app.fill() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.email_plain := lower(btrim(NEW.email)); RETURN NEW; END'",
        "CREATE TRIGGER fill BEFORE UPDATE ON app.people FOR EACH ROW EXECUTE FUNCTION app.fill()",
    )

    def loop() -> None:
        last = 0
        while last is not None:
            last = here.one(_BATCH.format(last=last))

    return timed(loop)


def measure(rows: int, rounds: int) -> list[Figure]:
    """In-place updates of a table with two indexes."""
    figures = []
    grown: list[float] = []
    with lab() as here:
        one, two = here.plan(_PLAN.format(workers=1)), here.plan(_PLAN.format(workers=2))
        plain, first, second, touch = interleaved(
            rounds,
            lambda: _plain(here, rows),
            lambda: _ours(here, rows, one, grown),
            lambda: _ours(here, rows, two, grown),
            lambda: _touch(here, rows),
        )
    note = f"{rows:,} rows, {rounds} rounds: one UPDATE {spread(plain)}, Lockgate {spread(first)}"
    figures.append(Figure("UPDATE transform, 1 worker", "1.0 x", "1.3 x", f"{ratio(plain, first):.2f} x", note))
    note = f"two workers {spread(second)}"
    figures.append(Figure("UPDATE transform, 2 workers", "1.8 x", "2.2 x", f"{ratio(plain, second):.2f} x", note))
    note = "the larger of one and two workers, the new values included; one UPDATE grows it 2.2 times"
    figures.append(Figure("heap growth of a transform", "1.3 times", "1.3 times", f"{max(grown):.2f} times", note))
    note = f"touching batches {spread(touch)}, Lockgate with 1 worker {spread(first)}"
    figures.append(Figure("against touch-by-trigger batches", "2 x", "4 x", f"{ratio(touch, first):.1f} x", note))
    return figures
