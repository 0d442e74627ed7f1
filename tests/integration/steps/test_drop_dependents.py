"""What depends on a table that is dropped: it was named, or nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import PlanError
from lockgate.preview import StepView, preview
from lockgate.report.collect import collect
from lockgate.report.markdown import render
from tests.integration.engine.plans import one, rows
from tests.integration.steps.retiring import (
    ALLOWED,
    CUSTOMER,
    DEPENDENTS,
    DROPPED,
    NAMED,
    Shop,
    at,
    listed,
    nothing_is_dropped,
    schema,
)

pytestmark = pytest.mark.one_server


@pytest.fixture
def shop(dsn: str, tmp_path: Path) -> Shop:
    return Shop(dsn, tmp_path)


def test_what_depends_on_them_is_listed_and_nothing_is_dropped(shop: Shop) -> None:
    shop.plan(listed(["view app.c", "constraint to_phone on app.live"]), listed([*ALLOWED, "app.last"]))
    shop.archive(*DEPENDENTS, f"CREATE VIEW app.last AS SELECT FROM {CUSTOMER}")
    before = schema(shop.dsn)
    with pytest.raises(PlanError) as caught:
        shop.apply()
    assert caught.value.what == (
        'core.Cust"omer ä, core.phones cannot be dropped: 9 things that `with` does not name in the way'
    )
    why = str(caught.value.why)
    assert 'view app.last (reads archive."Cust""omer ä")' in why
    for name in NAMED.keys() - {"view app.c", "constraint to_phone on app.live"}:
        assert f"{name} (" in why
    assert "app.live (" not in why.replace("there on app.live (", "").replace("up on app.live (", "")
    assert nothing_is_dropped(shop)
    assert schema(shop.dsn) == before


def test_what_is_named_goes_before_them_in_the_right_order(shop: Shop) -> None:
    shop.plan(listed([*NAMED, "view app.gone"]), listed(ALLOWED))
    shop.archive(*DEPENDENTS)
    told = shop.apply()
    assert any("`with` names view app.gone: it is not there" in line for line in told)
    [(dependents,)] = rows(shop.dsn, "SELECT dependents FROM lockgate.dropped WHERE name = 'phones'")
    assert {f"{each['kind']} {each['name']}" for each in dependents} == set(NAMED)
    order = [each["name"] for each in dependents if each["kind"] in {"function", "view", "materialized view"}]
    assert order == ["app.f(integer)", "app.c", 'app."b"""', "app.a"]
    assert rows(shop.dsn, "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace") == [("live",)]
    functions = "SELECT proname FROM pg_proc WHERE pronamespace = 'app'::regnamespace ORDER BY 1"
    assert rows(shop.dsn, functions) == [("named",), ("touch",)]
    assert rows(shop.dsn, "SELECT tablename FROM pg_publication_tables WHERE pubname = 'pub'") == [("live",)]


def test_what_was_dropped_can_be_made_anew_by_the_log(shop: Shop) -> None:
    shop.plan(listed([*NAMED]), listed(ALLOWED))
    shop.archive(*DEPENDENTS)
    shop.apply()
    [(definition, dependents)] = rows(
        shop.dsn, "SELECT definition, dependents FROM lockgate.dropped WHERE name = 'phones'"
    )
    shop.act(definition, *(each["definition"] for each in reversed(dependents)))
    assert rows(shop.dsn, "SELECT count(*) FROM pg_policies WHERE policyname IN ('here', 'there')") == [(2,)]
    assert one(shop.dsn, "SELECT reloptions FROM pg_class WHERE oid = 'app.c'::regclass") == ["security_barrier=true"]
    assert one(shop.dsn, "SELECT to_regclass('app.on_b')::text") == "app.on_b"
    assert one(shop.dsn, "SELECT attnames FROM pg_publication_tables WHERE tablename = 'phones'") == ["id"]


