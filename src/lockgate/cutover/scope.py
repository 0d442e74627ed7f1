"""What a cutover takes over: the tables that are closed, and the targets that were filled from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Relation
from lockgate.cutover import draining
from lockgate.cutover.record import Cutover
from lockgate.cutover.targets import states
from lockgate.errors import PlanError, RollbackRefused
from lockgate.mapping import accounting
from lockgate.mapping import group as groups
from lockgate.mapping.group import Group
from lockgate.mapping.reconcile import one_snapshot, reconcile
from lockgate.plan.models import CutoverStep, Phase, mappings_of

Place = Callable[..., str]
"""``file:line:column`` of a part of the step, by its path."""

_TARGETS = """
SELECT t.id, t.name, t.state FROM lockgate.sync_targets t
WHERE t.plan = %s AND t.id NOT IN (SELECT target_id FROM lockgate.cutover_targets WHERE back) ORDER BY t.id
"""
# What a key of a closed table refers to could not be removed any more, for nobody takes the row away that refers to it;
# and an update would have to change that row, which looks like any stray write.
_ACTING = """
SELECT c.conname, pg_catalog.format('%%I.%%I', n.nspname, r.relname)
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype = 'f' AND c.conrelid = %s AND c.confrelid <> ALL (%s)
  AND (c.confdeltype <> 'c' OR c.confupdtype IN ('c', 'n', 'd')) ORDER BY 1
