"""The steps `dedupe`, `index` and `constraint` against the statements that one would write by hand."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lab import Figure, Lab, apply_timed, interleaved, lab, ratio, spread, timed

_DEDUPE = """
plan: bench
phases:
  - id: mend
    steps:
      - dedupe: core.phones
        by: [person, number]
        keep: [made, id]
        id: alike
"""
_ALIKE = """
DELETE FROM core.phones USING (
    SELECT id, row_number() OVER (PARTITION BY person, number ORDER BY made, id) AS place FROM core.phones
) AS d WHERE d.id = phones.id AND d.place > 1
"""
_INDEX = """
plan: bench
phases:
  - id: mend
    steps:
      - index: CREATE INDEX phones_number ON core.phones (lower(number))
        id: faster
"""
_CONSTRAINT = """
plan: bench
phases:
  - id: mend
    steps:
      - constraint: |
          ALTER TABLE core.phones ADD CONSTRAINT phones_check CHECK (number ~ '^[0-9]{11}$');
          ALTER TABLE core.phones ADD CONSTRAINT phones_kind FOREIGN KEY (kind) REFERENCES core.kinds;
          ALTER TABLE core.phones ALTER made SET NOT NULL;
          ALTER TABLE core.phones ADD CONSTRAINT phones_key UNIQUE (id, number);
        id: sounder
"""
_ADDED = (
    "ALTER TABLE core.phones ADD CONSTRAINT phones_check CHECK (number ~ '^[0-9]{11}$') NOT VALID",
    "ALTER TABLE core.phones VALIDATE CONSTRAINT phones_check",
    "ALTER TABLE core.phones ADD CONSTRAINT phones_kind FOREIGN KEY (kind) REFERENCES core.kinds NOT VALID",
    "ALTER TABLE core.phones VALIDATE CONSTRAINT phones_kind",
    "ALTER TABLE core.phones ADD CONSTRAINT phones_made CHECK (made IS NOT NULL) NOT VALID",
    "ALTER TABLE core.phones VALIDATE CONSTRAINT phones_made",
    "ALTER TABLE core.phones ALTER made SET NOT NULL",
    "ALTER TABLE core.phones DROP CONSTRAINT phones_made",
    "CREATE UNIQUE INDEX CONCURRENTLY phones_key ON core.phones (id, number)",
    "ALTER TABLE core.phones ADD CONSTRAINT phones_key UNIQUE USING INDEX phones_key",
)
_DROPPED = (
    "ALTER TABLE core.phones DROP CONSTRAINT phones_check, DROP CONSTRAINT phones_kind, DROP CONSTRAINT phones_key",
    "ALTER TABLE core.phones ALTER made DROP NOT NULL",
)


def _fill(here: Lab, rows: int) -> None:
    surplus = max(3, round(rows * 1_522 / 1_726_374))
    here.run(
        "DROP SCHEMA IF EXISTS core CASCADE",
        "CREATE SCHEMA core",
        "CREATE TABLE core.kinds (code int PRIMARY KEY)",
        "INSERT INTO core.kinds SELECT generate_series(0, 6)",
        "CREATE TABLE core.phones (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), person uuid NOT NULL, number text, "
        "kind int, made timestamptz, source text)",
        "INSERT INTO core.phones (person, number, kind, made, source) SELECT md5((g / 2)::text)::uuid, "
        "(11900000000 + g)::text, g % 7, '2020-01-01'::timestamptz + g * interval '1 s', 'import' "
        f"FROM generate_series(1, {rows - surplus}) g ORDER BY md5(g::text)",
        "INSERT INTO core.phones (person, number, kind, made, source) SELECT person, number, kind, made + interval "
        f"'1 d', 'again' FROM core.phones ORDER BY id LIMIT {surplus}",
        "VACUUM ANALYZE core.phones",
    )


def _by_hand(here: Lab, *statements: str, after: tuple[str, ...]) -> float:
    here.run("CHECKPOINT")
    seconds = timed(lambda: here.run(*statements))
    here.run(*after)
    return seconds


def _ours(here: Lab, plan: Path, step: str, after: tuple[str, ...]) -> float:
    here.forget()
    here.run("CHECKPOINT")
    seconds = apply_timed(here, plan)[step]
    here.run(*after)
    return seconds


def measure(rows: int, rounds: int) -> list[Figure]:
    """Whatever was done is undone after each run, outside of the time."""
    figures = []
    with lab() as here:
        _fill(here, rows)
        plan = here.plan(_DEDUPE)
        surplus = here.one("SELECT count(*) FROM core.phones WHERE source = 'again'")
        here.run("CREATE TABLE core.again AS SELECT * FROM core.phones WHERE source = 'again'")
        again = ("INSERT INTO core.phones TABLE core.again", "VACUUM ANALYZE core.phones")
        hand, ours = interleaved(
            rounds, lambda: _by_hand(here, _ALIKE, after=again), lambda: _ours(here, plan, "mend/alike", again)
        )
        note = f"{rows:,} rows, {surplus:,} too many: one DELETE {spread(hand)}, Lockgate {spread(ours)}"
        figures.append(Figure("dedupe", "0.7 x", "-", f"{ratio(hand, ours):.2f} x", note))
        for name, text, step, statements, after in (
            (
                "index step",
                _INDEX,
                "mend/faster",
                ("CREATE INDEX CONCURRENTLY phones_number ON core.phones (lower(number))",),
                ("DROP INDEX core.phones_number",),
            ),
            ("constraint step", _CONSTRAINT, "mend/sounder", _ADDED, _DROPPED),
        ):
            plan = here.plan(text)

            def by_hand(statements: tuple[str, ...] = statements, after: tuple[str, ...] = after) -> float:
                return _by_hand(here, *statements, after=after)

            def by_plan(plan: Path = plan, step: str = step, after: tuple[str, ...] = after) -> float:
                return _ours(here, plan, step, after)

            hand, ours = interleaved(rounds, by_hand, by_plan)
            note = f"{rows:,} rows: by hand, online too {spread(hand)}, Lockgate {spread(ours)}"
            figures.append(Figure(name, "1.3 times", "-", f"{1 / ratio(hand, ours):.2f} times", note))
    return figures
