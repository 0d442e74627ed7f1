"""The sales desk writes as its releases do, and what it was told can be looked up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.demo.journal import Journal
from lockgate.systems import system_folder
from systems.hardening.counts import MINIMUM_SCALE, planted
from systems.hardening.defects import NEGLECTED
from systems.hardening.desk import AGAIN_EVERY, CALL_BACK_AFTER, Desk, caller, lost, probes, read
from systems.hardening.looking import look
from tests.waiting import wait_until

Connection = psycopg.Connection[Any]


def _write(dsn: str, file: Path, callers: int, *, once: bool) -> None:
    with Journal(file) as journal:
        desk = Desk(dsn, 500, journal)
        if once:
            desk.once.set()
        desk.start()
        wait_until(lambda: sum(1 for _ in read(file)) >= callers)
        desk.stop()


def test_the_first_release_writes_some_numbers_twice_and_the_next_one_none(
    found: Connection, dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "desk.jsonl"
    _write(dsn, file, AGAIN_EVERY, once=False)
    first, surplus = len(list(read(file))), planted(MINIMUM_SCALE).surplus_phones
    assert look(found, MINIMUM_SCALE).duplicates == surplus + first // AGAIN_EVERY > surplus
    assert look(found, MINIMUM_SCALE).planted_duplicates == surplus
    _write(dsn, file, first + AGAIN_EVERY, once=True)
    entries = list(read(file))
    assert [entry.error for entry in entries if not entry.ok] == []
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert look(found, MINIMUM_SCALE).duplicates == surplus + first // AGAIN_EVERY
    assert lost(found, entries) == []


DAMAGE = {
    "DELETE FROM core.entities WHERE entity_id = %(entity)s": "entity",
    "DELETE FROM core.entity_emails WHERE entity_id = %(entity)s": "e-mail",
    "DELETE FROM core.entity_phones WHERE entity_id = %(entity)s": "phone",
    "UPDATE core.entity_phones SET is_whatsapp = false WHERE entity_id = %(entity)s": "phone",
    "DELETE FROM core.addresses WHERE id = %(address)s": "address",
    "UPDATE core.addresses SET state = NULL WHERE id = %(address)s": "address",
    "DELETE FROM core.entity_relationships WHERE source_entity_id = %(entity)s": "relationship",
    "UPDATE core.entities SET metadata = '{}' WHERE entity_id = %(entity)s": "the call back",
}


def test_what_is_lost_is_found(found: Connection, dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "desk.jsonl"
    _write(dsn, file, 3 * CALL_BACK_AFTER, once=True)
    entries = list(read(file))
    assert lost(found, entries) == []
    for statement, missing in DAMAGE.items():
        with found.transaction(force_rollback=True):
            found.execute(statement.encode(), caller(3))
            (said,) = lost(found, entries)
        assert said.startswith("caller 3: "), statement
        assert missing in said, statement


def test_each_table_that_the_plan_touches_is_probed_and_nothing_is_changed(
    found: Connection, dsn: str, tmp_path: Path
) -> None:
    _write(dsn, tmp_path / "desk.jsonl", 1, once=True)
    assert set(probes()) == set(NEGLECTED)
    for table, (read_one, write_one) in probes().items():
        before = found.execute(read_one.encode()).fetchall()
        assert len(before) == 1, table
        assert found.execute(write_one.encode()).rowcount == 1, table
        assert found.execute(read_one.encode()).fetchall() == before


@pytest.mark.one_server
def test_the_commands_say_what_there_is_to_be_found() -> None:
    command = [sys.executable, str(system_folder("hardening")), "defects", "--scale", "0.02"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert said["planted"]["surplus_phones"] == 30
    assert said["missing_tables"] == ["ref.property_types", "ref.street_type_catalog"]