@pytest.mark.parametrize(
    ("made", "name", "title"),
    [
        (
            "CREATE TABLE core.rows (kept archive.phones)",
            "core.rows.kept",
            "column core.rows.kept (has the type of archive.phones; a column is not dropped here",
        ),
        (
            "CREATE TABLE core.numbered (id int DEFAULT nextval('archive.phones_id_seq'))",
            "core.numbered.id",
            "default for core.numbered.id (is made with archive.phones_id_seq; a default is not dropped here",
        ),
    ],
)
def test_what_cannot_be_dropped_alone_is_refused_even_if_it_is_named(
    shop: Shop, made: str, name: str, title: str
) -> None:
    shop.plan(listed([title.partition(" (")[0]]), listed([name, f"for {name}"]))
    shop.archive(made)
    with pytest.raises(PlanError) as caught:
        shop.apply()
    assert title in str(caught.value.why)
    assert nothing_is_dropped(shop)


def test_a_text_that_names_a_table_must_be_allowed_or_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.archive()
    text = "CREATE FUNCTION core.named() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM archive.phones'"
    at("drop.ready", lambda: shop.act(text), monkeypatch)
    with pytest.raises(PlanError) as caught:
        shop.apply()
    assert caught.value.why == "function core.named() (names archive.phones in its text, by its text)"
    assert [row[1] for row in rows(shop.dsn, DROPPED)] == ['Cust"omer ä']


def test_the_plan_shows_what_will_go_and_what_is_in_the_way(shop: Shop) -> None:
    def step() -> StepView:
        return preview(shop.loaded, shop.sessions, shop.clock).phases[2].steps[0]

    shop.plan(allow=listed(ALLOWED))
    assert "has not archived" in str(step().later), "other phases come first"
    shop.archive(*DEPENDENTS)
    problem = step().problem
    assert isinstance(problem, PlanError)
    assert "core.phones cannot be dropped: 10 things" in problem.what
    shop.plan(listed([*NAMED]), listed(ALLOWED))
    told = step().lines
    assert "before it: DROP VIEW app.c" in told
    assert told[-1].startswith("archive.phones, which was core.phones, is dropped for good, no way back but a backup: ")
    assert "3 rows, " in told[-1]
    assert nothing_is_dropped(shop)


def test_the_report_lists_what_is_gone(shop: Shop) -> None:
    shop.plan(listed([*NAMED]), listed(ALLOWED))
    shop.archive(*DEPENDENTS)
    shop.apply()
    with shop.sessions.open("test") as conn:
        found = collect(conn, "shop")
    customer, phones = found.removed
    assert (customer.table, phones.table, phones.archived_as) == ('core.Cust"omer ä', "core.phones", "archive.phones")
    assert (phones.rows, phones.backups) == (3, (1, 2))
    assert set(phones.dependents) == set(NAMED)
    text = render(found)
    [line] = [line for line in text.splitlines() if line.startswith("| core.phones |")]
    assert line.startswith(f"| core.phones | 3 | 0 | {phones.bytes:,} | - | {phones.at:%Y-%m-%d %H:%M:%S} UTC | ")
    assert "view app.c; " in line
    assert line.endswith(f" | 1, 2 | [#{phones.seq}](#e{phones.seq}) |")
    assert "The way back: none once a table is dropped: its rows are in backups." in text


def test_a_publication_of_all_tables_is_named_and_stays(shop: Shop) -> None:
    shop.plan(allow="every")
    shop.archive("CREATE PUBLICATION every FOR ALL TABLES")
    with pytest.raises(PlanError) as caught:
        shop.apply()
    assert caught.value.why == "publication every (publishes all tables)"
    shop.plan("publication every", "every")
    shop.sample()
    shop.apply()
    assert rows(shop.dsn, "SELECT pubname FROM pg_publication") == [("every",)]
    assert len(rows(shop.dsn, DROPPED)) == 2