"""


_REFERRING = """
SELECT c.conname, pg_catalog.format('%%I.%%I', n.nspname, r.relname), o.relname
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
JOIN pg_catalog.pg_class o ON o.oid = c.confrelid
WHERE c.contype = 'f' AND c.confrelid = ANY (%s) AND c.conrelid <> ALL (%s) AND c.conparentid = 0 ORDER BY 2, 1
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a cutover is about.

    :param old: the tables to close, in the order in which they are locked.
    :param groups: the targets that the application takes over.
    """

    old: tuple[Relation, ...]
    groups: tuple[Group, ...]

    @property
    def new(self) -> list[Relation]:
        """The tables of the new model, each once."""
        found = {group.evaluation.target.oid: group.evaluation.target for group in self.groups}
        return list(found.values())


def find(conn: Connection[Any], plan: str, phase: Phase, step: CutoverStep, where: Place) -> Scope:
    """Look what is to be cut over.

    :raises PlanError: if a table is missing, nothing was filled from them, or a mapping would no longer be followed
        in part.
    """
    old = tuple(_old(conn, name, where("old", i)) for i, name in enumerate(step.old))
    _refuse_twice(old, where)
    _refuse_acting(conn, old, where)
    open_ = {catalog.named(conn, name, where("stays_open", i)).oid for i, name in enumerate(step.stays_open)}
    oids = {table.oid for table in old}
    _refuse_referring(conn, oids, open_, where)
    found: list[Group] = []
    for target_id, name, state in conn.execute(_TARGETS, (plan,)).fetchall():
        group = groups.load(conn, int(target_id))
        if oids & {base.relation.oid for base in group.bases}:
            _refuse_state(str(name), str(state), where)
            _refuse_same_phase(group, phase, where)
            found.append(group)
        if group.evaluation.target.oid in oids and state != "cut_over":
            raise PlanError(
                f"{group.evaluation.target.label} cannot be closed: {name} fills it",
                where=where("old"),
                hint="Close the tables that it is filled from.",
            )
    if not found:
        raise PlanError(
            "Nothing was filled from these tables, so there is nothing to cut over",
            where=where("old"),
            hint="Name the tables that the plan's mappings read.",
        )
    scope = Scope(old, tuple(found))
    _refuse_half(scope, open_, where)
    return scope


def tables_of(conn: Connection[Any], targets: Sequence[int]) -> list[Relation]:
    """The tables that some targets fill, each once, in the order in which they were registered."""
    rows = conn.execute(
        "SELECT relid::bigint FROM lockgate.sync_targets WHERE id = ANY (%s) ORDER BY id", (list(targets),)
    )
    return [catalog.read(conn, oid) for oid in dict.fromkeys(int(row[0]) for row in rows)]


def losses(conn: Connection[Any], cutover: Cutover) -> list[tuple[str, int, str]]:
    """What the old model would lack if it were the one again: table, rows, and what became of them, in words.

    Where the way back is open that is what the old model refuses; where it was closed, it is opened first.
    """
    if cutover.back:
        return [
            (name, keys, "which the old model refuses (lockgate.poison says why)")
            for name, keys in draining.refused(conn, cutover.back, for_good=True)
        ]
    return written(conn, cutover.targets)


def merged(conn: Connection[Any], cutover: Cutover) -> list[tuple[str, int]]:
    """What an open way back makes one of by `winner`, so that the old model holds only one of them: table, rows."""
    found = []
    for target in cutover.back if states(conn, cutover.back) == {"live"} else ():
        group = groups.load(conn, target)
        found.append((group.evaluation.target.label, accounting.beaten(conn, group)))
    return [(label, rows) for label, rows in found if rows]


def written(conn: Connection[Any], targets: Sequence[int]) -> list[tuple[str, int, str]]:
    """What the application has written to tables that were cut over, as ``losses`` tells it: all of it is compared."""
    lost = []
    for target in targets:
        group = groups.load(conn, target)
        with one_snapshot(conn, group):
            found = reconcile(conn, group, followed=False)
        for rows, what in (
            (found.extra, "made since the cutover"),
            (found.different, "changed since the cutover"),
            (found.missing, "removed since the cutover: they would come back"),
        ):
            if rows:
                lost.append((group.evaluation.target.label, rows, what))
    return lost


def refuse_losses(conn: Connection[Any], targets: Sequence[int], where: str, hint: str) -> None:
    """Count what the application has written since: it was counted before, and may be more by now.

    :raises RollbackRefused: if there is any.
    """
    lost = written(conn, targets)
    if lost:
        raise RollbackRefused(
            f"Going back would lose {sum(rows for _, rows, _ in lost)} rows",
            where=where,
            why="; ".join(f"{table}: {rows} rows, {why}" for table, rows, why in lost),
            hint=hint,
        )


def _old(conn: Connection[Any], name: str, where: str) -> Relation:
    table = catalog.named(conn, name, where)
    if table.kind not in "rp" or table.inherited:
        raise PlanError(f"{table.label} cannot be closed", where=where, why="It is not a table of its own.")
    return table


def _refuse_twice(old: Sequence[Relation], where: Place) -> None:
    seen: set[int] = set()
    for number, table in enumerate(old):
        if table.oid in seen:
            raise PlanError(f"{table.label} is named twice", where=where("old", number), hint="Leave one out.")
        seen.add(table.oid)


def _refuse_referring(conn: Connection[Any], old: set[int], stays_open: set[int], where: Place) -> None:
    row = conn.execute(_REFERRING, (list(old), [*old, *stays_open])).fetchone()
    if row is not None:
        raise PlanError(
            f'{row[1]} refers to {row[2]} by foreign key "{row[0]}", and stays open',
            where=where("old"),
            why="What is new after the cutover gets there by the way back only, a moment later; without one, never.",
            hint=f"Drop the key in an earlier step, or say that nobody needs it: stays_open: [{row[1]}]",
        )


def _refuse_acting(conn: Connection[Any], old: Sequence[Relation], where: Place) -> None:
    for number, table in enumerate(old):
        row = conn.execute(_ACTING, (table.oid, [other.oid for other in old])).fetchone()
        if row is not None:
            raise PlanError(
                f'{table.label} cannot be closed: its foreign key "{row[0]}" would refuse changes in {row[1]}',
                where=where("old", number),
                why="The application would fail there, as nobody changes the rows that refer to it any more.",
                hint=f"Make it ON DELETE CASCADE, drop it in an earlier step, or close {row[1]} as well.",
            )


def _refuse_state(name: str, state: str, where: Place) -> None:
    if state == "live":
        return
    why = {
        "unsynced": "It was copied once and follows nothing (sync: none).",
        "backfill": "Its rows are not all copied yet.",
        "cut_over": "It was cut over already.",
    }.get(state, f"Its state is {state}.")
    raise PlanError(
        f"{name} cannot be cut over", where=where("old"), why=why, hint="Finish or take back its phase first."
    )


def _refuse_same_phase(group: Group, phase: Phase, where: Place) -> None:
    """Taken back with its phase, what it has filled would be weighed before the old model is the one again."""
    here = {name for step in phase.steps for name in mappings_of(step)}
    mine = next((mapping.name for mapping in group.compiled if mapping.name in here), None)
    if mine is not None:
        raise PlanError(
            f"{mine} is of the same phase as its cutover",
            where=where(),
            why="Its checks, made after the cutover, would compare what is no longer kept in step.",
            hint="Put the cutover into a later phase.",
        )


def _refuse_half(scope: Scope, stays_open: set[int], where: Place) -> None:
    followed = {table.oid for table in (*scope.old, *scope.new)} | stays_open
    for group in scope.groups:
        for base in group.bases:
            if base.relation.oid not in followed:
                raise PlanError(
                    f"{group.name} also reads {base.relation.label}, which stays open",
                    where=where("old"),
                    why="What is written there after the cutover would not reach the new model.",
                    hint=f"Close it as well, or say that this is meant: stays_open: [{base.relation.label}]",
                )
