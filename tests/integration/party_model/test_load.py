from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from systems.party_model.journal import read
from systems.party_model.people import known_people, load_rows
from systems.party_model.verify import verify

from .by_hand import one
from .project import command, service

Connection = psycopg.Connection[Any]

CONTACTS = "SELECT count(*) FROM core.entity_emails UNION ALL SELECT count(*) FROM core.entity_phones"


@pytest.fixture
def journal(both_models: Connection, service_dsn: str, dsn: str, tmp_path: Path) -> Path:
    """The journal of a load that wrote both models."""
    file, known = tmp_path / "journal.jsonl", tmp_path / "known.json"
    known.write_text(json.dumps(command(dsn, "people", "--limit", 50)))
    with service(service_dsn, "--model", "both") as url:
        load = ("load", "--url", url, "--journal", file, "--known", known)
        command(dsn, *load, "--rate", 150, "--workers", 4, "--seconds", 2)
    return file


def test_nothing_that_was_acknowledged_is_lost_and_the_rows_can_be_told_apart(
    both_models: Connection, dsn: str, journal: Path
) -> None:
    now = time.time()
    verified = command(dsn, "verify", "--journal", journal, "--interval", f"all:{now - 600}:{now}")
    assert verified["failures"] == []
    assert verified["lost"] == []
    assert (verified["requests"], verified["failed_requests"], verified["lost_writes"]) == (300, 0, 0)
    assert verified["acknowledged_writes"] > 300
    times = verified["latency"]["all"]
    assert times["requests"] == 300
    assert 0 < times["p50_ms"] <= times["p99_ms"] <= times["max_ms"]
    assert {entry.kind for entry in read(journal)} == {"change known", "change", "erase", "several", "process", "new"}

    made = {each.mapping: each for each in load_rows(both_models)}
    in_load = "(SELECT id FROM core.parties WHERE cpf_cnpj LIKE '9%' AND length(cpf_cnpj) = 11)"
    for mapping, table, which in (
        ("parties", "parties", "id"),
        ("people", "people", "party_id"),
        ("enrichments", "party_enrichments", "party_id"),
        ("party_addresses", "party_addresses", "party_id"),
    ):
        there = one(both_models, f"SELECT count(*) FROM core.{table} WHERE {which} IN {in_load}")
        assert there == made[mapping].migrated > 0, mapping
    contacts = one(both_models, f"SELECT count(*) FROM core.party_contacts WHERE party_id IN {in_load}")
    assert contacts == made["contacts_from_emails"].migrated + made["contacts_from_phones"].migrated
    assert sum(each.merged for each in made.values()) > 0
    assert all(each.source_rows == each.migrated + each.merged + each.rejected for each in made.values())


def test_what_a_service_did_not_store_is_not_looked_for(
    legacy: Connection, service_dsn: str, dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "journal.jsonl"
    with service(service_dsn) as url:
        for model in ("none", "old"):
            legacy.execute("UPDATE core.service_settings SET value = %s WHERE name = 'model'", [model])
            load = ("load", "--url", url, "--journal", file, "--rate", 100, "--workers", 2, "--seconds", 1)
            command(dsn, *load, "--seed", 1 if model == "none" else 2)
            verified = command(dsn, "verify", "--journal", file, "--models", "old")
            assert verified["failures"] == verified["lost"] == []
            assert (verified["acknowledged_writes"] > 0) == (model == "old")
    assert {entry.model for entry in read(file)} == {"none", "old"}


DAMAGE = {
    "DELETE FROM core.entities WHERE national_id = %s": "old",
    "UPDATE core.entities SET name = name || '!' WHERE national_id = %s": "old",
    "DELETE FROM core.parties WHERE cpf_cnpj = %s": "new",
    "UPDATE core.parties SET metadata = '{}' WHERE cpf_cnpj = %s": "new",
    "INSERT INTO core.parties (cpf_cnpj, party_type) VALUES (%s, 'person')": "new",
    "DELETE FROM core.party_enrichments WHERE party_id IN (SELECT id FROM core.parties WHERE cpf_cnpj = %s)": "new",
    "INSERT INTO core.party_contacts (party_id, contact_type, value)"
    " SELECT id, 'phone', '1' FROM core.parties WHERE cpf_cnpj = %s": "new",
    "DELETE FROM core.people WHERE cpf = %s": "new",
}


def test_what_is_lost_is_found(both_models: Connection, journal: Path) -> None:
    entries = list(read(journal))
    erased = {cpf for entry in entries for cpf in entry.erased}
    cpf = next(cpf for entry in entries for cpf in entry.people if cpf not in erased)
    for damage, model in DAMAGE.items():
        with both_models.transaction(force_rollback=True):
            both_models.execute(damage, [cpf])
            assert [(lost.cpf, lost.model) for lost in verify(entries, both_models)] == [(cpf, model)], damage

    cpf = next(cpf for entry in entries for cpf in entry.erased)
    both_models.execute("INSERT INTO core.entities (national_id) VALUES (%s)", [cpf])
    assert [(lost.cpf, lost.model, lost.what) for lost in verify(entries, both_models)] == [(cpf, "old", "still there")]


def test_changing_known_people_leaves_the_counts_as_they_are(
    legacy: Connection, service_dsn: str, dsn: str, tmp_path: Path
) -> None:
    known = known_people(legacy, 30)
    assert len(known) == 30
    before = legacy.execute(CONTACTS).fetchall()
    file, people = tmp_path / "journal.jsonl", tmp_path / "known.json"
    people.write_text(json.dumps(command(dsn, "people", "--limit", 30)))
    with service(service_dsn) as url:
        load = ("load", "--url", url, "--journal", file, "--known", people)
        command(dsn, *load, "--rate", 150, "--workers", 4, "--seconds", 1)
    changed = [entry for entry in read(file) if entry.kind == "change known"]
    assert len(changed) > 10
    assert all(entry.ok for entry in changed)
    made = {each.mapping: each.source_rows for each in load_rows(legacy)}
    after = legacy.execute(CONTACTS).fetchall()
    gained = [now[0] - then[0] for then, now in zip(before, after, strict=True)]
    assert gained == [made["contacts_from_emails"], made["contacts_from_phones"]]
    lost = verify(read(file), legacy, models=["old"])
    assert lost == []


def test_requests_that_nobody_answers_are_failures(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    load = ("load", "--url", "http://127.0.0.1:9", "--journal", file)
    command(dsn, *load, "--rate", 50, "--workers", 2, "--seconds", 0.2)
    entries = list(read(file))
    assert len(entries) == 10
    assert not any(entry.ok for entry in entries)
    assert all(entry.error.startswith("ConnectionRefusedError") for entry in entries)
