from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from systems.party_model.counts import BORN
from systems.party_model.service import cpf as cpfs

from .by_hand import one
from .project import command, service

pytestmark = pytest.mark.one_server  # the application's plain statements; its rows are migrated on both

Connection = psycopg.Connection[Any]

CPF = cpfs.of_load(7)
LEAD = "/api/v1/c2s/enrich/L1"


@pytest.fixture
def client(both_models: Connection, service_dsn: str) -> Iterator[httpx.Client]:
    """Talks to the service, which writes the old model, the one in use, unless told otherwise."""
    with service(service_dsn) as url, httpx.Client(base_url=url) as client:
        yield client


def _lead(*people: dict[str, Any]) -> dict[str, Any]:
    return {"people": list(people)}


def _emails(*addresses: str) -> list[dict[str, Any]]:
    return [{"address": address, "primary": place == 0} for place, address in enumerate(addresses)]


def _stored(conn: Connection, query: str) -> list[Any]:
    return [row[0] for row in conn.execute(query, [CPF])]


OLD_EMAILS = (
    "SELECT email FROM core.entity_emails JOIN core.entities USING (entity_id) WHERE national_id = %s ORDER BY id"
)
NEW_EMAILS = (
    "SELECT value FROM core.party_contacts JOIN core.parties ON id = party_id"
    " WHERE cpf_cnpj = %s AND contact_type = 'email' ORDER BY value"
)


