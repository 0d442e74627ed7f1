"""Each phase of the party model's plan is taken back, to the fingerprint of before, and applied again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from lockgate.backup import record
from lockgate.backup.make import make
from lockgate.backup.prove import prove
from lockgate.catalog import document
from lockgate.demo.ending import ARCHIVED
from lockgate.engine import runner
from lockgate.engine.clock import ForwardedClock, SystemClock
from lockgate.engine.session import Sessions
from lockgate.plan.load import load_plan
from lockgate.sampling import sample
from lockgate.systems import system_folder
from systems.party_model.counts import MINIMUM_SCALE
from systems.party_model.generate import generate

# What the application does when the new model is the one: somebody is erased, somebody renamed, an address goes.
CHANGES = (
    "DELETE FROM core.parties WHERE id = (SELECT id FROM core.parties WHERE party_type = 'person' ORDER BY id LIMIT 1)",
    "UPDATE core.parties SET display_name = 'x' WHERE id = (SELECT id FROM core.parties ORDER BY id LIMIT 1)",
    "DELETE FROM core.addresses WHERE id = (SELECT address_id FROM core.party_addresses ORDER BY 1 LIMIT 1)",
)
RETIRING = ("transactions", "foreign_keys", "split_tables", "archive")


@pytest.mark.one_server
@pytest.mark.slow
def test_every_phase_goes_back_and_forth(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "service.log").touch()
    monkeypatch.setenv("PARTY_MODEL_LOG", str(tmp_path / "service.log"))
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, MINIMUM_SCALE)
    loaded = load_plan(system_folder("party_model") / "plan")
    clock = ForwardedClock(SystemClock())
    sessions = Sessions(dsn, loaded.plan.settings, clock)

    def schema() -> str:
        with psycopg.connect(dsn, autocommit=True) as conn:
            return document.read(conn, passing=False).digest

    def let_pass(days: int) -> None:
        sample(loaded, sessions, clock)
        clock.forward(timedelta(days=days))
        sample(loaded, sessions, clock)

    def back_up() -> None:
        let_pass(32)
        made = make(sessions, tmp_path / "backups", "party-model", patterns=ARCHIVED)
        number = record.keep(sessions, "party-model", made)
        record.proven(sessions, "party-model", number, made, prove(made.folder))

    before: dict[str, Callable[[], None]] = {"foreign_keys": lambda: let_pass(2), "archive": back_up}
    start = present = schema()
    last = "@start"
    for phase in [phase.id for phase in loaded.plan.phases if phase.id != "drop"]:
        before.get(phase, lambda: None)()
        runner.apply(loaded, sessions, to=phase, clock=clock)
        after = schema()
        if phase in RETIRING:
            with psycopg.connect(dsn, autocommit=True) as conn:
                for change in CHANGES:
                    conn.execute(change.encode())
        runner.rollback(loaded, sessions, to=last, clock=clock)
        assert schema() == present, phase
        before.get(phase, lambda: None)()
        runner.apply(loaded, sessions, to=phase, clock=clock)
        assert schema() == after, phase
        last, present = phase, after
    runner.rollback(loaded, sessions, to="@start", clock=clock)
    assert schema() == start
