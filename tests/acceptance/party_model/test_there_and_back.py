"""The way back gives contacts a row in the old model, whose application may put something else into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .team import Team

PARTY = (
    "(SELECT p.id FROM core.parties p JOIN core.entities e ON e.entity_id = p.id WHERE p.party_type = 'person' LIMIT 1)"
)
NEW = (
    f"INSERT INTO core.party_contacts (party_id, contact_type, value) SELECT {PARTY}, 'whatsapp', '11900000001'",
    f"INSERT INTO core.party_contacts (party_id, contact_type, value) SELECT {PARTY}, 'email', 'new@example.org'",
)
OTHER = (
    "UPDATE core.entity_phones SET phone = '11900000002' WHERE phone = '11900000001'",
    "UPDATE core.entity_emails SET email = 'other@example.org' WHERE email = 'new@example.org'",
)
HELD = """
SELECT phone FROM core.entity_phones WHERE phone LIKE '1190000000_'
UNION ALL SELECT email FROM core.entity_emails WHERE email LIKE '%@example.org' ORDER BY 1
"""


@pytest.mark.one_server
@pytest.mark.slow
def test_a_contact_that_comes_again_is_not_taken_for_its_first_row(dsn: str, tmp_path: Path) -> None:
    team = Team(dsn, tmp_path)

    def held() -> list[str]:
        with team.connected() as conn:
            return [row[0] for row in conn.execute(HELD.encode())]

    team.apply("transactions")
    team.act(*NEW)
    team.roll_back("financials")
    assert held() == ["11900000001", "new@example.org"]
    team.act(*OTHER)
    team.apply("transactions")
    team.act(*NEW)
    team.roll_back("financials")
    assert held() == ["11900000001", "11900000002", "new@example.org", "other@example.org"]