def test_it_is_well_and_says_what_it_writes(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok", "model": "in use"}
    assert client.put("/admin/model", json={"model": "both"}).json() == {"model": "both"}
    assert client.get("/health").json() == {"status": "ok", "model": "both"}
    assert client.put("/admin/model", json={"model": "neither"}).status_code == 400


def test_a_lead_is_stored_in_the_models_that_are_asked_for(client: httpx.Client, both_models: Connection) -> None:
    lead = _lead({"cpf": CPF, "emails": _emails(" Eu@Aqui.example")})
    answer = client.post(LEAD, json=lead)
    assert answer.headers["x-model"] == "old"
    assert answer.json()["stored_in_db"] == 1
    assert _stored(both_models, OLD_EMAILS) == [" Eu@Aqui.example"]
    assert _stored(both_models, NEW_EMAILS) == []

    again = client.post(LEAD, json=lead, headers={"X-Model": "both"}).json()
    assert again["entity_ids"] == answer.json()["entity_ids"]
    assert _stored(both_models, NEW_EMAILS) == ["eu@aqui.example"]
    assert one(both_models, f"SELECT id FROM core.parties WHERE cpf_cnpj = '{CPF}'") == one(
        both_models, f"SELECT entity_id FROM core.entities WHERE national_id = '{CPF}'"
    )


def test_while_storing_is_switched_off_a_lead_is_answered_and_nothing_is_stored(
    client: httpx.Client, both_models: Connection
) -> None:
    both_models.execute("UPDATE core.service_settings SET value = 'none' WHERE name = 'model'")
    answer = client.post(LEAD, json=_lead({"cpf": CPF, "emails": _emails("eu@aqui.example")}, {"cpf": "123"}))
    assert (answer.status_code, answer.headers["x-model"]) == (200, "none")
    assert answer.json() == {
        "success": True,
        "message_sent": True,
        "stored_in_db": 0,
        "entity_ids": [],
        "failed": {"123": "not a CPF"},
    }
    assert client.delete(f"/api/v1/people/{CPF}").json() == {"success": True, "found": False}
    assert _stored(both_models, "SELECT 1 FROM core.entities WHERE national_id = %s") == []

    both_models.execute("UPDATE core.service_settings SET value = 'old' WHERE name = 'model'")
    assert client.post(LEAD, json=_lead({"cpf": CPF, "emails": _emails("eu@aqui.example")})).json()["stored_in_db"] == 1
    assert _stored(both_models, OLD_EMAILS) == ["eu@aqui.example"]


def test_a_lead_in_whose_midst_storing_is_switched_on_is_not_stored_by_half(
    client: httpx.Client, both_models: Connection
) -> None:
    both_models.execute("CREATE SEQUENCE core.looks")
    both_models.execute("ALTER TABLE core.service_settings RENAME TO settings")
    both_models.execute(
        "CREATE VIEW core.service_settings AS"
        " SELECT 'model' AS name, CASE nextval('core.looks') WHEN 1 THEN 'none' ELSE 'old' END AS value"
    )
    lead = _lead({"cpf": CPF}, {"cpf": cpfs.of_load(8)})
    answer = client.post(LEAD, json=lead)
    assert (answer.headers["x-model"], answer.json()["stored_in_db"]) == ("none", 0)
    answer = client.post(LEAD, json=lead)
    assert (answer.headers["x-model"], answer.json()["stored_in_db"]) == ("old", 2)


def test_what_is_stored_of_an_address_says_how_sure_it_is(client: httpx.Client, both_models: Connection) -> None:
    people = [cpfs.of_load(number) for number in range(20)]
    # The second time it is said of rows that are there and say nothing.
    for _ in range(2):
        both_models.execute("UPDATE core.entity_addresses SET confidence_score = NULL")
        for cpf in people:
            assert client.post(LEAD, json=_lead({"cpf": cpf})).json()["stored_in_db"] == 1
    scores = both_models.execute(
        "SELECT DISTINCT a.is_primary, a.confidence_score::text FROM core.entity_addresses a"
        " JOIN core.entities e USING (entity_id) WHERE e.national_id = ANY (%s) ORDER BY 1",
        [people],
    ).fetchall()
    assert scores == [(False, "0.75"), (True, "0.90")]


@pytest.mark.parametrize("model", ["old", "new", "both"])
def test_a_second_lead_replaces_contacts_and_keeps_the_row_count(
    client: httpx.Client, both_models: Connection, model: str
) -> None:
    for emails in (_emails("a@x.example", "b@x.example"), _emails("b@x.example", "c@x.example")):
        client.post(LEAD, json=_lead({"cpf": CPF, "emails": emails}), headers={"X-Model": model})
    if model != "new":
        assert _stored(both_models, OLD_EMAILS) == ["c@x.example", "b@x.example"]
    if model != "old":
        assert _stored(both_models, NEW_EMAILS) == ["b@x.example", "c@x.example"]
        primary = NEW_EMAILS.replace("contact_type =", "is_primary AND contact_type =")
        assert _stored(both_models, primary) == ["b@x.example"]


def test_one_person_that_fails_does_not_stop_the_others(client: httpx.Client) -> None:
    wrong = CPF[:-1] + str((int(CPF[-1]) + 1) % 10)
    unreadable = {"cpf": cpfs.of_load(9), "emails": [{"primary": True}]}
    answer = client.post(LEAD, json=_lead({"cpf": wrong}, unreadable, {"cpf": CPF})).json()
    assert answer["success"]
    assert answer["message_sent"]
    assert answer["stored_in_db"] == len(answer["entity_ids"]) == 1
    assert answer["failed"] == {wrong: "not a CPF", unreadable["cpf"]: "not to be read"}


def test_a_database_that_refuses_is_a_failure_of_the_request(client: httpx.Client, both_models: Connection) -> None:
    both_models.execute("ALTER TABLE core.entity_emails ADD CHECK (email <> 'no@x.example') NOT VALID")
    people = _lead({"cpf": CPF, "emails": _emails("no@x.example")}, {"cpf": cpfs.of_load(9)})
    answer = client.post(LEAD, json=people)
    assert answer.status_code == 500
    assert answer.json()["failed"] == {CPF: "CheckViolation"}
    assert answer.json()["stored_in_db"] == 1
    assert one(both_models, f"SELECT count(*) FROM core.entities WHERE national_id = '{CPF}'") == 0


def test_a_lead_can_be_processed_by_its_id(client: httpx.Client, both_models: Connection) -> None:
    other = cpfs.of_load(8)
    answer = client.get("/api/v1/leads/process", params={"id": f"G1.{CPF}.{other}"}).json()
    assert answer["stored_in_db"] == 2
    leads = both_models.execute(
        "SELECT DISTINCT metadata ->> 'c2s_lead_id' FROM core.entities WHERE national_id = ANY (%s)", [[CPF, other]]
    ).fetchall()
    assert leads == [(f"G1.{CPF}.{other}",)]


@pytest.mark.parametrize("path", ["/api/v1/leads/process", "/api/v1/leads/process?id=L1"])
def test_a_lead_that_names_nobody_is_refused(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 400


def test_bodies_and_headers_that_make_no_sense_are_refused(client: httpx.Client) -> None:
    assert client.post(LEAD, content=b"{").status_code == 400
    assert client.post(LEAD, json=["nobody"]).status_code == 400
    assert client.post(LEAD, json=_lead({"cpf": CPF}), headers={"X-Model": "neither"}).status_code == 400
    assert client.delete(f"/api/v1/people/{CPF}", headers={"X-Model": "neither"}).status_code == 400


def test_a_person_can_be_forgotten(client: httpx.Client, both_models: Connection) -> None:
    client.post(LEAD, json=_lead({"cpf": CPF}), headers={"X-Model": "both"})
    for found in (True, False):
        answer = client.delete(f"/api/v1/people/{CPF}", headers={"X-Model": "both"}).json()
        assert answer == {"success": True, "found": found}
    assert _stored(both_models, "SELECT 1 FROM core.entities WHERE national_id = %s") == []
    assert _stored(both_models, "SELECT 1 FROM core.parties WHERE cpf_cnpj = %s") == []


def test_the_service_may_not_look_at_the_ledger(both_models: Connection, service_dsn: str) -> None:
    both_models.execute("CREATE SCHEMA lockgate")
    both_models.execute("CREATE TABLE lockgate.chain ()")
    with psycopg.connect(service_dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT * FROM lockgate.chain")


def test_the_born_are_in_the_new_model_only(
    both_models: Connection, service_dsn: str, dsn: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    tables = ("parties", "people", "party_contacts", "party_enrichments", "entities")
    before = {table: one(both_models, f"SELECT count(*) FROM core.{table}") for table in tables}
    with service(service_dsn) as url:
        command(dsn, "born", "--url", url, "--journal", journal)
        command(dsn, "born", "--url", url, "--journal", journal)  # the same people again
    gained = {table: one(both_models, f"SELECT count(*) FROM core.{table}") - before[table] for table in tables}
    assert gained == {"parties": BORN, "people": BORN, "party_contacts": 0, "party_enrichments": 0, "entities": 0}
    verified = command(dsn, "verify", "--journal", journal)
    assert (verified["requests"], verified["failed_requests"], verified["lost_writes"]) == (2 * BORN, 0, 0)
