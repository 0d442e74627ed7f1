"""The way back: the other database is made what this one is by now, in one transaction there, or not at all.

It may be written only if it is as it was when both agreed last: else nobody could tell what was deleted here from what
was made there. All that is written is compared before the transaction ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.copying import comparing, sequences, writing
from lockgate.copying.comparing import Difference
from lockgate.copying.definition import Definition
from lockgate.copying.order import Order, order
from lockgate.copying.pairs import Pair, pair
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.errors import RollbackRefused
from lockgate.ledger import copies
from lockgate.ledger.copies import CopyRow, Everything
from lockgate.plan.models import CopyStep

_OURS = Everything()


@dataclass(frozen=True, slots=True)
class Carried:
    """What was written there, and removed."""

    written: int
    removed: int


def refuse_changed(here: Connection[Any], there: Connection[Any], copy: CopyRow, pairs: list[Pair], where: str) -> None:
    """:raises RollbackRefused: if a table there is not what it was when both agreed; names all of them."""
    known = copies.tables(here, copy.id)
    changed = []
    for each in pairs:
        row = known.get(each.table.oid)
        found = comparing.content_there(there, each)
        if row is None or row.source is None:
            changed.append(f"{each.label} never was equal to {each.table.label}")
        elif found not in {row.source, row.left_as}:
            before, now = row.source.split(":")[0], found.split(":")[0]
            changed.append(f"{each.label} had {before} rows when both agreed, and has {now} others now")
    if changed:
        raise RollbackRefused(
            "The other database was written since both agreed, so what was written here cannot be taken there",
            where=where,
            why="; ".join(changed),
            hint="Nothing was changed. Look at both sides' rows; `lockgate rollback --lose-rows` goes back without "
            "what was written here.",
        )


def carry(
    ctx: StepContext, here: Connection[Any], there: Connection[Any], definition: Definition, copy: CopyRow
) -> Carried:
    """Make the tables there what they are here, in its open transaction; nobody may write them here meanwhile.

    :raises RollbackRefused: if they were written, or would not be the same afterwards.
    """
    forth = definition.pairs(here, there)
    back = inverted(here, there, definition, forth)
    differences = [_compare(here, there, copy, each, forth) for each in back.pairs]
    where = definition.place("back")
    done = Carried(0, 0)
    if not any(difference.found for difference in differences):
        return done
    refuse_changed(here, there, copy, forth.pairs, where)
    moved = -1
    while any(difference.found for difference in differences) and moved:
        now = _write(here, there, back, differences, definition.step.triggers == "off")
        moved = now.written + now.removed
        done = Carried(done.written + now.written, done.removed + now.removed)
        differences = [_compare(here, there, copy, each, forth) for each in back.pairs]
    _refuse_unequal(differences, where)
    for each in back.pairs:
        sequences.advance(there, each)
    _note(ctx, copy, {each.table.oid: comparing.content_there(there, each) for each in forth.pairs})
    fault("carry.written")
    return done


def inverted(here: Connection[Any], there: Connection[Any], definition: Definition, forth: Order) -> Order:
    """The same copy the other way round.

    :raises PlanError: if the tables there cannot be written so.
    """
    theirs = {each.table.oid: each.there.sql for each in forth.pairs if each.there is not None}
    columns = {
        theirs[each.table.oid]: tuple(held.theirs for held in each.columns if _is_writable(each, held.column.name))
        for each in forth.pairs
    }
    step = CopyStep(
        copy_=definition.name,
        from_=definition.step.back,
        tables=tuple(theirs.values()),
        named={theirs[each.table.oid]: each.table.sql for each in forth.pairs},
        columns=columns,
        key={theirs[each.table.oid]: tuple(held.theirs for held in each.key) for each in forth.pairs},
    )
    where = definition.place("back")
    made = pair(there, here, step, lambda *path: where)
    return order(there, made, where)


def _is_writable(each: Pair, name: str) -> bool:
    """A column that is generated there has its value from others."""
    assert each.there is not None
    column = each.there.column(name)
    return column is not None and not column.generated


def _compare(here: Connection[Any], there: Connection[Any], copy: CopyRow, each: Pair, forth: Order) -> Difference:
    """What there is not as it is here; what was here before anything was copied is not taken there."""
    found = comparing.compare(there, here, _OURS, each)
    oid = next(one.table.oid for one in forth.pairs if one.there is not None and one.there.oid == each.table.oid)
    if found.wanted:
        before = f"NOT {copy.own('s', oid)} AND NOT {copy.since('s', oid)}"
        texts = ", ".join(f"({held.there('s')})::text" for held in each.key)
        query = f"SELECT ARRAY[{texts}] {writing.from_keys(here, each, found.wanted)} WHERE {before}"
        kept = {tuple(key) for (key,) in here.execute(query.encode())}
        found.wanted = [key for key in found.wanted if key not in kept]
    return found


def _write(
    here: Connection[Any], there: Connection[Any], back: Order, differences: list[Difference], silent: bool
) -> Carried:
    by_oid = {difference.pair.table.oid: difference for difference in differences}
    removed = written = 0
    for unit in reversed(back.units):
        gone = {each.table.oid: by_oid[each.table.oid].gone for each in unit.pairs}
        removed += writing.remove(there, _OURS, unit, gone, silent=silent)
    for unit in back.units:
        queries = {each: writing.by_key(here, each, by_oid[each.table.oid].wanted) for each in unit.pairs}
        with here.transaction(), writing.reading(here, queries) as feeds:
            written += writing.put(there, _OURS, back, unit, feeds, silent=silent).written
    return Carried(written, removed)


def _refuse_unequal(differences: list[Difference], where: str) -> None:
    left = [f"{d.found} rows of {d.pair.table.label}" for d in differences if d.found or d.more]
    if left:
        raise RollbackRefused(
            "The other database would not be what this one is",
            where=where,
            why=f"After all was written there these differ: {', '.join(left)}. Triggers or keys there may be why.",
            hint="Nothing was changed there. `triggers: off` keeps its triggers from firing.",
        )


def _note(ctx: StepContext, copy: CopyRow, contents: dict[int, str]) -> None:
    """Write down what will be there, before it is: whoever comes after a kill must know it for ours."""
    with ctx.sessions.open("copy") as conn, ctx.fenced(conn):
        for relid, content in contents.items():
            copies.leaving(conn, copy.id, relid, content)
