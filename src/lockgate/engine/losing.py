"""What going back would lose: counted for all phases together, before anything is done; looks only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.copying import prospect as copied
from lockgate.copying.prospect import Copied
from lockgate.cutover import record, scope
from lockgate.cutover.record import Cutover
from lockgate.engine import seeds
from lockgate.engine.undoing import begun_steps, needs_sql
from lockgate.errors import RollbackRefused
from lockgate.mapping import dependants, removal, stakes, unfit
from lockgate.mapping.group import Group
from lockgate.mapping.unfit import Unfit
from lockgate.migrating import planned, rehearsing
from lockgate.plan.models import CloseStep, CopyStep, CutoverStep, MapStep, Phase, ReplacingStep, Step, TransformStep
from lockgate.plan.steps import step_name
from lockgate.script.located import located
from lockgate.script.statements import changes_rows, dropped_schemas, dropped_tables, empties_others

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

_LABEL = b"""
SELECT n.nspname || '.' || c.relname, pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s
"""
# Also those that refer to them by way of others; of a key that partitions share, the table that they are parts of.
_REFERRING = b"""
WITH RECURSIVE emptied (oid) AS (
    SELECT o.oid FROM unnest(%(oids)s::oid[]) AS o (oid)
    UNION SELECT c.conrelid FROM emptied e
    JOIN pg_catalog.pg_constraint c ON c.confrelid = e.oid AND c.contype = 'f' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint p WHERE p.oid = c.conparentid AND p.conrelid <> c.conrelid))
