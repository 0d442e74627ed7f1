"""Tables that get constraints, plans for that, and how the tables stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lockgate.plan.load import LoadedPlan
from tests.integration.engine.plans import rows, write_plan

TABLES = """
CREATE SCHEMA core;
CREATE TABLE core.kinds (code text PRIMARY KEY);
INSERT INTO core.kinds VALUES ('a'), ('b'), ('c');
CREATE TABLE core."Phone ä" (id int, person int, "No ""x"" ä" text, kind text, during int4range);
INSERT INTO core."Phone ä" SELECT g, g % 50, 'n' || g, nullif(chr(97 + g % 4), 'd'), int4range(g, g + 1)
    FROM generate_series(1, 400) g;
CREATE TABLE core.notes (id int, day date, kind text, body text) PARTITION BY RANGE (day);
CREATE TABLE core.notes_1 PARTITION OF core.notes FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE core.notes_2 PARTITION OF core.notes FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')
    PARTITION BY LIST (kind);
CREATE TABLE core.notes_2_a PARTITION OF core.notes_2 FOR VALUES IN ('a');
CREATE TABLE core.notes_2_x PARTITION OF core.notes_2 DEFAULT;
INSERT INTO core.notes SELECT g, '2026-01-01'::date + g % 59, chr(97 + g % 3), 'b' || g FROM generate_series(1, 300) g;
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid), convalidated,
           CASE WHEN conparentid = 0 THEN conname END, conislocal, coninhcount::int
    FROM pg_constraint WHERE connamespace = 'core'::regnamespace AND contype <> 'n'
    ORDER BY 1, 2, 3
"""
NOT_NULL = """
    SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'core'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND attnotnull ORDER BY 1, 2
"""
INDEXES = """
    SELECT x.indrelid::regclass::text, regexp_replace(pg_get_indexdef(x.indexrelid), 'INDEX .* ON', 'ON'), x.indisvalid
    FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    WHERE c.relnamespace = 'core'::regnamespace ORDER BY 1, 2
"""
FACTS = "SELECT payload -> 'facts' FROM lockgate.chain WHERE kind = 'step' AND payload ->> 'state' = 'done'"


def plan(folder: Path, sql: str, skip: str = "{}") -> LoadedPlan:
    text = "\n".join(f"          {line}" for line in sql.splitlines())
    head = "phases:\n  - id: sounder\n    steps:\n      - constraint: |\n"
    return write_plan(folder, f"{head}{text}\n        skip_missing: {skip}\n")


def state(dsn: str) -> list[list[tuple[Any, ...]]]:
    return [rows(dsn, query) for query in (CONSTRAINTS, NOT_NULL, INDEXES)]
