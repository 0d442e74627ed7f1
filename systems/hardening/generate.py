"""Makes the lead database as it was found, before the hardening: the party model's tables, and what was wrong there.

The rows and most scripts are the party model's (``systems/party_model/legacy``); what differs is in ``start/``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from ..party_model.counts import scaled
from ..party_model.generate import LOADS
from ..party_model.making import Makers, lanes, makers, script, statements
from .counts import counts, of_any_size, planted
from .defects import ENTITIES_BYTES, NEGLECTED, Defects, defects

START = Path(__file__).parent / "start"

# The tables were so small when somebody analyzed them for the last time.
_ONCE = 0.00005
_NEGLECTED_LOADS = ("entities", "phones", "emails", "entity_addresses", "relationships", "addresses")
_LOOKED_AFTER = (
    "core.properties",
    "core.entity_profiles",
    "core.entity_family_relationships, core.property_transactions",
    "core.entity_financials, ref.relationship_types",
)

Report = Callable[[str], None]


def _nothing(_: str) -> None:
    return None


def generate(
    conn: psycopg.Connection[Any], scale: float = 1.0, seed: int = 1, *, sessions: int = 2, report: Report = _nothing
) -> Defects:
    """Create schemas ``core``, ``dim`` and ``ref`` and fill them; return what is wrong with them.

    :param conn: an autocommit connection to a UTF-8 database that holds none of these schemas; further
        sessions are opened to the same place.
    :param report: told the name of each stage as it starts.
    :raises ValueError: if ``scale`` is too small.
    :raises psycopg.Error: if the server refuses something, for example because ``core`` exists.
    """
    figures = counts(scale)
    report("tables")
    conn.execute(script("schema").encode())
    conn.execute(script("tables", START).encode())
    with makers(conn, sessions, [script("functions"), script("profiles", START)]) as made:
        report("statistics, long ago")
        _analyze_long_ago(made, seed)
        made.given(f"DROP TABLE gen; {script('words')}", {"seed": seed, **asdict(figures)})
        bytes_wanted = scaled(ENTITIES_BYTES, scale)
        made.given(script("planted", START), {**asdict(planted(scale)), "entities_bytes": bytes_wanted})
        report("rows")
        made.share([_load(name) for name in LOADS])
        report("keys and indexes")
        made.share(lanes("keys"))
        made.share(lanes("keys", START))
        report("foreign keys")
        for statement in statements(script("foreign_keys")):
            conn.execute(statement.encode())
        made.share(lanes("validate"))
        made.share([[f"VACUUM (ANALYZE) {tables}"] for tables in _LOOKED_AFTER])
    return defects(scale)


def _load(name: str) -> list[str]:
    """What fills a table, and then spoils it."""
    spoiling = {
        "entities": [script("bloat", START)],
        "phones": statements(script("surplus_phones", START)),
        "addresses": statements(script("address_values", START)),
    }
    return [script(f"load_{name}"), *spoiling.get(name, [])]


def _analyze_long_ago(made: Makers, seed: int) -> None:
    """Analyze the tables while they hold a few rows, which go again."""
    made.given(script("words"), {"seed": seed, **asdict(of_any_size(_ONCE))})
    made.share([[script(f"load_{name}") for name in _NEGLECTED_LOADS]])
    made.share([[f"ANALYZE {', '.join(NEGLECTED)}", *(f"DELETE FROM {table}" for table in NEGLECTED)]])
