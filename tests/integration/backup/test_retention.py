"""Old backups go when a new one is proven, and only those that nobody needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from lockgate import manifest
from lockgate.backup import record
from lockgate.backup.make import Made
from lockgate.backup.prove import Proof
from lockgate.backup.retention import Keep, Retired, retire, superfluous
from lockgate.engine.session import Sessions
from lockgate.errors import LedgerError
from lockgate.ledger import backups, chain, install, phases, steps
from lockgate.ledger.backups import BackupRow
from tests.integration.backup.shop import SHOP, back_up

pytestmark = pytest.mark.one_server  # it is about folders
NOW = datetime(2026, 5, 31, tzinfo=UTC)


class Backups:
    """Backups of one database, each of a day of its own, copied from one."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.sessions = Sessions(dsn)
        self.folder = folder
        self.first = back_up(dsn, folder / "made", "core.customers")

    def make(self, day: int, *, plan: str = "shop", proven: bool = True, chosen: tuple[str, ...] = ("core.*",)) -> int:
        """A backup as of a day of May; its number."""
        folder = self.folder / f"{plan}-{day}-{'-'.join(chosen)}"
        shutil.copytree(self.first.folder, folder)
        said = replace(self.first.manifest, chosen=chosen, snapshot_at=NOW.replace(day=day))
        made = Made(folder, said, manifest.write(folder, said), "pg_dump")
        number = record.keep(self.sessions, plan, made)
        if proven:
            record.proven(self.sessions, plan, number, made, Proof(1.0, 1, ()))
        return number

    def retire(self, number: int, keep: Keep) -> Retired:
        return retire(self.sessions, number, keep)

    @property
    def folders(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name != "made")


@pytest.fixture
def kept(conn: Connection[Any], dsn: str, tmp_path: Path) -> Backups:
    conn.execute(SHOP.encode())
    install(conn)
    return Backups(dsn, tmp_path)


def rows(*days: int, unproven: tuple[int, ...] = ()) -> list[BackupRow]:
    """Backups of days of May, the newest first."""
    empty = BackupRow(0, "shop", "files", NOW, NOW, "", "", [], "", {}, NOW, 1.0)
    return [
        replace(empty, id=day, snapshot_at=NOW.replace(day=day), proven_at=None if day in unproven else NOW)
        for day in sorted(days, reverse=True)
    ]


def test_a_copy_at_an_address_neither_counts_nor_goes() -> None:
    newest, *others = rows(30, 20, 10)
    copies = [replace(row, kind="copy") for row in rows(29, 5)]
    assert superfluous([newest, *others, *copies], newest, Keep(newest=2), NOW) == [others[1]]


@pytest.mark.parametrize(
    ("keep", "unproven", "gone"),
    [
        (Keep(), (), []),
        (Keep(newest=1), (), [20, 10, 5]),
        (Keep(newest=3), (), [5]),
        (Keep(newest=9), (), []),
        (Keep(newest=2), (20,), [5]),
        (Keep(newest=4), (20,), []),
        (Keep(age=timedelta(days=12)), (), [10, 5]),
        (Keep(age=timedelta(hours=1)), (), [20, 10, 5]),
        (Keep(newest=3, age=timedelta(days=1)), (), [5]),
        (Keep(newest=1, age=timedelta(days=22)), (), [5]),
        (Keep(newest=9, age=timedelta(days=1)), (), []),
    ],
)
def test_which_are_superfluous(keep: Keep, unproven: tuple[int, ...], gone: list[int]) -> None:
    known = rows(5, 10, 20, 30, unproven=unproven)
    assert [row.id for row in superfluous(known, known[0], keep, NOW)] == gone


def test_others_of_another_kind_are_not_compared() -> None:
    new, older = rows(1, 2)
    others = [replace(older, plan="other"), replace(older, chosen=["core.*"])]
    assert superfluous([new, *others], new, Keep(newest=1), NOW) == []
    same = replace(new, chosen=["a.*", "b.*"]), replace(older, chosen=["b.*", "a.*"])
    assert superfluous(same, same[0], Keep(newest=1), NOW) == [same[1]]


def test_old_ones_go_and_the_ledger_says_so(kept: Backups, conn: Connection[Any]) -> None:
    old, other = kept.make(1), kept.make(2, chosen=("old.*",))
    unproven, new = kept.make(3, proven=False), kept.make(4)
    retired = kept.retire(new, Keep(newest=1))
    assert [row.id for row in retired.removed] == [unproven, old]
    assert retired.spared == ()
    assert kept.folders == ["shop-2-old.*", "shop-4-core.*"]
    assert [row.id for row in backups.known(conn)] == [new, other]
    *_, second, first = (entry.payload for entry in chain.entries(conn, "shop", ["evidence"]))
    assert (second["name"], first["name"]) == (f"backup_removed:{unproven}", f"backup_removed:{old}")
    assert first["result"]["in_favour_of"] == new
    assert first["query"] == "lockgate backup: the 1 newest that were proven stay"
    assert chain.verify(conn) == []


