from __future__ import annotations

from typing import Any

import psycopg
import pytest

from systems.party_model.counts import MINIMUM_SCALE, counts, expected
from systems.party_model.generate import generate

from .digest import digest

Connection = psycopg.Connection[Any]

# The same on every server: it is compared on each that the tests run on.
DIGEST_OF_SEED_1 = "de8e52d174e54b40592bc364e822a0ef86142cf0c93b964ddc1969654ed9a068"


def _number(conn: Connection, query: Any) -> int:
    row = conn.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_the_same_seed_gives_the_same_rows_on_every_server(conn: Connection) -> None:
    generate(conn, MINIMUM_SCALE, 1)
    assert digest(conn) == DIGEST_OF_SEED_1


def test_another_seed_gives_other_rows_and_the_same_counts(conn: Connection) -> None:
    assert generate(conn, MINIMUM_SCALE, 2) == expected(MINIMUM_SCALE)
    assert digest(conn) != DIGEST_OF_SEED_1
    assert _number(conn, "SELECT count(*) FROM core.entities") == counts(MINIMUM_SCALE).entities


@pytest.mark.parametrize("scale", [MINIMUM_SCALE, 0.01])
def test_the_tables_hold_what_was_announced(conn: Connection, scale: float) -> None:
    generate(conn, scale)
    legacy = counts(scale)
    assert _number(conn, "SELECT count(*) FROM core.entities WHERE length(national_id) = 14") == legacy.companies
    for table, rows in {
        "entities": legacy.entities,
        "entity_emails": legacy.emails,
        "entity_phones": legacy.phones,
        "entity_addresses": legacy.entity_addresses,
        "entity_profiles": legacy.profiles,
        "entity_financials": legacy.financials,
        "addresses": legacy.addresses,
        "properties": legacy.properties,
        "party_emails": 0,
        "party_phones": 0,
        "party_iptus": 0,
    }.items():
        assert (table, _number(conn, f"SELECT count(*) FROM core.{table}")) == (table, rows)


def test_the_data_are_as_uneven_as_real_ones(conn: Connection) -> None:
    generate(conn, 0.01)
    most, none = conn.execute(
        "SELECT max(phones), count(*) FILTER (WHERE phones = 0) * 100 / count(*) FROM ("
        " SELECT count(p.id) AS phones FROM core.entities e LEFT JOIN core.entity_phones p USING (entity_id)"
        " GROUP BY e.entity_id) AS each"
    ).fetchall()[0]
    assert most > 20
    assert none > 30
    assert _number(conn, "SELECT count(*) FROM core.entity_emails WHERE email <> lower(email)") > 1000
    assert _number(conn, "SELECT count(*) FROM core.entity_emails WHERE email <> btrim(email)") > 1000
    assert _number(conn, "SELECT count(DISTINCT regexp_replace(phone, '[0-9]', '9', 'g')) FROM core.entity_phones") > 8
    assert _number(conn, "SELECT count(*) FROM core.entities WHERE metadata IS NULL OR entity_type IS NULL") > 100
    # Several enrichments of one party, so that writing the financials into each of them would show.
    several = (
        "SELECT count(*) FROM core.entity_financials f WHERE 1 <"
        " (SELECT count(*) FROM core.entity_profiles p WHERE p.entity_id = f.entity_id)"
    )
    assert _number(conn, several) > 40


def test_twelve_foreign_keys_point_at_entities_and_all_are_valid(conn: Connection) -> None:
    generate(conn, MINIMUM_SCALE)
    keys = "SELECT count(*) FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = 'core.entities'::regclass"
    assert _number(conn, keys) == 12
    assert _number(conn, "SELECT count(*) FROM pg_catalog.pg_constraint WHERE NOT convalidated") == 0
    views = conn.execute("SELECT schemaname || '.' || matviewname FROM pg_catalog.pg_matviews ORDER BY 1").fetchall()
    assert views == [("core.iptu_party_enriched",), ("dim.party_iptu_summary",)]
    assert _number(conn, "SELECT count(*) FROM core.property_transactions WHERE buyer_entity_id IS NOT NULL") == 0
