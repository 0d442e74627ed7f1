"""Makes the legacy database: rows on the server's side, by seed and scale, the same on every server.

The rows are loaded first and keys, indexes and foreign keys made afterwards, by two sessions at once. Every
value is a function of the row's number and the seed (``legacy/functions.sql``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import psycopg

from .counts import Expected, counts, expected
from .making import lanes, makers, script, statements

# Longest first, so that the two sessions end at about the same time.
LOADS = (
    "entities",
    "phones",
    "profiles",
    "addresses",
    "properties",
    "emails",
    "family_relationships",
    "relationships",
    "transactions",
    "entity_addresses",
    "financials",
    "reference",
)
_TABLES = (
    "core.entities",
    "core.entity_phones",
    "core.addresses",
    "core.properties",
    "core.entity_profiles",
    "core.entity_emails",
    "core.entity_family_relationships, core.entity_relationships, core.property_transactions",
    "core.entity_addresses, core.entity_financials, ref.relationship_types",
)

Report = Callable[[str], None]


def _nothing(_: str) -> None:
    return None


def generate(
    conn: psycopg.Connection[Any], scale: float = 1.0, seed: int = 1, *, sessions: int = 2, report: Report = _nothing
) -> Expected:
    """Create schemas ``core``, ``dim`` and ``ref`` and fill them; return what the migration must make of them.

    :param conn: an autocommit connection to a UTF-8 database that holds none of these schemas; further
        sessions are opened to the same place.
    :param report: told the name of each stage as it starts.
    :raises ValueError: if ``scale`` is too small.
    :raises psycopg.Error: if the server refuses something, for example because ``core`` exists.
    """
    figures = counts(scale)
    report("tables")
    conn.execute(script("schema").encode())
    with makers(conn, sessions, [script("functions"), script("profiles")]) as made:
        made.given(script("words"), {"seed": seed, **asdict(figures)})
        report("rows")
        made.share([[script(f"load_{name}")] for name in LOADS])
        report("keys and indexes")
        made.share(lanes("keys"))
        report("foreign keys")
        for statement in statements(script("foreign_keys")):
            conn.execute(statement.encode())
        made.share(lanes("validate"))
        report("what the hardening made")
        made.share(lanes("hardened"))
        report("statistics")
        made.share([[f"VACUUM (ANALYZE) {tables}"] for tables in _TABLES])
    return expected(scale)
