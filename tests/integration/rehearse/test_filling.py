"""The rows that a copy gets: in the shape of the source's, and none of them a row of the source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from lockgate.rehearse import shapes
from lockgate.rehearse.copy import Copy, Settings, copied
from lockgate.rehearse.shapes import Shape
from tests.integration.engine.plans import Told, one, rows, sessions, write_plan
from tests.integration.rehearse.test_rehearse import run

PLAN = """
phases:
  - id: one
    steps: [{sql: "SELECT 1"}]
"""
PEOPLE = """
CREATE TYPE public.mood AS ENUM ('fine', 'bad', 'mad');
CREATE TABLE public."Kinds" (code text PRIMARY KEY);
INSERT INTO public."Kinds" SELECT 'k' || i FROM generate_series(1, 50) i;
CREATE TABLE public.people (
    id int PRIMARY KEY, kind text NOT NULL REFERENCES public."Kinds", tax text, mail text, born text,
    "Token" text, mood public.mood, state text NOT NULL CHECK (state IN ('new', 'paid')), note text);
CREATE UNIQUE INDEX token ON public.people ("Token") WHERE "Token" IS NOT NULL;
INSERT INTO public.people SELECT i, 'k' || 1 + i % 50,
    CASE WHEN i % 4 = 0 THEN lpad((i * 7)::text, 14, '4') ELSE lpad((i * 7)::text, 11, '5') END,
    CASE WHEN i % 2 = 0 THEN 'Secret.' || chr(97 + i % 26) || '@Exämple.org' ELSE 'none' END,
    (date '1950-01-01' + i)::text, md5(i::text), CASE WHEN i % 10 = 0 THEN 'bad' ELSE 'fine' END::public.mood,
    CASE WHEN i % 5 = 0 THEN 'paid' ELSE 'new' END, repeat('long ', 80) FROM generate_series(1, 4000) i;
CREATE TABLE public.addresses (
    id int PRIMARY KEY, person int NOT NULL REFERENCES public.people, kind text REFERENCES public."Kinds",
    main boolean NOT NULL);
CREATE TABLE public.mains (id int PRIMARY KEY, person int NOT NULL REFERENCES public.people, main boolean NOT NULL);
INSERT INTO public.mains SELECT i, 1 + i % 800, i <= 700 FROM generate_series(1, 1000) i;
CREATE TABLE public.incomes (person int PRIMARY KEY REFERENCES public.people);
INSERT INTO public.incomes SELECT i FROM generate_series(1, 150) i;
INSERT INTO public.addresses SELECT i, 1 + i % 800, 'k1', i <= 700 FROM generate_series(1, 4000) i;
ANALYZE;
"""


@pytest.fixture
def people(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(PEOPLE.encode())
    return dsn


@contextmanager
def copy(dsn: str, folder: Path, share: float) -> Iterator[Copy]:
    with copied(write_plan(folder, PLAN), sessions(dsn), Settings(on=dsn, share=share), Told()) as made:
        yield made


def parts(dsn: str, query: str) -> dict[Any, float]:
    """Of a query for values and how many there are: which part of all each is."""
    found = rows(dsn, query)
    return {value: float(count) / float(sum(row[1] for row in found)) for value, count in found}


def test_texts_look_like_the_source_and_are_not_of_it(people: str, tmp_path: Path) -> None:
    with copy(people, tmp_path, 0.5) as made:
        there = made.sessions.dsn
        lengths = parts(there, "SELECT length(tax), count(*) FROM people WHERE tax ~ '^[0-9]+$' GROUP BY 1")
        assert lengths == {11: pytest.approx(0.75, abs=0.05), 14: pytest.approx(0.25, abs=0.05)}
        mails = parts(
            there, "SELECT mail ~ '^[A-Z][a-z]{5}[.][a-z]@[A-Z][a-z]{6}[.][a-z]{3}$', count(*) FROM people GROUP BY 1"
        )
        assert mails == {True: pytest.approx(0.5, abs=0.05), False: pytest.approx(0.5, abs=0.05)}
        assert one(there, "SELECT count(DISTINCT mail) FROM people WHERE mail ~ '@'") <= 26
        assert one(there, "SELECT count(DISTINCT mail) FROM people WHERE mail !~ '@'") == 1
        assert one(there, "SELECT count(born::date) FROM people") == 2000
        assert one(there, "SELECT count(*) FROM people WHERE length(note) BETWEEN 390 AND 410") == 2000
        for column in ("tax", "mail", '"Token"', "note"):
            told = {row[0] for row in rows(people, f"SELECT {column} FROM people")}
            assert not told & {row[0] for row in rows(there, f"SELECT {column} FROM people")}, column


def test_values_that_the_schema_names_are_there_as_often(people: str, tmp_path: Path) -> None:
    with copy(people, tmp_path, 0.5) as made:
        there = made.sessions.dsn
        moods = parts(there, "SELECT mood::text, count(*) FROM people GROUP BY 1")
        assert moods == {"fine": pytest.approx(0.9, abs=0.03), "bad": pytest.approx(0.1, abs=0.03)}
        states = parts(there, "SELECT state, count(*) FROM people GROUP BY 1")
        assert states == {"new": pytest.approx(0.8, abs=0.03), "paid": pytest.approx(0.2, abs=0.03)}


def test_a_share_of_each_table_keeps_small_ones_whole_and_leaves_no_row_out(people: str, tmp_path: Path) -> None:
    with copy(people, tmp_path, 0.25) as made:
        assert {table.table: (table.rows, table.left_out) for table in made.tables} == {
            'public."Kinds"': (50, 0),
            "public.people": (1000, 0),
            "public.addresses": (1000, 0),
            "public.incomes": (150, 0),
            "public.mains": (250, 0),
        }


def test_of_each_parent_at_most_one_row_has_a_flag_that_as_few_rows_have_there(people: str, tmp_path: Path) -> None:
    with copy(people, tmp_path, 0.5) as made:
        there = made.sessions.dsn
        assert one(there, "SELECT count(*) FROM addresses WHERE main") > 300
        assert rows(there, "SELECT person FROM addresses WHERE main GROUP BY 1 HAVING count(*) > 1") == []
        persons = one(there, "SELECT count(DISTINCT person) FROM addresses")
        assert persons == pytest.approx(400, rel=0.1), "as many parents have rows as there, in their half"


def test_a_flag_stays_one_where_fewer_parents_are_there(people: str, tmp_path: Path) -> None:
    with copied(write_plan(tmp_path, PLAN), sessions(people), Settings(on=people, rows=900), Told()) as made:
        there = made.sessions.dsn
        assert rows(there, "SELECT person FROM mains WHERE main GROUP BY 1 HAVING count(*) > 1") == []
        assert one(there, "SELECT count(*) FROM mains WHERE main") > 50


LOOSE = """
CREATE TABLE public."Owner" (id int PRIMARY KEY, code text);
CREATE TABLE public.loose (id int PRIMARY KEY, owner int, "By" text, mark int);
INSERT INTO public."Owner" SELECT i, 'c' || i FROM generate_series(5, 500, 5) i;
INSERT INTO public.loose SELECT i, 5 * (1 + i % 100), 'c' || 5 * (1 + i % 90), CASE WHEN i % 10 > 0 THEN i * 3 END
    FROM generate_series(1, 2000) i;
