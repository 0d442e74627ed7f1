"""The hardening: what the plan makes of the database, the way back, what comes in between, and what comes next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.demo import DemoOptions
from lockgate.demo.hardened import added, exhibits
from lockgate.demo.hardening import run
from lockgate.engine import runner
from lockgate.engine.context import Silent
from lockgate.engine.rollback import rollback
from lockgate.engine.session import Sessions
from lockgate.engine.undoing import BEGINNING
from lockgate.errors import LockgateError
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.report import collect
from lockgate.report.model import Report
from lockgate.systems import system_folder
from systems.hardening.counts import MINIMUM_SCALE, counts, planted
from systems.hardening.generate import generate
from systems.hardening.looking import Object, State, look, objects
from systems.hardening.offline import harden
from tests.databases import Templates

TWICE = """
INSERT INTO core.entity_phones (entity_id, phone, created_at)
SELECT entity_id, phone, created_at + interval '1 day' FROM core.entity_phones
WHERE phone IS NOT NULL ORDER BY id LIMIT 1
"""


def _found(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, MINIMUM_SCALE)


@pytest.fixture
def template(server_dsn: str, templates: Templates) -> str:
    """The database as it was found."""
    return templates.of(server_dsn, _found)


class Team:
    """Runs the plan of a system on the database."""

    def __init__(self, dsn: str, system: str = "hardening") -> None:
        self.dsn = dsn
        self.loaded: LoadedPlan = load_plan(system_folder(system) / "plan")
        self.sessions = Sessions(dsn, self.loaded.plan.settings)

    def apply(self, to: str | None = None, progress: Silent | None = None) -> None:
        runner.apply(self.loaded, self.sessions, to=to, progress=progress or Silent())

    def take_back(self, to: str = BEGINNING) -> None:
        rollback(self.loaded, self.sessions, to=to)

    def act(self, *statements: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def ask(self, query: str) -> Any:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            row = conn.execute(query.encode()).fetchone()
        return row[0] if row else None

    def state(self) -> State:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            return look(conn, MINIMUM_SCALE)

    def objects(self) -> frozenset[Object]:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            return objects(conn)

    def report(self) -> Report:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            return collect(conn, self.loaded.plan.plan, show_values=True)


def test_everything_comes_out_as_the_team_wrote_it_down_and_goes_back_byte_for_byte(dsn: str) -> None:
    team, wrong = Team(dsn), planted(MINIMUM_SCALE)
    before, was = team.state(), team.objects()
    team.apply()
    after, new = team.state(), added(was, team.objects())
    assert (after.duplicates, after.states, after.zip_codes) == (0, 0, 0)
    assert (new.constraints, new.checks, new.foreign_keys) == (3, 2, 1)
    assert (new.indexes, new.unique) == (7, 3)
    assert len(new.tables) == 6
    report = team.report()
    ((table, kept),) = exhibits(report, "quarantined:")
    assert (table, kept["rows"]) == ("core.entity_phones", wrong.surplus_phones)
    skipped = {name: found["skipped_because"] for name, found in exhibits(report, "skipped:")}
    assert skipped == {
        "fk_property_type": "ref.property_types does not exist yet",
        "fk_street_type": "ref.street_type_catalog does not exist yet",
    }
    # What has no form is kept, and told.
    target = team.ask("SELECT id FROM lockgate.sync_targets WHERE plan = 'hardening'")
    for column, rows in (("state", wrong.states_unusable), ("zip_code", wrong.zip_codes_unusable)):
        place = f"attnum FROM pg_attribute WHERE attrelid = 'core.addresses'::regclass AND attname = '{column}'"
        number = team.ask(f"SELECT {place}")
        kept_values = f"SELECT count(*) FROM lockgate.before_{target} WHERE lockgate_o{number} IS NOT NULL"
        assert team.ask(f"{kept_values} AND lockgate_n{number} IS NULL") == rows
    told = [gate.what for phase in report.phases if phase.name == "values" for gate in phase.gates]
    assert any(str(wrong.states_unusable) in what for what in told)
    # Of each number the oldest row stayed.
    younger = (
        f"SELECT count(*) FROM {kept['kept in']} q JOIN core.entity_phones s USING (entity_id, phone)"
        " WHERE (q.created_at, q.id) < (s.created_at, s.id)"
    )
    assert team.ask(younger) == 0
    assert team.ask("SELECT value FROM core.service_settings WHERE name = 'model'") == "old"

    team.take_back()
    assert team.state() == before
    assert team.objects() == was
    assert team.ask("SELECT value FROM core.service_settings WHERE name = 'model'") == "none"
    team.apply()
    assert team.state() == after


class Interfering(Silent):
    """Writes a number twice as soon as the duplicates are gone."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.written = False

    def event(self, message: str) -> None:
        if not self.written and "phones_per_entity" in message:
            self.written = True
            self.team.act(TWICE)


