"""What pause, resume and tune have in common: one change of the ledger's control row."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from lockgate.cli import context
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from lockgate.ledger.control import Changes, Control


def change(plan: Path | None, database: str | None, **changes: Unpack[Changes]) -> Control:
    """Write the wish of whoever gave the command; the runner reads it within a second.

    :raises LedgerError: when there is no ledger yet, or it was copied from another database.
    """
    from lockgate.ledger import control, require_home

    with context.sessions(database).open("control") as conn:
        require_home(conn)
        return control.set(conn, context.plan_name(plan, conn), **changes)


def tell(output: Output, changed: Control, what: str, then: str | None) -> None:
    """Say what holds now."""
    if output.json:
        output.object(asdict(changed))
        return
    output.line(what)
    if then:
        output.line(then)
