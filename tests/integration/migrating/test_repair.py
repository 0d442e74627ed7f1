"""Putting a history right: shown first, then done, and nothing else is changed."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from lockgate.engine.context import Silent
from lockgate.errors import DatabaseError, LockgateError, UsageError
from lockgate.history.sqlx import Sqlx
from lockgate.history.standing import State, look
from lockgate.ledger.migrations import By
from lockgate.migrating import moving, repairing
from lockgate.migrating.desk import at_work
from lockgate.migrating.repairing import Proposal, Said
from tests.integration.engine.plans import rows, sessions


@pytest.fixture
def tool(tmp_path: Path) -> Sqlx:
    (tmp_path / "1_a.sql").write_text("CREATE TABLE a (id int);")
    (tmp_path / "2_b.sql").write_text("CREATE INDEX CONCURRENTLY i ON a (id);\nSELECT 1 / 0;")
    return Sqlx(tmp_path)


def apply(dsn: str, tool: Sqlx) -> None:
    stop = threading.Event()
    with at_work(sessions(dsn), "test", Silent(), stop) as desk, moving.opened(desk, tool, By("t"), None) as files:
        moving.bring(files, None)


@pytest.fixture
def stopped(dsn: str, tool: Sqlx) -> str:
    """The first is applied, the second half done."""
    with pytest.raises(DatabaseError):
        apply(dsn, tool)
    return dsn


def states(dsn: str, tool: Sqlx) -> dict[str, State]:
    with psycopg.connect(dsn) as conn:
        return {entry.version: entry.state for entry in look(conn, tool).entries}


def mend(dsn: str, tool: Sqlx, said: Said) -> Proposal:
    proposal = repairing.propose(sessions(dsn), tool, said)
    repairing.mend(sessions(dsn), tool, said, proposal, progress=Silent(), stop=threading.Event())
    return proposal


def test_what_cannot_be_proven_needs_a_word(stopped: str, tool: Sqlx) -> None:
    proposal = repairing.propose(sessions(stopped), tool, Said())
    assert (proposal.mendings, proposal.changes) == ((), ())
    assert [entry.version for entry in proposal.left] == ["2"]


@pytest.mark.parametrize(
    ("said", "then"), [(Said(applied=["2"]), State.APPLIED), (Said(reverted=["2"]), State.PENDING)]
)
def test_what_was_half_done_is_settled_by_a_word(stopped: str, tool: Sqlx, said: Said, then: State) -> None:
    before = rows(stopped, "TABLE _sqlx_migrations ORDER BY version")
    proposal = repairing.propose(sessions(stopped), tool, said)
    assert rows(stopped, "TABLE _sqlx_migrations ORDER BY version") == before, "proposing changes nothing"
    (change,) = proposal.changes
    assert change.before is not None
    assert change.before["success"] is False
    assert (change.after or {}).get("success") is (True if then is State.APPLIED else None)
    mend(stopped, tool, said)
    assert states(stopped, tool) == {"1": State.APPLIED, "2": then}


def test_a_file_in_which_only_comments_changed_is_known_for_the_same(stopped: str, tool: Sqlx) -> None:
    (tool.folder / "1_a.sql").write_text("-- things\nCREATE TABLE a (\n  id int\n);\n")
    assert states(stopped, tool)["1"] is State.CHANGED
    (mending,) = repairing.propose(sessions(stopped), tool, Said()).mendings
    assert "comments or spaces" in mending.why
    installed = rows(stopped, "SELECT installed_on FROM _sqlx_migrations WHERE version = 1")
    mend(stopped, tool, Said())
    assert states(stopped, tool)["1"] is State.APPLIED
    assert rows(stopped, "SELECT installed_on FROM _sqlx_migrations WHERE version = 1") == installed


def test_a_file_that_says_something_else_is_not(stopped: str, tool: Sqlx) -> None:
    (tool.folder / "1_a.sql").write_text("CREATE TABLE a (id bigint);")
    assert repairing.propose(sessions(stopped), tool, Said()).mendings == ()
    mend(stopped, tool, Said(accepted=["1"]))
    assert states(stopped, tool)["1"] is State.APPLIED


def test_a_migration_that_the_folder_lacks(stopped: str, tool: Sqlx) -> None:
    (tool.folder / "1_a.sql").unlink()
    mend(stopped, tool, Said(reverted=["1"]))
    assert "1" not in states(stopped, tool)


def test_a_word_that_does_not_fit_is_refused(stopped: str, tool: Sqlx) -> None:
    with pytest.raises(UsageError, match="Nothing is wrong with 1"):
        repairing.propose(sessions(stopped), tool, Said(reverted=["1"]))
    with pytest.raises(UsageError, match="2_b is failed, which this does not settle"):
        repairing.propose(sessions(stopped), tool, Said(accepted=["2"]))


def test_what_changed_meanwhile_is_not_overwritten(stopped: str, tool: Sqlx) -> None:
    said = Said(applied=["2"])
    proposal = repairing.propose(sessions(stopped), tool, said)
    (tool.folder / "1_a.sql").write_text("-- other\nCREATE TABLE a (id int);")
    with pytest.raises(LockgateError, match="changed meanwhile"):
        repairing.mend(sessions(stopped), tool, said, proposal, progress=Silent(), stop=threading.Event())