def test_a_number_that_is_written_twice_before_the_key_is_there_is_named_and_loses_nothing(dsn: str) -> None:
    team = Team(dsn)
    interfering = Interfering(team)
    before = team.state()
    with pytest.raises(LockgateError) as raised:
        team.apply("duplicates", interfering)
    assert interfering.written
    assert "uq_entity_phones_per_entity" in str(raised.value)
    assert team.state().duplicates == 1
    team.take_back()
    assert team.state().duplicates == before.duplicates + 1
    assert team.state().phones == before.phones
    team.apply("duplicates")
    assert team.state().duplicates == 0


def test_the_offline_way_comes_to_the_same(dsn: str) -> None:
    team = Team(dsn)
    was = team.objects()
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert harden(conn) > 0
    offline, new = team.state(), added(was, team.objects())
    assert (offline.duplicates, offline.states, offline.zip_codes) == (0, 0, 0)
    assert (new.constraints, new.indexes, len(new.tables)) == (3, 7, 6)


@pytest.mark.slow
def test_the_party_model_follows_on_the_same_data(dsn: str) -> None:
    Team(dsn).apply()
    team = Team(dsn, "party_model")
    team.apply("financials")
    rows, report = counts(MINIMUM_SCALE), team.report()
    accounts = {part.name: part.accounting for part in report.mappings if part.accounting}
    assert report.phases_done == 3
    assert sum(account.unexplained_rows for account in accounts.values()) == 0
    # Its figures follow from what the hardening left.
    assert accounts["parties"].migrated == rows.entities
    assert accounts["enrichments"].migrated == rows.profiles
    assert accounts["contacts_from_phones"].source_rows == rows.phones
    assert accounts["party_addresses"].migrated == rows.entity_addresses
    assert accounts["financials"].migrated == rows.financials


@pytest.mark.slow
def test_a_sales_desk_writes_all_the_time_and_nothing_is_lost(server_dsn: str, tmp_path: Path) -> None:
    options = DemoOptions(
        MINIMUM_SCALE, 3, server_dsn, False, tmp_path / "out", rate=20, baseline_seconds=2, after_seconds=2
    )
    result = run(options)
    assert list(result.differences) == []
    assert list(result.checks_failed) == []
    assert result.holds
    said = json.loads(json.dumps(result.as_json()))
    assert (said["system"], said["phases_done"], said["phases_planned"]) == ("hardening", 7, 7)
    assert said["lost_writes"] == said["failed_writes"] == said["unexplained_rows"] == said["duplicates_left"] == 0
    assert (said["quarantined"], said["constraints_added"], said["indexes_added"]) == (4, 3, 7)
    assert said["figures"]["rows of the sales desk beside them"] > 0
    assert said["figures"]["stored by it, once that was switched on"] > 0
    assert len(said["foreign_keys_skipped"]) == 2
    assert said["tables_touched"] == sorted(said["waits"])
    assert all(each["reads"] > 0 and each["writes"] > 0 for each in said["waits"].values())
    assert said["online_seconds"] > 0
    assert said["offline_seconds"] > 0
    assert json.loads(result.report_json.read_text())["phases_done"] == 7
