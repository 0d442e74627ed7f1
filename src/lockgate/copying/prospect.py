"""What taking copies back would lose: looked at before anything is done."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.copying import carrying, stakes
from lockgate.copying.definition import Definition, of_step
from lockgate.copying.stakes import Stake
from lockgate.engine import sqlerrors
from lockgate.engine.clock import SystemClock
from lockgate.engine.context import Silent
from lockgate.errors import LockgateError
from lockgate.ledger import copies
from lockgate.ledger.copies import CopyRow
from lockgate.plan.models import CopyStep

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


@dataclass(frozen=True, slots=True)
class Copied:
    """A table of a copy that is taken back.

    :param goes: whether its rows are removed: an ``again`` that is taken back alone leaves them.
    :param saved: whether what was written here is, or will be, in the other database; ``why`` it cannot be, in words.
    :param turn: the number of the phase that takes it back.
    """

    copy: CopyRow
    stake: Stake
    goes: bool
    saved: bool
    why: str | None
    turn: int

    @property
    def target(self) -> Relation:
        """The table."""
        return self.stake.table

    def removed(self, alias: str) -> str:
        """The condition that a row of the table goes."""
        oid = self.target.oid
        return f"({self.copy.own(alias, oid)} OR {self.copy.since(alias, oid)})"

    def losses(self, dropped: Collection[int]) -> Iterator[tuple[str, int, str]]:
        """Table, rows and why of what would be lost of it.

        :param dropped: oids of tables that are dropped or emptied besides.
        """
        label, stake = self.target.label, self.stake
        if not self.saved:
            also = f"; they cannot be taken there: {self.why}" if self.why else ""
            yield label, stake.since, f"written here since the copy began{also}"
            yield label, max(0, stake.changed - stake.since), f"copied, and deleted here since{also}"
        if self.goes and stake.table.oid in dropped:
            yield label, stake.before, "there before anything was copied"


def look(conn: Connection[Any], loaded: LoadedPlan, steps: Sequence[tuple[CopyStep, int]]) -> list[Copied]:
    """The tables of all copies that are taken back.

    :param steps: that have begun, the last one first, with the number of the phase that takes each back.
    """
    found: dict[str, tuple[Definition, bool, int]] = {}
    for step, turn in steps:
        definition = of_step(loaded, step)
        goes = found.get(definition.name, (definition, False, turn))[1] or step.again is None
        found[definition.name] = (definition, goes, turn)
    made: list[Copied] = []
    for definition, goes, turn in found.values():
        copy = copies.find(conn, loaded.plan.plan, definition.name)
        if copy is None:
            continue
        weighed = stakes.weigh(conn, copy)
        saved, why = False, None
        if not copy.removing and definition.step.back is not None and any(stake.touched for stake in weighed):
            why = _obstacle(conn, loaded, definition, copy)
            saved = why is None
        made += [Copied(copy, stake, goes, saved, why, turn) for stake in weighed]
    return made


def _obstacle(conn: Connection[Any], loaded: LoadedPlan, definition: Definition, copy: CopyRow) -> str | None:
    """Why what was written here cannot be taken to the other database; None if nothing is in the way."""
    try:
        back = definition.way_back(loaded, SystemClock(), Silent(), threading.Event())
        with back, back.transaction() as there:
            forth = definition.pairs(conn, there)
            carrying.inverted(conn, there, definition, forth)
            carrying.refuse_changed(conn, there, copy, forth.pairs, definition.place("back"))
    except psycopg.Error as error:
        return sqlerrors.message(error)
    except LockgateError as error:
        return f"{error.what} ({error.why})" if error.why else error.what
    return None
