"""The rights, as SQL."""

from __future__ import annotations

from lockgate.ledger import grants


def test_names_are_quoted_and_each_application_role_gets_its_part() -> None:
    text = grants(["app", 'web"s'], "Ops")
    assert 'CREATE SCHEMA IF NOT EXISTS lockgate AUTHORIZATION "Ops";' in text
    assert 'REVOKE ALL ON ALL TABLES IN SCHEMA lockgate FROM "app";' in text
    assert 'REVOKE ALL ON SCHEMA lockgate FROM "web""s";' in text
