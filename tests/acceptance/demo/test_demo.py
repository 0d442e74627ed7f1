"""The demo as a whole, at the smallest scale."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from lockgate.demo import DemoOptions, DemoResult
from lockgate.demo.party_model import run as run_demo
from lockgate.errors import Interrupted, PrivilegeMissing, UsageError
from systems.party_model.counts import expected

if TYPE_CHECKING:
    from lockgate.ledger.chunks import ChunkProgress

SCALE = 0.001


class Watching:
    """Keeps what a demo says; sets ``stop`` when it says certain words."""

    def __init__(self, stop_at: str = "") -> None:
        self.said: list[str] = []
        self.stop = threading.Event()
        self._stop_at = stop_at

    def event(self, message: str) -> None:
        self.said.append(message)
        if self._stop_at and self._stop_at in message:
            self.stop.set()

    def chunks(
        self,
        progress: ChunkProgress,
        rows_per_second: float,
        eta_low: timedelta | None,
        eta_high: timedelta | None,
    ) -> None:
        pass

    def waiting(self, reason: str, release: str) -> None:
        self.said.append(f"waiting: {reason}")

    def folder(self) -> Path:
        """Of the server that was started for the demo."""
        words = next(line for line in self.said if "embedded PostgreSQL in" in line)
        return Path(words.split()[-1])


def options(folder: Path, database: str | None = None, *, keep: bool = False) -> DemoOptions:
    return DemoOptions(SCALE, 3, database, keep, folder, rate=30, baseline_seconds=1, after_seconds=1)


def run(folder: Path, database: str | None = None, *, keep: bool = False, stop_at: str = "") -> DemoResult:
    watching = Watching(stop_at)
    return run_demo(options(folder, database, keep=keep), watching, stop=watching.stop)


def left_on(server_dsn: str) -> list[str]:
    """Databases and roles of demos."""
    with psycopg.connect(server_dsn) as conn:
        rows = conn.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'lockgate_demo_%'"
            " UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'lockgate_demo_%'"
        ).fetchall()
    return [row[0] for row in rows]


def children() -> list[str]:
    """What processes of a demo's project are still there."""
    return [
        " ".join(process.cmdline())
        for process in psutil.Process().children(recursive=True)
        if "party_model" in " ".join(process.cmdline())
    ]


@pytest.mark.slow
def test_a_live_database_changes_its_model_and_nothing_is_lost(server_dsn: str, tmp_path: Path) -> None:
    result = run(tmp_path / "out", server_dsn)
    assert list(result.failures) == []
    assert list(result.lost) == []
    assert result.differences == ()
    assert result.checks_failed == ()
    assert result.holds
    figures = expected(SCALE)
    assert result.source_rows == figures.contact_sources == result.migrated + result.merged + result.rejected
    assert (result.merged, result.rejected, result.born_in_new_model) == (figures.merged, figures.rejected, 26)
    assert (result.phases_done, result.phases_wanted, result.phases_planned) == (4, 4, 8)
    assert result.writers_held_ms
    assert result.ending is None
    assert result.requests >= result.latency["before"].requests + result.latency["during"].requests > 0
    assert result.acknowledged_writes > 0
    assert result.load_rows > 0
    assert result.p99_ms_before
    assert result.p99_ms_during
    assert result.backfill_rows_per_second > 0
    report = json.loads(result.report_json.read_text())
    assert report["phases_done"] == 4
    assert "4 of 8 phases are done" in result.report_md.read_text()
    assert left_on(server_dsn) == []
    assert children() == []


@pytest.mark.one_server
@pytest.mark.slow
def test_the_old_model_is_retired_and_nothing_is_lost(server_dsn: str, tmp_path: Path) -> None:
    given = replace(options(tmp_path / "out", server_dsn), to_end=True)
    result = run_demo(given, Watching())
    assert list(result.failures) == []
    assert list(result.lost) == []
    assert result.differences == ()
    assert result.checks_failed == ()
    assert result.holds
    assert result.phases_done == result.phases_wanted == result.phases_planned == 8
    assert result.ending is not None
    assert result.ending.foreign_keys_gone == 12
    assert result.ending.days_passed > 30 + 90
    assert result.ending.logged == 8
    legacy = ("emails", "phones", "addresses", "profiles", "financials", "relationships", "family_relationships")
    split = ("core.party_emails", "core.party_phones", "core.party_iptus")
    views = ("core.iptu_party_enriched", "dim.party_iptu_summary")
    assert set(result.ending.gone) == {"core.entities", *(f"core.entity_{name}" for name in legacy), *split, *views}
    said = result.report_md.read_text()
    assert "8 of 8 phases are done" in said
    assert "124 days were let pass in a rehearsal" in said
    assert "## Cutover" in said
    assert "## Backups" in said
    assert left_on(server_dsn) == []
    assert children() == []


@pytest.mark.slow
def test_the_server_that_a_demo_starts_goes_with_it(tmp_path: Path) -> None:
    watching = Watching(stop_at="phase setup: begins")
    with pytest.raises(Interrupted):
        run_demo(options(tmp_path / "out"), watching, stop=watching.stop)
    assert not watching.folder().exists()
    assert children() == []


@pytest.mark.one_server
@pytest.mark.slow
@pytest.mark.parametrize("words", ["rows", "a load of", "phase addresses: begins"])
def test_stopped_at_any_time_it_leaves_nothing_behind(server_dsn: str, tmp_path: Path, words: str) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path / "out", server_dsn, stop_at=words)
    assert left_on(server_dsn) == []
    assert children() == []


def test_what_is_to_be_kept_is_kept_where_it_says(server_dsn: str, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path / "out", server_dsn, keep=True, stop_at="a load of")
    (name, role) = left_on(server_dsn)
    assert name == role
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
        conn.execute(f"DROP ROLE {role}")


def test_too_small_a_scale_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too small"):
        run_demo(DemoOptions(scale=0.0001, folder=tmp_path / "out"))


def test_a_role_that_may_not_make_a_database_gets_the_command_that_helps(server_dsn: str, tmp_path: Path) -> None:
    name = f"nobody_{threading.get_ident()}"
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        try:
            dsn = psycopg.conninfo.make_conninfo(server_dsn, user=name, password="x")
            with pytest.raises(PrivilegeMissing) as refused:
                run(tmp_path / "out", dsn)
        finally:
            conn.execute(f"DROP ROLE {name}")
    assert refused.value.hint == f"ALTER ROLE {name} CREATEDB CREATEROLE; or leave --database out."
