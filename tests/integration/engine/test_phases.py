from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from lockgate.engine.phases import PhaseState, move, state
from lockgate.errors import LeaseLost, LedgerError
from lockgate.ledger import chain, lease

pytestmark = pytest.mark.one_server  # plain rows, which every run of a plan writes on both


def go(conn: psycopg.Connection[Any], epoch: int, to: PhaseState) -> None:
    move(conn, plan="shop", phase="a", to=to, epoch=epoch, run_id=None, facts={"digest": "x"})


@pytest.fixture
def held(conn: psycopg.Connection[Any]) -> lease.Lease:
    return lease.acquire(conn, "test", timedelta(seconds=60))


def test_goes_its_ways_and_says_so_in_the_chain(conn: psycopg.Connection[Any], held: lease.Lease) -> None:
    assert state(conn, "shop", "a") is PhaseState.PENDING
    for to in (PhaseState.RUNNING, PhaseState.CHECKING, PhaseState.DONE, PhaseState.UNDOING, PhaseState.UNDONE):
        go(conn, held.epoch, to)
        assert state(conn, "shop", "a") is to
    told = [(entry.kind, entry.payload["from"], entry.payload["state"]) for entry in chain.entries(conn, "shop")]
    assert told == [
        ("phase", "pending", "running"),
        ("phase", "running", "checking"),
        ("phase", "checking", "done"),
        ("undo", "done", "undoing"),
        ("undo", "undoing", "undone"),
    ]


def test_takes_no_other_way(conn: psycopg.Connection[Any], held: lease.Lease) -> None:
    with pytest.raises(LedgerError, match="pending cannot become done"):
        go(conn, held.epoch, PhaseState.DONE)
    assert chain.entries(conn, "shop") == []


def test_a_move_that_nobody_heard_of_is_not_made_twice(conn: psycopg.Connection[Any], held: lease.Lease) -> None:
    """The answer to its COMMIT was lost: the same run asks again."""
    for to in (PhaseState.RUNNING, PhaseState.CHECKING, PhaseState.CHECKING):
        go(conn, held.epoch, to)
    assert len(chain.entries(conn, "shop")) == 2
    with pytest.raises(LedgerError, match="checking cannot become checking"):
        move(conn, plan="shop", phase="a", to=PhaseState.CHECKING, epoch=held.epoch, run_id=7)


def test_moves_nothing_without_the_lease(conn: psycopg.Connection[Any], held: lease.Lease) -> None:
    with pytest.raises(LeaseLost):
        go(conn, held.epoch - 1, PhaseState.RUNNING)
    assert state(conn, "shop", "a") is PhaseState.PENDING