ANALYZE;
"""
MENDING = """
phases:
  - id: mend
    steps:
      - constraint: |
          ALTER TABLE public."Owner" ADD CONSTRAINT codes UNIQUE (code);
          ALTER TABLE public.loose ADD CONSTRAINT owner FOREIGN KEY (owner) REFERENCES public."Owner";
          ALTER TABLE public.loose ADD CONSTRAINT by FOREIGN KEY ("By") REFERENCES public."Owner" (code);
          ALTER TABLE public.loose ADD CONSTRAINT marks UNIQUE (mark);
        id: sounder
"""


def test_constraints_that_the_plan_adds_hold_on_generated_rows(dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(LOOSE.encode())
    found = run(write_plan(tmp_path, MENDING), dsn, most=300)
    assert found.failure is None
    assert {table.table: table.rows for table in found.tables} == {'public."Owner"': 100, "public.loose": 300}
    assert found.good


MASKS = st.text(st.sampled_from("99aA") | st.characters(min_codepoint=32, max_codepoint=47), max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(masks=st.lists(MASKS, min_size=1, max_size=5, unique=True), seed=st.integers(0, 2**50))
@example(masks=["9999-99-99", "9999-99-99A99:99:99A"], seed=0)
@example(masks=["'; -- %{} a"], seed=1)
@example(masks=[""], seed=1)
@pytest.mark.one_server
def test_a_text_looks_like_one_of_the_shapes(conn: psycopg.Connection[Any], masks: list[str], seed: int) -> None:
    wanted = [Shape(mask, 1 / len(masks)) for mask in masks]
    query = sql.SQL("SELECT {} FROM generate_series(0, 199) AS g(i)").format(shapes.text(wanted, sql.SQL("g.i"), seed))
    texts = [row[0] for row in conn.execute(query)]
    looks = {re.sub("[a-z]", "a", re.sub("[A-Z]", "A", re.sub("[0-9]", "9", text))) for text in texts}
    assert looks <= set(masks)
    if all(sum(c in "9aA" for c in mask) >= 9 and "9999-99-99" not in mask for mask in masks):
        assert len(set(texts)) == len(texts), "numbers that differ yield texts that differ"
