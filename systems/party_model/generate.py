"""Makes the legacy database: rows on the server's side, by seed and scale, the same on every server.

The rows are loaded first and keys, indexes and foreign keys made afterwards, by two sessions at once. Every
value is a function of the row's number and the seed (``legacy/functions.sql``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from .counts import Counts, Expected, counts, expected

LEGACY = Path(__file__).parent / "legacy"

# Longest first, so that the two sessions end at about the same time.
_LOADS = (
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
    conn.execute(_sql("schema"))
    loaders = [_loader(conn, figures, seed) for _ in range(sessions)]
    try:
        report("rows")
        _share(loaders, [[_sql(f"load_{name}")] for name in _LOADS])
        report("keys and indexes")
        _share(loaders, _lanes("keys"))
        report("foreign keys")
        for statement in _statements(_sql("foreign_keys")):
            conn.execute(statement)
        _share(loaders, _lanes("validate"))
        report("statistics")
        _share(loaders, [[f"VACUUM (ANALYZE) {tables}"] for tables in _TABLES])
    finally:
        for loader in loaders:
            loader.close()
    return expected(scale)


def _sql(name: str) -> str:
    return (LEGACY / f"{name}.sql").read_text(encoding="utf-8")


def _statements(text: str) -> list[str]:
    return [part for part in text.split(";\n") if part.strip()]


def _lanes(name: str) -> list[list[str]]:
    return [_statements(lane) for lane in _sql(name).split("-- lane\n")]


def _loader(conn: psycopg.Connection[Any], figures: Counts, seed: int) -> psycopg.Connection[Any]:
    """Another session to the same database, with the functions and the figures in its temporary schema."""
    loader = psycopg.connect(
        conn.info.dsn, password=conn.info.password or None, autocommit=True, prepare_threshold=None
    )
    loader.execute("SET synchronous_commit = off")
    loader.execute("SET maintenance_work_mem = '256MB'")
    loader.execute("SET TimeZone = 'UTC'")
    loader.execute(_sql("functions"))
    # A utility statement takes no parameters on the server's side.
    with psycopg.ClientCursor(loader) as cursor:
        cursor.execute(_sql("words"), {"seed": seed, **asdict(figures)})
    return loader


def _share(loaders: Sequence[psycopg.Connection[Any]], lanes: Sequence[list[str]]) -> None:
    """Run the lanes, each in order, by as many sessions as there are loaders."""
    free = list(loaders)

    def run(lane: list[str]) -> None:
        loader = free.pop()
        try:
            for statement in lane:
                loader.execute(statement)
        finally:
            free.append(loader)

    with ThreadPoolExecutor(len(loaders)) as pool:
        for done in [pool.submit(run, lane) for lane in lanes]:
            done.result()
