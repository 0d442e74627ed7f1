"""Each phase of the party model's plan is taken back, to the fingerprint of before, and applied again.

The service is in use all the time. After each way back it is asked whether everything is there that it acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.backup.restore import Wanted, restore
from lockgate.demo.ending import ARCHIVED, IN_ARCHIVE
from lockgate.engine.undoing import BEGINNING
from lockgate.errors import RollbackRefused
from lockgate.ledger import dropped

from .team import Team, live

# The models that hold everything when a phase was taken back: before `financials` the new one is still being made, and
# from `archive` on the old one is closed.
BOTH = ("old", "new")
HOLDING = {
    "setup": ("old",),
    "addresses": ("old",),
    "financials": BOTH,
    "transactions": BOTH,
    "foreign_keys": BOTH,
    "split_tables": BOTH,
    "archive": ("new",),
}
# What the service never does: people whom it does not know are erased and renamed, and an address goes.
UNKNOWN = "party_type = 'person' AND NOT EXISTS (SELECT FROM core.party_enrichments n WHERE n.party_id = p.id)"
CHANGES = (
    f"DELETE FROM core.parties WHERE id = (SELECT id FROM core.parties p WHERE {UNKNOWN} ORDER BY id LIMIT 1)",
    f"UPDATE core.parties SET display_name = 'x' WHERE id = (SELECT id FROM core.parties p WHERE {UNKNOWN} LIMIT 1)",
    "DELETE FROM core.addresses WHERE id = (SELECT a.address_id FROM core.party_addresses a"
    f" JOIN core.parties p ON p.id = a.party_id WHERE {UNKNOWN} ORDER BY 1 LIMIT 1)",
)
RETIRING = ("transactions", "foreign_keys", "split_tables", "archive")


def nothing_is_lost(found: dict[str, Any]) -> None:
    assert found["failures"] == []
    assert found["lost"] == []
    assert (found["failed_requests"], found["lost_writes"]) == (0, 0)
    assert found["acknowledged_writes"] > 0


@pytest.mark.one_server
@pytest.mark.soak
def test_every_phase_goes_back_and_forth_while_the_service_is_used(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTY_MODEL_LOG", str(tmp_path / "service.log"))
    team = Team(dsn, tmp_path)

    def before_the_archive() -> None:
        team.let_pass(32)
        team.back_up(ARCHIVED)

    before: dict[str, Callable[[], object]] = {"foreign_keys": lambda: team.let_pass(2), "archive": before_the_archive}

    def go_to(phase: str) -> None:
        before.get(phase, lambda: None)()
        team.apply(phase)

    with live(team) as service:
        present, last = team.schema(), BEGINNING
        for phase, models in HOLDING.items():
            with service.used():
                if last != BEGINNING:
                    go_to(last)
                    assert team.schema() == present, f"{last}, applied again"
                go_to(phase)
                after = team.schema()
                if phase in RETIRING:
                    team.act(*CHANGES)
                team.roll_back(last)
                assert team.schema() == present, phase
            nothing_is_lost(service.verified(models))
            last, present = phase, after
        with service.used():
            go_to("archive")
            assert team.schema() == present
            team.let_pass(92)
            team.back_up()
            alone = team.back_up(IN_ARCHIVE)
            team.apply("drop")
            after = team.schema()
            with pytest.raises(RollbackRefused, match="it dropped 8 tables for good") as refused:
                team.roll_back("archive")
            assert team.schema() == after
        nothing_is_lost(service.verified(("new",)))
    # Only the backup has them still.
    assert f"lockgate restore {alone} --table archive.entities" in str(refused.value.hint)
    restored = restore(team.sessions, Wanted(alone, [*IN_ARCHIVE]))
    with team.connected() as conn:
        gone = {row.archived: row.row_count for row in dropped.of_plan(conn, "party-model")}
    assert len(gone) == 8
    assert {f"{table.schema}.{table.name}": table.rows for table in restored.tables} == gone
