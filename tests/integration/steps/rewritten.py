"""A bloated table with all that may hang on one, and a plan that rewrites it."""

from __future__ import annotations

from pathlib import Path

from lockgate.plan.load import LoadedPlan
from tests.integration.engine.plans import write_plan
from tests.integration.steps.partitioned import MESSAGES
from tests.integration.steps.partitioned import SETUP as PLAIN

BEFORE = 'core."Mess""ages ä_before"'
SETUP = (
    PLAIN
    + f"""
ALTER TABLE {MESSAGES} ADD COLUMN gone int, ADD COLUMN span int4range, ADD COLUMN parent bigint
    CONSTRAINT "parent fk" REFERENCES {MESSAGES} ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT "apart ä" EXCLUDE USING gist (span WITH &&) WITH (fillfactor = 80),
    ADD CONSTRAINT later UNIQUE (number) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE {MESSAGES} DROP COLUMN gone;
ALTER TABLE {MESSAGES} ALTER client SET STATISTICS 250, ALTER company SET (n_distinct = 5),
    ALTER body SET STORAGE EXTERNAL, ALTER body SET COMPRESSION pglz,
    SET (autovacuum_enabled = false, toast.autovacuum_vacuum_cost_limit = 300), CLUSTER ON numbers,
    REPLICA IDENTITY USING INDEX numbers;
COMMENT ON CONSTRAINT later ON {MESSAGES} IS 'swapped in one transaction';
CREATE INDEX "lower ä" ON {MESSAGES} (lower(body) COLLATE "C") WITH (fillfactor = 70);
ALTER INDEX core."lower ä" ALTER COLUMN 1 SET STATISTICS 300;
CREATE STATISTICS core."both ä" (ndistinct, dependencies) ON client, company FROM {MESSAGES};
ALTER STATISTICS core."both ä" SET STATISTICS 200;
COMMENT ON STATISTICS core."both ä" IS 'they go together';
CREATE PUBLICATION told FOR TABLE {MESSAGES} (id, number, created_at, body) WHERE (number > 0);
CREATE TABLE core.replies (message bigint CONSTRAINT answered REFERENCES {MESSAGES} ON DELETE CASCADE);
CREATE VIEW core.grouped AS SELECT m.id, m.body, count(*) FROM {MESSAGES} m GROUP BY m.id;
INSERT INTO core.replies SELECT id FROM {MESSAGES} ORDER BY id LIMIT 30;
UPDATE {MESSAGES} SET parent = 100 WHERE id < 120;
UPDATE {MESSAGES} SET span = int4range(id::int, id::int + 1);
"""
)
PLAN = f"""
settings: {{lock_timeout: 300ms, lock_retries: 20}}
phases:
  - id: smaller
    steps:
      - rewrite: messages
        table: '{MESSAGES}'
  - id: settled
    steps:
      - close: messages
"""


def plan(folder: Path, text: str = PLAN) -> LoadedPlan:
    return write_plan(folder, text)


def bloat(table: str, column: str, times: int = 8) -> list[str]:
    """Statements that change each row so often, with nobody taking the old versions away."""
    return [f"UPDATE {table} SET {column} = {column}"] * times
