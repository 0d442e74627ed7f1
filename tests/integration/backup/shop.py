"""A small database with what makes dumps hard, and a backup of it."""

from __future__ import annotations

from pathlib import Path

from lockgate.backup.make import Made, make
from lockgate.engine.session import Sessions

SHOP = '''
CREATE SCHEMA core;
CREATE SCHEMA "Odd ""one""";
CREATE TYPE core.mood AS ENUM ('sad', 'ok');
CREATE FUNCTION core.short(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT length($1) < 99';
CREATE TABLE core.customers (id int PRIMARY KEY, name text CHECK (core.short(name)), mood core.mood NOT NULL);
CREATE TABLE core.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer int NOT NULL REFERENCES core.customers, price numeric);
CREATE TABLE core.events (at date NOT NULL, what json) PARTITION BY RANGE (at);
CREATE TABLE core.events_23 PARTITION OF core.events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE core.events_24 PARTITION OF core.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE "Odd ""one"""."Größe *" ("a b" point);
INSERT INTO core.customers SELECT i, 'customer ' || i, 'ok' FROM generate_series(1, 500) i;
INSERT INTO core.orders (customer, price) SELECT i, i * 1.10 FROM generate_series(1, 500) i;
INSERT INTO core.events SELECT '2023-06-01'::date + i, '{}' FROM generate_series(1, 400) i;
INSERT INTO "Odd ""one"""."Größe *" VALUES ('(1,2)'), ('(1,2)'), (NULL);
'''


def back_up(dsn: str, to: Path, *patterns: str, jobs: int = 2) -> Made:
    return make(Sessions(dsn), to, "shop", patterns=patterns, jobs=jobs)
