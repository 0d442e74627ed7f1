"""`lockgate grants`: what it prints, given to the database, is enough and no more."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.acceptance.shop import Shop


@pytest.fixture
def roles(shop: Shop) -> Iterator[dict[str, str]]:
    """An owner of the old model, an operator and an application's role, by what they are."""
    tag = shop.dsn.rsplit("lockgate_test_")[1][:12]
    names = {kind: f"{kind}_{tag}" for kind in ("owner", "operator", "app")}
    for name in names.values():
        shop.sql(f"CREATE ROLE {name} LOGIN")
    owner = names["owner"]
    for thing in ("SCHEMA old", "TABLE old.customers", "TABLE old.orders"):
        shop.sql(f"ALTER {thing} OWNER TO {owner}")
    shop.sql(f"GRANT USAGE ON SCHEMA old TO {names['app']}; GRANT ALL ON ALL TABLES IN SCHEMA old TO {names['app']}")
    yield names
    for name in names.values():
        shop.sql(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}")
    for name in names.values():
        shop.sql(f"DROP ROLE {name}")


def test_what_is_printed_is_enough(shop: Shop, roles: dict[str, str]) -> None:
    words = ("grants", "{plan}", "--operator", roles["operator"], "--application", roles["app"])
    sql = shop.run(*words).stdout
    assert f"-- {roles['owner']} owns old.customers, old.orders; only an owner may make the triggers that log." in sql
    shop.sql(sql)
    shop.sql(f"GRANT CREATE ON DATABASE {shop.dsn.split('/')[3].split('?')[0]} TO {roles['operator']}")
    operator = Shop(make_conninfo(shop.dsn, user=roles["operator"]), shop.plan)
    operator.run("apply", "{plan}", "--to", "subscribers")
    application = Shop(make_conninfo(shop.dsn, user=roles["app"]), shop.plan)
    application.sql("INSERT INTO old.customers (name, email) VALUES ('n', 'n@example.com')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.sql("SELECT count(*) FROM lockgate.chain")


def test_nobody_is_made_a_superuser(shop: Shop) -> None:
    sql = shop.run("grants", "{plan}", "--operator", "deploy").stdout
    assert "owns old.customers, old.orders, and is a superuser, which deploy must not become" in sql
    assert 'TO "deploy";' in sql
    assert 'GRANT "postgres"' not in sql


def test_without_a_plan_no_database_is_asked(shop: Shop) -> None:
    nowhere = Shop("", shop.plan)
    assert 'CREATE SCHEMA IF NOT EXISTS lockgate AUTHORIZATION "lockgate";' in nowhere.run("grants").stdout
    assert nowhere.object("grants", "--application", "web")["application"] == ["web"]