SELECT oid::bigint FROM emptied ORDER BY oid
"""
# A partition goes with the table that it is a part of, if that is in the schema, too.
_IN_SCHEMA = b"""
SELECT c.oid::bigint FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a (oid)
    JOIN pg_catalog.pg_class p ON p.oid = a.oid WHERE p.relnamespace = n.oid AND p.oid <> c.oid)
ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that would be lost by going back: ``rows`` of ``table``, and why."""

    table: str
    rows: int
    why: str


@dataclass(frozen=True, slots=True)
class Prospect:
    """What going back would lose now.

    :param losses: rows of the application's.
    :param unknown: what of the application's might be lost besides and cannot be counted, for people.
    :param uncounted: what migrations would drop that could not be tried, for people.
    :param misfits: why mappings fit the database no more, so that more must be taken for lost than would be.
    """

    losses: list[Loss]
    unknown: list[str]
    misfits: list[str] = field(default_factory=list)
    uncounted: list[str] = field(default_factory=list)

    def refuse(self) -> None:
        """:raises RollbackRefused: if there are losses, listing them, or they could not be counted."""
        if self.losses:
            raise RollbackRefused(
                f"Going back would lose {sum(loss.rows for loss in self.losses)} rows",
                why="; ".join(f"{loss.table}: {loss.rows} rows, {loss.why}" for loss in self.losses),
                hint=self._other_way()
                + "Save them first, or say that they may be lost: `lockgate rollback --lose-rows`.",
            )
        if self.uncounted:
            raise RollbackRefused(
                "What going back would lose cannot be told",
                why="; ".join(self.uncounted),
                hint="Mend what failed, or say that rows may be lost: `lockgate rollback --lose-rows`.",
            )

    def _other_way(self) -> str:
        if not self.misfits:
            return ""
        return (
            f"Mend what a mapping needs ({'; '.join(self.misfits)}), then less may be lost: where the undo of a later "
            "phase does that, take back one phase at a time. "
        )


@dataclass(slots=True)
class _Filled:
    """A target with the mappings of it that are taken back, and the number of the phase that does it last."""

    loaded: Group | Unfit
    leaving: set[str] = field(default_factory=set)
    turn: int = 0

    @property
    def target(self) -> Relation | None:
        """The table that is filled; None if it cannot be told any more."""
        if isinstance(self.loaded, Unfit):
            return self.loaded.kept.target if self.loaded.kept is not None else None
        return self.loaded.evaluation.target

    @property
    def updates_only(self) -> bool:
        """Whether it is a transform."""
        return self.loaded.updates_only if isinstance(self.loaded, Unfit) else self.loaded.evaluation.updates_only

    def removed(self, alias: str) -> str:
        """The condition that a row of the table goes."""
        if isinstance(self.loaded, Unfit):
            return unfit.removed(self.loaded, self.leaving, alias)
        return stakes.removed(self.loaded, stakes.remaining(self.loaded, self.leaving), alias)


def foresee(sessions: Sessions, loaded: LoadedPlan, phases: Sequence[Phase]) -> Prospect:
    """What taking these phases back would lose now, with what migrations that are programs would drop.

    :param phases: all that are taken back, the last one first.
    :raises RollbackRefused: if rows could not be removed because others refer to them.
    """
    with sessions.open("rollback", plan_sql=True) as conn:
        prospect = look(conn, loaded, phases)
    rehearsal = rehearsing.rehearse(sessions, loaded, phases)
    why = f"dropped when {', '.join(rehearsal.names)} are taken back, as a trial of it has shown"
    shown = [Loss(f"{each.kind} {each.name}", each.count, why) for each in rehearsal.destroyed]
    untried = [rehearsal.unknown] if rehearsal.unknown else []
    return Prospect(prospect.losses + shown, prospect.unknown + untried, prospect.misfits, untried)


def look(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> Prospect:
    """What taking these phases back would lose now.

    :param phases: all that are taken back, the last one first.
    :raises RollbackRefused: if rows could not be removed because others refer to them.
    """
    filled = _filled(conn, loaded, phases)
    brought = copied.look(conn, loaded, _copies(conn, loaded, phases))
    dropped = _dropped(conn, loaded, phases)
    over = list(_over(conn, loaded, phases))
    losses = [Loss(*loss) for cutover in over for loss in scope.losses(conn, cutover)]
    unknown = [
        f"{rows} rows that the way back yields for {table}, and whose keys others have by `winner`"
        for cutover in over
        for table, rows in scope.merged(conn, cutover)
    ]
    tables = {each.target.oid for each in filled if each.target is not None and not each.updates_only}
    tables |= {each.target.oid for each in brought if each.goes}
    for other in brought:
        losses += [Loss(*loss) for loss in other.losses(dropped)]
        if other.goes:
            losses += _of_others(conn, other, other.target, tables, dropped)
    # What the application owns by now is weighed when the old model is the one again.
    owned = _cut_over(conn)
    filled = [each for each in filled if each.loaded.target_id not in owned]
    for each in filled:
        target = each.target
        if isinstance(each.loaded, Unfit):
            losses += _of_misfit(conn, each.loaded, each.leaving, dropped)
        elif each.updates_only:
            rows = removal.rows_at_stake(conn, each.loaded)
            losses.append(Loss(each.loaded.evaluation.target.label, rows, "the application changed them since"))
        else:
            label = each.loaded.evaluation.target.label
            found = stakes.weigh(conn, each.loaded, each.leaving, dropped=each.loaded.evaluation.target.oid in dropped)
            losses += _of_target(label, found)
            unknown += _unknown(each.loaded, found)
        if target is not None and not each.updates_only:
            losses += _of_others(conn, each, target, tables, dropped)
    losses += _of_dropped(
        conn, loaded.plan.plan, phases, {oid: turn for oid, turn in dropped.items() if oid not in tables}
    )
    unknown += [f"what the undo of {phase.id} changes by its own SQL" for phase in _changing(conn, loaded, phases)]
    misfits = [each.loaded.why for each in filled if isinstance(each.loaded, Unfit)]
    return Prospect([loss for loss in losses if loss.rows], unknown, misfits)


def _filled(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> list[_Filled]:
    found: dict[int, _Filled] = {}
    for turn, phase in enumerate(phases):
        for number, _ in begun_steps(conn, loaded, phase):
            step = phase.steps[number]
            if isinstance(step, MapStep | TransformStep | ReplacingStep):
                name = step_name(step)
                group = removal.load(conn, loaded.plan.plan, name)
                if group is not None:
                    each = found.setdefault(group.target_id, _Filled(group))
                    each.leaving.add(name)
                    each.turn = turn
    return list(found.values())


def _copies(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> list[tuple[CopyStep, int]]:
    """The copies that have begun, the last one first, with the number of the phase that takes each back."""
    return [
        (step, turn)
        for turn, phase in enumerate(phases)
        for number, _ in begun_steps(conn, loaded, phase)
        if isinstance(step := phase.steps[number], CopyStep)
    ]


def _cut_over(conn: Connection[Any]) -> set[int]:
    rows = conn.execute("SELECT id FROM lockgate.sync_targets WHERE state = 'cut_over'")
    return {int(target) for (target,) in rows}


def _over(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> Iterator[Cutover]:
    """The cutovers that are taken back."""
    for phase in phases:
        for number, _ in begun_steps(conn, loaded, phase):
            step = phase.steps[number]
            name = _handed_over_by(step)
            cutover = record.find(conn, loaded.plan.plan, name) if name is not None else None
            if cutover is None or cutover.state != "over":
                continue
            _refuse_missing(conn, cutover.id, loaded.where("phases", loaded.plan.phases.index(phase), "steps", number))
            if not isinstance(step, CloseStep):
                yield cutover


def _handed_over_by(step: Step) -> str | None:
    """The name of the step by which the application took a model over, which this one is or ends the way back of."""
    if isinstance(step, CloseStep):
        return step.close
    return step_name(step) if isinstance(step, CutoverStep | ReplacingStep) else None


def _refuse_missing(conn: Connection[Any], cutover: int, where: str) -> None:
    """:raises RollbackRefused: if a table of the old model is there no more, or called otherwise."""
    missing = record.missing(conn, cutover)
    if missing:
        raise RollbackRefused(
            f"The old model is not what it was: {'; '.join(missing)}",
            where=where,
            why="The way back leads into these tables.",
            hint="Name them as before, or restore them (`lockgate restore`); nothing was changed.",
        )


def _of_misfit(
    conn: Connection[Any], loaded: Unfit, leaving: Collection[str], dropped: Collection[int]
) -> Iterator[Loss]:
    """:raises RollbackRefused: if it is a mapping that stays which cannot be evaluated."""
    misfit = loaded.stuck(leaving)
    if misfit is not None:
        names = ", ".join(sorted(leaving))
        raise RollbackRefused(
            f"{names} cannot be taken out of {loaded.label}: {misfit}, which stays, fits the database no more",
            why=f"Which rows stay with it cannot be told: {loaded.why}.",
            hint=f"Mend that first, or take {misfit} back as well: `lockgate rollback --to` a phase before its own.",
        )
    gone = loaded.kept is not None and loaded.kept.target.oid in dropped
    for rows, why in unfit.weigh(conn, loaded, leaving, dropped=gone):
        yield Loss(loaded.label, rows, why)


def _of_target(label: str, found: stakes.Stakes) -> Iterator[Loss]:
    yield Loss(label, found.born, "born in the new model")
    yield Loss(label, found.unexplained, "no mapping yields them")
    yield Loss(label, found.replaced, "there before the old model came to decide them")
    yield Loss(label, found.beside, f"with values in {', '.join(found.free)}, which no mapping decides")


def _unknown(group: Group, found: stakes.Stakes) -> Iterator[str]:
    label = group.evaluation.target.label
    if found.unknown:
        yield f"values in {', '.join(found.unknown)} of rows that were migrated into {label}"
    if not group.compiled[0].definition.sync:
        yield f"changes of rows that were migrated into {label}: nothing is logged there (sync: none)"


def _of_others(
    conn: Connection[Any], each: _Filled | Copied, target: Relation, tables: set[int], dropped: dict[int, int]
) -> Iterator[Loss]:
    """Rows of other tables that refer to those of a target.

    :raises RollbackRefused: if they keep it from being emptied.
    """
    gone = {oid for oid, turn in dropped.items() if turn < each.turn}
    oids = [target.oid, *(leaf.oid for leaf in target.leaves if leaf.oid != target.oid)]
    found = dependants.dependants(conn, oids, each.removed, {*tables, *gone})
    for other in found:
        if other.refuses:
            raise RollbackRefused(
                f"{other.rows} rows of {other.label} refer to rows of {target.label} that would be removed",
                why=f'foreign key "{other.name}" does not let them go',
                hint=f"remove those rows of {other.label}, or drop the foreign key; nothing was changed",
            )
        what = "go with rows of" if other.removed else "lose what they refer to in"
        yield Loss(other.label, other.rows, f'{what} {target.label} by foreign key "{other.name}"')


# --- the phases' own SQL -----------------------------------------------------------------------------------------


def _dropped(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> dict[int, int]:
    """The tables that the undo of the phases drops or empties, each with the number of the first phase that does."""
    found: dict[int, int] = {}
    for turn, phase in enumerate(phases):
        for text in _undoing(conn, loaded, phase):
            for item in located(text, lambda offset: ""):
                oids = [oid for name in dropped_tables(item.statement) if (oid := _oid(conn, name)) is not None]
                if empties_others(item.statement):
                    oids = [int(oid) for (oid,) in conn.execute(_REFERRING, {"oids": oids}).fetchall()]
                for schema in dropped_schemas(item.statement):
                    oids += [int(oid) for (oid,) in conn.execute(_IN_SCHEMA, (schema,)).fetchall()]
                for oid in oids:
                    found.setdefault(oid, turn)
    return found


def _undoing(conn: Connection[Any], loaded: LoadedPlan, phase: Phase) -> list[str]:
    """The SQL that takes a phase back, beside what is derived."""
    downs = [each.down.text for each in planned.applied(conn, loaded, phase) if each.down is not None]
    return downs + ([undo.sql for undo in phase.undo or ()] if needs_sql(conn, loaded, phase) else [])


def _changing(conn: Connection[Any], loaded: LoadedPlan, phases: Sequence[Phase]) -> list[Phase]:
    return [
        phase
        for phase in phases
        if any(changes_rows(i.statement) for text in _undoing(conn, loaded, phase) for i in located(text, str))
    ]


def _of_dropped(conn: Connection[Any], plan: str, phases: Sequence[Phase], dropped: dict[int, int]) -> Iterator[Loss]:
    for oid, turn in dropped.items():
        row = conn.execute(_LABEL, (oid,)).fetchone()
        assert row is not None  # it was looked up just now
        rows = seeds.count_others(conn, plan, oid, str(row[1]))
        yield Loss(str(row[0]), rows, f"dropped by the undo of {phases[turn].id}, and not known to be the plan's own")


def _oid(conn: Connection[Any], name: str) -> int | None:
    row = conn.execute("SELECT to_regclass(%s)::oid::bigint", (name,)).fetchone()
    return int(row[0]) if row and row[0] is not None else None
