"""What is told beforehand of some 330 statements is what the server does, and what the committed maps say."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from lockgate.effects import Effects, Mode, predict
from lockgate.effects.live import LiveCatalog
from lockgate.sql.tree import parse_one, unwrap
from tests.integration.effects.mapping import as_map, observe, read
from tests.integration.effects.observe import Observed, prepare, shapes

FEWEST = 90


def test_every_statement_does_what_was_told(dsn: str) -> None:
    prepare(dsn)
    told = _told(dsn)
    major, observed = observe(dsn)
    assert len(observed) >= FEWEST
    wrong = {name: found for name, seen in observed.items() if (found := _differences(told[name], seen))}
    assert wrong == {}
    mapped = read(major)
    if mapped is None:
        pytest.skip(f"there is no map of PostgreSQL {major}: write it with scripts/write_lock_map.py")
    assert as_map(observed) == mapped


def _told(dsn: str) -> dict[str, Effects]:
    with psycopg.connect(dsn, autocommit=True, options="-c default_transaction_read_only=on") as conn:
        catalog, major = LiveCatalog(conn), conn.info.server_version // 10000
        return {
            shape.name: predict(unwrap(parse_one(shape.text).stmt), catalog, major)
            for shape in shapes()
            if shape.since <= major
        }


def _differences(told: Effects, seen: Observed) -> dict[str, Any]:
    """What of one statement was told and not seen, and the other way round."""
    found: dict[str, Any] = {}
    locks: dict[str, set[Mode]] = {}
    for lock in told.locks:
        locks.setdefault(lock.relation, set()).add(lock.mode)
    locks = {name: modes for name, modes in locks.items() if name not in seen.hidden}
    if locks != seen.locks:
        found["locks"] = {n: (locks.get(n), seen.locks.get(n)) for n in locks.keys() | seen.locks.keys()}
    for what in ("rewrites", "empties", "rebuilds"):
        if set(getattr(told, what)) != set(getattr(seen, what)):
            found[what] = getattr(told, what), getattr(seen, what)
    # Where the planner decides, only what it cannot avoid is told.
    scans = set(seen.scans) & set(told.scans) if told.planned else set(seen.scans)
    if set(told.scans) != scans:
        found["scans"] = told.scans, seen.scans
    return found