def test_nothing_goes_before_the_new_one_is_proven(kept: Backups) -> None:
    kept.make(1)
    for number in (kept.make(2, proven=False), 99):
        with pytest.raises(LedgerError, match="never proven"):
            kept.retire(number, Keep(newest=1))
    assert len(kept.folders) == 2


def gate(conn: Connection[Any], phase: str, backup: int, *, passed: bool = True) -> None:
    chain.evidence(
        conn, plan="shop", phase=phase, step=None, name=f"backup_gate:{backup}", query="",
        result={"backup": backup, "passed": passed},
    )  # fmt: skip


@pytest.mark.parametrize("state", ["running", "checking", "failed", "undoing", "done", "undone"])
def test_what_a_phase_began_by_stays_until_it_is_done(kept: Backups, conn: Connection[Any], state: str) -> None:
    old, new = kept.make(1), kept.make(2)
    gate(conn, "retire", old)
    phases.set(conn, "shop", "retire", state)
    retired = kept.retire(new, Keep(newest=1))
    if state in {"done", "undone"}:
        assert [row.id for row in retired.removed] == [old]
        return
    assert retired.removed == ()
    assert [(s.row.id, s.why) for s in retired.spared] == [
        (old, "phase retire of plan shop began by it and is not done")
    ]
    assert len(kept.folders) == 2


def test_a_gate_that_refused_relied_on_nothing(kept: Backups, conn: Connection[Any]) -> None:
    old, new = kept.make(1), kept.make(2)
    gate(conn, "retire", old, passed=False)
    phases.set(conn, "shop", "retire", "running")
    assert [row.id for row in kept.retire(new, Keep(newest=1)).removed] == [old]


def test_what_a_drop_relied_on_stays_for_ever(kept: Backups, conn: Connection[Any]) -> None:
    by_gate, by_drop, new = kept.make(1), kept.make(2), kept.make(3)
    gate(conn, "retire", by_gate)
    phases.set(conn, "shop", "retire", "done")
    steps.get_or_create(conn, "shop", "retire", "drop-1", "drop")
    chain.evidence(
        conn, plan="shop", phase="cleanup", step="drop-1", name="dropped:old.orders", query="DROP TABLE",
        result={"backups": [{"id": by_drop, "folder": "/x"}]},
    )  # fmt: skip
    chain.evidence(conn, plan="shop", phase="p", step="d", name="dropped:x.y", query="", result={"backups": None})
    spared = kept.retire(new, Keep(newest=1)).spared
    assert [(s.row.id, s.why) for s in spared] == [
        (by_drop, "it holds the rows of old.orders, which was dropped for good"),
        (by_gate, "phase retire of plan shop, which has dropped tables, began by it"),
    ]


def test_what_is_not_the_backup_any_more_is_never_deleted(kept: Backups, conn: Connection[Any]) -> None:
    elsewhere, changed, empty, gone, new = (kept.make(day) for day in range(1, 6))
    conn.execute("UPDATE lockgate.backups SET host = 'another' WHERE id = %s", (elsewhere,))
    (kept.folder / "shop-2-core.*" / manifest.NAME).write_text("{}")
    (kept.folder / "shop-3-core.*" / manifest.NAME).unlink()
    shutil.rmtree(kept.folder / "shop-4-core.*")
    retired = kept.retire(new, Keep(newest=1))
    assert [row.id for row in retired.removed] == [gone]
    assert [(s.row.id, s.why.split(":")[0]) for s in retired.spared] == [
        (empty, "its manifest cannot be read"),
        (changed, f"{kept.folder / 'shop-2-core.*'} holds something else by now"),
        (elsewhere, "its files are on another"),
    ]
    assert len(kept.folders) == 4


def test_a_folder_that_was_made_again_is_not_deleted(kept: Backups) -> None:
    kept.make(1)
    kept.retire(kept.make(2), Keep(newest=1))
    again = kept.folder / "shop-1-core.*"
    again.mkdir()
    (again / manifest.NAME).write_text("{}")
    kept.retire(kept.make(3), Keep(newest=1))
    assert kept.folders == ["shop-1-core.*", "shop-3-core.*"]


RETIRE = """
import sys
from lockgate.backup.retention import Keep, retire
from lockgate.engine.session import Sessions

retire(Sessions(sys.argv[1]), int(sys.argv[2]), Keep(newest=1))
"""


@pytest.mark.parametrize("point", ["retention.removed", "retention.renamed"])
def test_what_a_kill_leaves_goes_the_next_time(kept: Backups, conn: Connection[Any], dsn: str, point: str) -> None:
    kept.make(1)
    new = kept.make(2)
    words = [sys.executable, "-c", RETIRE, dsn, str(new)]
    killed = subprocess.run(words, env={**os.environ, "LOCKGATE_FAULT": point}, check=False)
    assert killed.returncode == -9
    assert [row.id for row in backups.known(conn)] == [new]
    assert len(kept.folders) == 2
    assert kept.retire(new, Keep(newest=1)).removed == ()
    assert kept.folders == ["shop-2-core.*"]
