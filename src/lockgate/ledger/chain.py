"""The chain: append-only entries, each of which holds the hash of the one before it.

What the hash is taken of stands in :mod:`lockgate.ledger.fields`, how it is checked in
:mod:`lockgate.ledger.audit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, kwargs_row, scalar_row

from lockgate.errors import LedgerError
from lockgate.ledger import canonical
from lockgate.ledger.audit import ChainFault, verify
from lockgate.ledger.fields import Fields
from lockgate.ledger.queries import load
from lockgate.ledger.transactions import joined

__all__ = ["ChainEntry", "ChainFault", "Kind", "append", "entries", "evidence", "head", "verify"]

Kind = Literal["run", "phase", "step", "gate", "check", "evidence", "approval", "event", "control", "undo", "rehearsal"]


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """One row of the chain.

    :param seq: 1, 2, 3 and so on, without gaps.
    :param at: the server's clock when it was appended.
    :param payload: JSON values as :func:`lockgate.ledger.canonical.plain` makes them.
    :param prev: hash of the row before, 64 hex digits; zeros for the first.
    :param hash: hash of this row, 64 hex digits.
    """

    seq: int
    at: datetime
    run_id: int | None
    kind: str
    plan: str
    phase: str | None
    step: str | None
    payload: dict[str, Any]
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class _Next:
    """What the next row gets from the head and the clock."""

    seq: int
    prev: str
    at: datetime
    at_text: str


def append(
    conn: Connection[Any],
    *,
    kind: Kind,
    plan: str,
    phase: str | None = None,
    step: str | None = None,
    payload: Mapping[str, Any],
    run_id: int | None = None,
) -> ChainEntry:
    """Append one entry, in the open transaction of ``conn`` or in one of its own.

    Until that transaction ends nobody else can append, so append last. In a REPEATABLE READ transaction it
    fails with a serialization error when somebody appended since the snapshot.

    :param payload: see :func:`lockgate.ledger.canonical.plain` for what may be in it; never a secret.
    :raises LedgerError: for a value that has no place in JSON.
    """
    content = canonical.plain(payload)
    assert isinstance(content, dict)
    with joined(conn):
        head = conn.cursor(row_factory=class_row(_Next)).execute(load("chain.lock_head")).fetchone()
        if head is None:
            raise _headless()
        fields = Fields(head.seq, head.at_text, run_id, kind, plan, phase, step, content, head.prev)
        made = fields.digest()
        conn.execute(
            load("chain.append"),
            {
                "seq": head.seq,
                "at": head.at,
                "run_id": run_id,
                "kind": kind,
                "plan": plan,
                "phase": phase,
                "step": step,
                "payload": canonical.dumps(content),
                "prev": bytes.fromhex(head.prev),
                "hash": bytes.fromhex(made),
            },
        )
    return ChainEntry(head.seq, head.at, run_id, kind, plan, phase, step, content, head.prev, made)


def evidence(
    conn: Connection[Any],
    *,
    plan: str,
    phase: str | None,
    step: str | None,
    name: str,
    query: str,
    result: object,
    at: datetime | None = None,
    run_id: int | None = None,
) -> ChainEntry:
    """Append a fact with what produced it: the payload is ``{name, query, result}``.

    :param at: when it was measured, where that is not now: then ``measured_at`` is in the payload too.
    """
    payload: dict[str, Any] = {"name": name, "query": query, "result": result}
    if at is not None:
        payload["measured_at"] = at
    return append(conn, kind="evidence", plan=plan, phase=phase, step=step, payload=payload, run_id=run_id)


def entries(
    conn: Connection[Any],
    plan: str,
    kinds: Sequence[Kind] | None = None,
    phase: str | None = None,
) -> list[ChainEntry]:
    """The entries of a plan in their order, all or those of some kinds or of one phase."""
    values = {"plan": plan, "kinds": list(kinds) if kinds else None, "phase": phase}
    return conn.cursor(row_factory=kwargs_row(_entry)).execute(load("chain.entries"), values).fetchall()


def head(conn: Connection[Any]) -> str:
    """``<seq>:<hash>`` of the last entry; ``0:`` and 64 zeros before the first."""
    row = conn.cursor(row_factory=scalar_row).execute(load("chain.head")).fetchone()
    if row is None:
        raise _headless()
    return str(row)


def _entry(*, payload: str, **fields: Any) -> ChainEntry:
    try:
        content = canonical.loads(payload)
        if not isinstance(content, dict):
            raise ValueError("its payload is not an object")
    except ValueError as error:
        raise LedgerError(
            f"Row {fields['seq']} of the chain was changed",
            where="lockgate.chain",
            why=str(error),
            hint="`lockgate verify --ledger` says what else is wrong.",
        ) from error
    return ChainEntry(payload=content, **fields)


def _headless() -> LedgerError:
    return LedgerError(
        "The chain of the ledger has no head",
        where="lockgate.chain_head",
        why="Its row was removed.",
        hint="`lockgate verify --ledger` says what else is wrong.",
    )
