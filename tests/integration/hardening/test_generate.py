"""The database before the hardening is as wrong as it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from systems.hardening.counts import MINIMUM_SCALE, planted
from systems.hardening.defects import ENTITIES_BYTES, NEGLECTED, defects
from systems.hardening.generate import generate
from systems.hardening.looking import look, validate
from tests.integration.party_model.digest import digest

Connection = psycopg.Connection[Any]

# The same on every server: it is compared on each that the tests run on.
DIGEST_OF_SEED_1 = "0cebc6b90ef0e67e4a27f3babedb5aed07b85e5b3a85e494246477e7401d1b82"
_TWICE = "FROM core.entity_phones GROUP BY entity_id, phone HAVING count(*) > 1"


def _one(conn: Connection, query: str, *values: object) -> Any:
    row = conn.execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]


def test_the_same_seed_gives_the_same_rows_on_every_server(conn: Connection) -> None:
    assert generate(conn, MINIMUM_SCALE, 1) == defects(MINIMUM_SCALE)
    assert digest(conn) == DIGEST_OF_SEED_1


def test_the_tables_hold_what_was_announced(found: Connection) -> None:
    announced = defects(MINIMUM_SCALE)
    assert {table: _one(found, f"SELECT count(*) FROM {table}") for table in announced.rows} == announced.rows
    assert _one(found, "SELECT count(*) FROM core.entities WHERE is_enriched") == announced.enriched
    assert _one(found, "SELECT count(confidence_score) FROM core.entity_addresses") == announced.with_confidence
    assert _one(found, "SELECT count(DISTINCT entity_id) FROM core.entity_profiles") == announced.enriched
    for column in announced.never_filled:
        table, name = column.rsplit(".", 1)
        assert _one(found, f"SELECT count({name}) FROM {table}") == 0
    for table in announced.missing_tables:
        assert _one(found, "SELECT to_regclass(%s)", table) is None
    assert _one(found, "SELECT count(*) FROM ref.relationship_types") > 0
    for column in announced.missing_defaults:
        table, name = column.rsplit(".", 1)
        query = "SELECT atthasdef FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s"
        assert _one(found, query, table, name) is False


def test_duplicates_and_values_out_of_form_are_as_many_as_announced(found: Connection) -> None:
    wrong, state = planted(MINIMUM_SCALE), look(found, MINIMUM_SCALE)
    assert state.duplicates == state.planted_duplicates == wrong.surplus_phones
    assert (state.states, state.zip_codes) == (wrong.states, wrong.zip_codes)
    # One who counts rows without a number as alike finds one too many.
    with_nulls = _one(found, f"SELECT sum(n - 1)::bigint FROM (SELECT count(*) AS n {_TWICE}) AS twice")
    assert with_nulls == wrong.surplus_phones + 1


def test_the_oldest_row_of_a_number_is_not_always_the_first(conn: Connection) -> None:
    generate(conn, 0.01)
    groups = (
        "SELECT count(*) AS n, min(id) = (array_agg(id ORDER BY created_at, id))[1] AS first, "
        f"min(created_at) = max(created_at) AS tie {_TWICE} AND phone IS NOT NULL"
    )
    (most, younger, older, ties) = conn.execute(
        f"SELECT max(n), count(*) FILTER (WHERE first), count(*) FILTER (WHERE NOT first),"
        f" count(*) FILTER (WHERE tie) FROM ({groups}) AS g".encode()
    ).fetchall()[0]
    assert most == 3
    assert min(younger, older, ties) > 0


def test_the_statistics_are_of_another_time(conn: Connection) -> None:
    """The server's counters are not copied with a database, so it is made here."""
    generate(conn, 0.01)
    conn.execute("SELECT pg_stat_force_next_flush()" if conn.info.server_version >= 150_000 else "SELECT 1")
    for table in NEGLECTED:
        query = (
            "SELECT n_mod_since_analyze, last_analyze IS NOT NULL FROM pg_stat_user_tables WHERE relid = %s::regclass"
        )
        (changes, analyzed) = conn.execute(query.encode(), [table]).fetchall()[0]
        rows = _one(conn, f"SELECT count(*) FROM {table}")
        assert analyzed, table
        assert changes >= rows, table
        assert _one(
            conn, "SELECT 'autovacuum_enabled=off' = ANY (reloptions) FROM pg_class WHERE oid = %s::regclass", table
        )
    # Distinct values that the planner believes in, of a column that has a different one in each row.
    believed = _one(
        conn,
        "SELECT array_length(histogram_bounds::text::text[], 1) FROM pg_stats"
        " WHERE tablename = 'entities' AND attname = 'entity_id'",
    )
    assert believed < 100


def test_entities_are_bloated_by_old_versions_of_rows(conn: Connection) -> None:
    scale = 0.01
    generate(conn, scale)
    size = _one(conn, "SELECT pg_relation_size('core.entities')")
    assert size == pytest.approx(ENTITIES_BYTES * scale, rel=0.05)
    conn.execute("CREATE EXTENSION pgstattuple")
    dead = _one(conn, "SELECT dead_tuple_count + free_space / 200 FROM pgstattuple('core.entities')")
    assert dead > 2 * _one(conn, "SELECT count(*) FROM core.entities")
    conn.execute("VACUUM FULL core.entities")
    would_do = defects(scale).bloated["core.entities"].would_do
    assert _one(conn, "SELECT pg_relation_size('core.entities')") == pytest.approx(would_do, rel=0.2)


def test_the_validation_counts_what_is_wrong(found: Connection) -> None:
    wrong = planted(MINIMUM_SCALE)
    never = datetime(2000, 1, 1, tzinfo=UTC)
    of_enriched = "FROM core.entity_addresses a JOIN core.entities e USING (entity_id) WHERE e.is_enriched"
    assert validate(found, never) == {
        "numbers that an entity has twice": wrong.surplus_phones,
        "states out of form": wrong.states,
        "zip codes out of form": wrong.zip_codes,
        "addresses stored without confidence": _one(
            found, f"SELECT count(*) {of_enriched} AND confidence_score IS NULL"
        ),
        "confidence that is not between 0 and 1": 0,
        "enriched entities without a lead": 0,
    }
    found.execute("UPDATE core.entity_addresses SET confidence_score = 1.5 WHERE confidence_score IS NOT NULL")
    found.execute(
        "UPDATE core.entities SET metadata = NULL"
        " WHERE entity_id = (SELECT entity_id FROM core.entities WHERE is_enriched ORDER BY entity_id LIMIT 1)"
    )
    again = validate(found, datetime.now(UTC))
    assert again["confidence that is not between 0 and 1"] == defects(MINIMUM_SCALE).with_confidence
    assert again["enriched entities without a lead"] == 1
    assert again["addresses stored without confidence"] == 0
