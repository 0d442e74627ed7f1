"""Each phase of the party model's plan is taken back, to the fingerprint of before, and applied again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.demo.ending import ARCHIVED
from lockgate.engine.undoing import BEGINNING
from tests.killing import Due

from .team import Team

# What the application does when the new model is the one: somebody is erased, somebody renamed, an address goes.
CHANGES = (
    "DELETE FROM core.parties WHERE id = (SELECT id FROM core.parties WHERE party_type = 'person' ORDER BY id LIMIT 1)",
    "UPDATE core.parties SET display_name = 'x' WHERE id = (SELECT id FROM core.parties ORDER BY id LIMIT 1)",
    "DELETE FROM core.addresses WHERE id = (SELECT address_id FROM core.party_addresses ORDER BY 1 LIMIT 1)",
)
RETIRING = ("transactions", "foreign_keys", "split_tables", "archive")
# Somebody gets contacts in the new model. After the way back the old model's application puts something else into
# their rows, and in the new model they come once more.
PARTY = "SELECT id FROM core.parties WHERE party_type = 'person' ORDER BY id DESC LIMIT 1"
NEW = (
    f"INSERT INTO core.party_contacts (party_id, contact_type, value) SELECT ({PARTY}), 'whatsapp', '11900000001'",
    f"INSERT INTO core.party_contacts (party_id, contact_type, value) SELECT ({PARTY}), 'email', 'new@example.org'",
)
OTHER = (
    "UPDATE core.entity_phones SET phone = '11900000002' WHERE phone = '11900000001'",
    "UPDATE core.entity_emails SET email = 'other@example.org' WHERE email = 'new@example.org'",
)
HELD = """
SELECT phone FROM core.entity_phones WHERE phone LIKE '1190000000_'
UNION ALL SELECT email FROM core.entity_emails WHERE email LIKE '%@example.org' ORDER BY 1
"""


# A contact goes and comes again: one that stood twice in the old model, a number, and a number of WhatsApp.
AGAIN = (
    """CREATE TABLE core.gone AS
    (SELECT c.* FROM core.party_contacts c JOIN core.email_origins o USING (party_id, value) WHERE NOT o.keeps LIMIT 3)
    UNION (SELECT * FROM core.party_contacts WHERE contact_type = 'phone' LIMIT 3)
    UNION (SELECT * FROM core.party_contacts WHERE contact_type = 'whatsapp' LIMIT 3)""",
    "DELETE FROM core.party_contacts c USING core.gone g WHERE (c.party_id, c.value) = (g.party_id, g.value)",
    "INSERT INTO core.party_contacts SELECT party_id, contact_type, value, is_primary FROM core.gone",
    "DROP TABLE core.gone",
)


@pytest.mark.one_server
@pytest.mark.sampled
@pytest.mark.slow
def test_every_phase_goes_back_and_forth(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, due: Due) -> None:
    (tmp_path / "service.log").touch()
    monkeypatch.setenv("PARTY_MODEL_LOG", str(tmp_path / "service.log"))
    team = Team(dsn, tmp_path)

    def held() -> list[str]:
        with team.connected() as conn:
            return [row[0] for row in conn.execute(HELD.encode())]

    def before_the_archive() -> None:
        team.let_pass(32)
        team.back_up(ARCHIVED)

    before: dict[str, Callable[[], object]] = {"foreign_keys": lambda: team.let_pass(2), "archive": before_the_archive}
    forth = {"transactions": (*NEW, *AGAIN)}
    back = {"transactions": OTHER}
    start = present = team.schema()
    last = BEGINNING
    phases = [phase.id for phase in team.loaded.plan.phases if phase.id != "drop"]
    again = {*RETIRING, *due([phase for phase in phases if phase not in RETIRING])}
    for phase in phases:
        before.get(phase, lambda: None)()
        team.apply(phase)
        after = team.schema()
        if phase not in again:
            last, present = phase, after
            continue
        if phase in RETIRING:
            team.act(*CHANGES, *forth.get(phase, ()))
        team.roll_back(last)
        assert team.schema() == present, phase
        team.act(*back.get(phase, ()))
        before.get(phase, lambda: None)()
        team.apply(phase)
        assert team.schema() == after, phase
        team.act(*forth.get(phase, ()))
        if phase == "transactions":
            assert team.differences("setup") == []
        last, present = phase, after
    team.roll_back(BEGINNING)
    assert team.schema() == start
    assert held() == ["11900000001", "11900000002", "new@example.org", "other@example.org"]
