"""A table of messages with all that may hang on one, a plan that partitions it, and an application that goes on."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from lockgate.plan.load import LoadedPlan
from tests.integration.engine.plans import write_plan

MESSAGES = 'core."Mess""ages ä"'
SETUP = """
CREATE SCHEMA core;
CREATE TYPE core.kind AS ENUM ('in', 'out');
CREATE TABLE core.clients (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE core.companies (id int PRIMARY KEY);
CREATE TABLE core."Mess""ages ä" (
    id bigint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 2), created_at timestamptz NOT NULL DEFAULT now(),
    client int NOT NULL CONSTRAINT "client fk" REFERENCES core.clients,
    company int REFERENCES core.companies ON DELETE CASCADE,
    kind core.kind NOT NULL DEFAULT 'in', body text NOT NULL, "Len ä" int GENERATED ALWAYS AS (length(body)) STORED,
    number bigserial NOT NULL, updated_at timestamptz,
    CONSTRAINT "no blank" CHECK (body <> ''), CONSTRAINT "pk ä" PRIMARY KEY (id)) WITH (fillfactor = 90);
COMMENT ON TABLE core."Mess""ages ä" IS 'what was said';
COMMENT ON COLUMN core."Mess""ages ä".body IS 'the words';
COMMENT ON CONSTRAINT "client fk" ON core."Mess""ages ä" IS 'whose';
CREATE INDEX "by client" ON core."Mess""ages ä" (client, created_at DESC) WHERE kind = 'in';
CREATE INDEX ON core."Mess""ages ä" USING hash (body);
CREATE UNIQUE INDEX "numbers" ON core."Mess""ages ä" (number, created_at);
COMMENT ON INDEX core."by client" IS 'for the inbox';
CREATE FUNCTION core.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
CREATE TABLE core.audit (op text, id bigint);
CREATE FUNCTION core.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$BEGIN INSERT INTO core.audit VALUES (TG_OP, coalesce(NEW.id, OLD.id)); RETURN NULL; END$$;
CREATE TRIGGER "touch ä" BEFORE UPDATE ON core."Mess""ages ä" FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER note AFTER INSERT OR DELETE ON core."Mess""ages ä" FOR EACH ROW EXECUTE FUNCTION core.note();
CREATE TRIGGER off AFTER UPDATE ON core."Mess""ages ä" FOR EACH ROW EXECUTE FUNCTION core.note();
COMMENT ON TRIGGER note ON core."Mess""ages ä" IS 'for the auditors';
ALTER TABLE core."Mess""ages ä" DISABLE TRIGGER off;
ALTER TABLE core."Mess""ages ä" ENABLE ALWAYS TRIGGER note;
CREATE POLICY "own ä" ON core."Mess""ages ä" FOR SELECT USING (client > 0);
ALTER TABLE core."Mess""ages ä" ENABLE ROW LEVEL SECURITY;
CREATE VIEW core.recent WITH (security_barrier = true) AS SELECT id, body FROM core."Mess""ages ä" WHERE kind = 'in';
CREATE VIEW core.newest AS SELECT max(id) FROM core.recent;
INSERT INTO core.clients SELECT n, 'C' || n FROM generate_series(1, 20) n;
INSERT INTO core.companies SELECT generate_series(1, 5);
INSERT INTO core."Mess""ages ä" (created_at, client, company, kind, body)
SELECT date_trunc('month', now()) - make_interval(days => n % 70), 1 + n % 20, nullif(n % 6, 0),
       (ARRAY['in', 'out']::core.kind[])[1 + n % 2], 'm' || n FROM generate_series(1, 300) n;
"""
PLAN = """
settings: {lock_timeout: 300ms, lock_retries: 20}
phases:
  - id: split
    steps:
      - partition: by_month
        table: 'core."Mess""ages ä"'
        by: created_at
        interval: month
        primary_key: [id, created_at]
        ahead: 2
  - id: settled
    steps:
      - close: by_month
"""


def plan(folder: Path, text: str = PLAN) -> LoadedPlan:
    return write_plan(folder, text)


@dataclass
class Application:
    """Writers that know one table only, by its name, and never try anything twice."""

    dsn: str
    table: str = MESSAGES
    writers: int = 3
    rows: dict[int, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    writes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def writing(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(self.writers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
            self._stop.clear()

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        mine: list[int] = []
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            while not self._stop.is_set():
                try:
                    self._write(conn, chance, mine)
                    self.writes += 1
                except psycopg.Error as error:
                    self.failures.append(str(error))

    def _write(self, conn: psycopg.Connection[Any], chance: random.Random, mine: list[int]) -> None:
        body = f"w{chance.randrange(10_000)}"
        if not mine or chance.random() < 0.5:
            row = conn.execute(
                f"INSERT INTO {self.table} (client, body, created_at) "
                "VALUES (%s, %s, now() - make_interval(days => %s)) RETURNING id".encode(),
                (chance.randrange(1, 21), body, chance.randrange(60)),
            ).fetchone()
            assert row is not None
            mine.append(row[0])
            self.rows[row[0]] = body
        elif chance.random() < 0.7:
            which = chance.choice(mine)
            done = conn.execute(f"UPDATE {self.table} SET body = %s WHERE id = %s".encode(), (body, which)).rowcount
            assert done == 1, f"{which} is not there"
            self.rows[which] = body
        else:
            which = mine.pop(chance.randrange(len(mine)))
            conn.execute(f"DELETE FROM {self.table} WHERE id = %s".encode(), (which,))
            del self.rows[which]
