"""Wrong things get a message that says what, where, why and what to do: never a traceback, never a secret."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.acceptance.shop import FIXTURE, Shop
from tests.conftest import StartServer

pytestmark = pytest.mark.one_server  # messages of the tool

NOWHERE = "postgresql://ana:s3cret@127.0.0.1:1/shop"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The shop's plan, without a database."""
    return Path(shutil.copytree(FIXTURE, tmp_path / "shop"))


EVERY = (
    ("plan", "{plan}"),
    ("apply", "{plan}"),
    ("sync", "{plan}"),
    ("status", "{plan}"),
    ("watch", "{plan}"),
    ("pause", "{plan}"),
    ("resume", "{plan}"),
    ("tune", "{plan}", "--workers", "2"),
    ("work", "{plan}"),
    ("verify", "{plan}"),
    ("verify", "{plan}", "--ledger"),
    ("rollback", "{plan}", "--yes"),
    ("approve", "orders", "--by", "Ana", "--plan", "{plan}", "--yes"),
    ("report", "{plan}"),
    ("doctor", "{plan}"),
    ("uninstall", "--yes"),
)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_database_that_is_not_there(plan: Path, words: tuple[str, ...]) -> None:
    result = Shop(NOWHERE, plan).run(*words, code=2)
    assert "Error: The database cannot be reached\n  Where: ana@127.0.0.1:1/shop\n  Why: " in result.stderr
    assert "\n  Do: " in result.stderr
    assert "s3cret" not in result.output
    json = Shop(NOWHERE, plan).run(*words, "--format", "json", code=2)
    assert '"kind": "ConnectionFailed"' in json.stdout
    assert "s3cret" not in json.output


NEEDS_LEDGER = [
    words for words in EVERY if words[0] in {"sync", "pause", "resume", "tune", "work", "verify", "rollback", "report"}
]


@pytest.mark.parametrize("words", NEEDS_LEDGER, ids=" ".join)
def test_a_database_without_a_ledger(dsn: str, plan: Path, words: tuple[str, ...]) -> None:
    said = Shop(dsn, plan).run(*words, code=1).stderr
    assert "There is no ledger in this database" in said
    assert "`lockgate apply` makes the ledger" in said


def test_a_wrong_password_is_not_shown(own_server: StartServer, plan: Path) -> None:
    right = own_server(loopback=True).dsn()
    head, _, place = right.rpartition("@")
    secret = head.rsplit(":", 1)[1]
    wrong = right.replace(secret, "not-the-s3cret")
    for address in (wrong, wrong.replace("postgresql://", "postgresql+asyncpg://")):
        result = Shop(address, plan).run("apply", "{plan}", code=2)
        assert "The password was not accepted" in result.stderr
        assert place.split("/")[0] in result.stderr
        assert "not-the-s3cret" not in result.output
        assert secret not in result.output
    assert Shop(right, plan).run("status", "{plan}")


def test_every_problem_of_a_plan_at_its_place(plan: Path) -> None:
    file = plan / "plan.yaml"
    file.write_text(
        file.read_text().replace("into: shop.orders", "intoo: shop.orders").replace("title: One", "titel: One")
    )
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if "titel" in text)
    shop = Shop(NOWHERE, plan)
    said = shop.run("plan", "{plan}", code=2).stderr
    assert f"plan.yaml:{line}:5: unknown key `titel`; did you mean `title`?" in said
    assert "unknown key `intoo`; did you mean `into`?" in said
    found = shop.object("plan", "{plan}", code=2)["error"]
    assert found["kind"] == "InvalidPlanError"
    assert {"where": f"plan.yaml:{line}:5", "what": "unknown key `titel`; did you mean `title`?"} in found["problems"]


def test_a_wrong_column_is_found_before_anything_runs(shop: Shop) -> None:
    file = shop.plan / "sql" / "subscribers.sql"
    file.write_text(file.read_text().replace("c.newsletter", "c.newsleter"))
    shop.run("apply", "{plan}", "--to", "model")
    said = shop.run("plan", "{plan}", code=1).stdout
    assert "sql/subscribers.sql:1:" in said
    assert "newsletter" in said
    assert "1 problem; nothing was touched." in said
    refused = shop.run("apply", "{plan}", code=2).stderr
    assert "newsleter" in refused
    assert shop.sql("SELECT count(*) FROM shop.subscribers") == [(0,)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("apply", "/nowhere"), "There is no such plan\n  Where: /nowhere"),
        (("apply", "/"), "There is no plan here\n  Where: /\n  Why: The folder holds no plan.yaml."),
        (("apply", "{plan}", "--plan", "/elsewhere"), "Two plans were given"),
        (("apply", "{plan}", "--to", "orderz"), "There is no phase orderz"),
        (("rollback", "{plan}", "--to", "orderz", "--yes"), "There is no ledger"),
        (("approve", "orderz", "--by", "A", "--plan", "{plan}", "--yes"), "There is no phase orderz"),
        (("approve", "model", "--by", "A", "--plan", "{plan}", "--yes"), "Phase model asks for no approval"),
        (("tune", "{plan}"), "Nothing to change was named"),
        (("tune", "{plan}", "--workers", "0"), "'--workers'"),
        (("status",), "No plan was named, and none has a history in this database"),
        (("aply",), "There is no command 'aply'. Did you mean apply?"),
        (("verify", "{plan}", "--ledger", "--head", "x"), "There is no ledger"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_words(
    dsn: str, plan: Path, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    shop = Shop(dsn, plan)
    code = 1 if "no ledger" in message else 2
    assert message in shop.run(*words, code=code).stderr


def test_without_an_address(plan: Path) -> None:
    said = Shop("", plan).run("status", "{plan}", code=2).stderr
    assert "No database was named" in said
    assert "DATABASE_URL" in said


def test_several_plans_in_one_database(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run("apply", "{plan}", "--to", "model")
    other = shop.plan.parent / "other"
    shop.run("init", str(other))
    shop.run("apply", str(other))
    monkeypatch.chdir("/")
    said = shop.run("status", code=2).stderr
    assert "Several plans have a history in this database\n  Why: They are: other, shop." in said
    monkeypatch.chdir(other)
    assert "Plan other in database" in shop.run("status").stdout
