"""`lockgate init` writes a plan that runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.plan.load import load_plan
from tests.acceptance.shop import Shop


def test_the_plan_loads_runs_and_goes_back(shop: Shop, tmp_path: Path) -> None:
    made = tmp_path / "first"
    said = shop.run("init", str(made)).stdout
    assert "Plan first begins with old.orders (found 2 tables):" in said
    text = (made / "plan.yaml").read_text()
    assert "#   old.orders: about 5,000 rows, key id, refers to old.customers" in text
    assert load_plan(made).plan.plan == "first"
    shop.run("apply", str(made))
    assert shop.sql("SELECT count(*) FROM new_model.orders") == [(5000,)]
    shop.run("verify", str(made))
    shop.run("rollback", str(made), "--to", "@start", "--yes")
    assert shop.sql("SELECT to_regnamespace('new_model')") == [(None,)]


def test_names_that_need_quotes(shop: Shop, tmp_path: Path) -> None:
    shop.sql(
        'CREATE TABLE public."Odd ""Name"" #1: x" ("Id" int, "no" text, "g" int GENERATED ALWAYS AS ("Id" * 2) STORED,'
        ' PRIMARY KEY ("Id", "no")); INSERT INTO public."Odd ""Name"" #1: x" VALUES (1, \'a\'), (2, \'b\')'
    )
    made = tmp_path / "odd"
    shop.run("init", str(made), "--table", 'Odd "Name" #1: x')
    shop.run("apply", str(made))
    assert shop.sql('SELECT * FROM new_model."Odd ""Name"" #1: x" ORDER BY 1') == [(1, "a"), (2, "b")]


def test_an_existing_folder_of_migrations_is_named(shop: Shop, tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    for name in ("9_first.sql", "10_second.sql", "README.md"):
        (migrations / name).write_text("")
    shop.run("init", str(tmp_path / "p"), "--migrations", str(migrations))
    text = (tmp_path / "p" / "plan.yaml").read_text()
    assert "sqlx, dbmate or goose" in text
    assert f"2 in {migrations}, the last is\n#   10_second.sql\n" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--table", "old.custmers"), "There is no table old.custmers; did you mean `old.customers`?"),
        (("--table", "keyless"), "This table has no primary key"),
        (("--migrations", "/nowhere"), "There is no such folder of migrations"),
        (("--name", "9 lives"), "'9 lives' cannot be the name of a plan"),
    ],
)
def test_what_cannot_be_begun_with(shop: Shop, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    shop.sql("CREATE TABLE keyless (a int)")
    assert message in shop.run("init", str(tmp_path / "p"), *words, code=2).stderr
    assert not (tmp_path / "p").exists()


def test_a_plan_is_never_written_over(shop: Shop) -> None:
    assert "There is a plan here already" in shop.run("init", "{plan}", code=2).stderr
