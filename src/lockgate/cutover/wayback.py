"""The way back: mappings from the new model that keep the old one in step after a cutover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Reader, Relation
from lockgate.cutover.record import Cutover
from lockgate.errors import PlanError
from lockgate.mapping import changelog, install, removal
from lockgate.mapping import group as groups
from lockgate.mapping.analysis import compile_mapping
from lockgate.mapping.changelog import ChangeLog
from lockgate.mapping.compiled import Compiled
from lockgate.mapping.definition import Definition
from lockgate.mapping.queries import first_number
from lockgate.mapping.reconcile import one_snapshot, reconcile


@dataclass(frozen=True, slots=True)
class Compared:
    """What a way back would write into one table of the old model, were it open now.

    :param added: rows that only the new model has.
    :param changed: rows that it would write otherwise than they are.
    :param kept: rows that only the old model has, and keeps.
    """

    table: str
    added: int
    changed: int
    kept: int
    query: str


def understand(conn: Connection[Any], definitions: Sequence[Definition], old: Sequence[Relation]) -> list[Compiled]:
    """Check the mappings of a way back against the database.

    :raises PlanError: if one does not fit, or fills a table that is not closed.
    """
    closed = {table.oid for table in old}
    found = []
    reader = Reader(conn)
    for definition in definitions:
        compiled = compile_mapping(conn, definition, reader)
        if compiled.target.oid not in closed:
            raise PlanError(
                f"{compiled.target.label} is not among the tables that are closed",
                where=definition.place("into"),
                why="A way back keeps the old model in step, which nobody else writes by then.",
                hint="Name it under `old`, or fill it by a step of its own.",
            )
        if not definition.sync:
            raise PlanError("a way back is kept in step", where=definition.place("sync"), hint="leave `sync` out")
        found.append(compiled)
    return found


def compare(conn: Connection[Any], target: int) -> Compared:
    """Compare one table of the old model with what the new one would make of it.

    Leaves out what is still on its way from one to the other. The target's logs must be kept, since a moment up to
    which everything had arrived.
    """
    loaded = groups.load(conn, target)
    with one_snapshot(conn, loaded):
        found = reconcile(conn, loaded)
    return Compared(loaded.evaluation.target.label, found.missing, found.different, found.extra, found.query)


def logs_whole(conn: Connection[Any], targets: Sequence[int]) -> bool:
    """Whether every change since ``get_ready`` is in the logs."""
    logs = {log.id: log for target in targets for log in changelog.read_by(conn, target)}
    return not changelog.tampered(conn, logs) and all(log.off_reason is None for log in logs.values())


def sources(conn: Connection[Any], back: Sequence[int]) -> set[int]:
    """The oids of the tables whose rows lead back into the old model, each row for itself."""
    return {mapping.driving_relation.oid for target in back for mapping in groups.load(conn, target).compiled}


def still_logged(conn: Connection[Any], cutover: Cutover) -> list[ChangeLog]:
    """The logs that stay while the application owns the new model: of its writes to tables that lead to no row back.

    What the plan has put there beside, such as how a value was written in the old model, the application leaves alone.
    With the log it is told from rows of the application's own, when the old model is the one again.
    """
    leading = sources(conn, cutover.back)
    logs = [log for target in cutover.targets for log in changelog.read_by(conn, target) if log.writer == str(target)]
    return [log for log in logs if cutover.back and log.relid not in leading]


def written_since(conn: Connection[Any], targets: Sequence[int], snapshot: str) -> bool:
    """Whether the application has written to tables since a snapshot; from then on their logs must have been on."""
    found: dict[int, ChangeLog] = {}
    filled = conn.execute("SELECT id, relid::bigint FROM lockgate.sync_targets WHERE id = ANY (%s)", (list(targets),))
    for target, relid in filled.fetchall():
        logs = [log for log in changelog.read_by(conn, target) if log.relid == relid]
        if not logs or any(log.off_reason is not None for log in logs):
            return True
        found |= {log.id: log for log in logs}
    rows = [
        f"EXISTS (SELECT FROM {log.table(segment)} "
        f"WHERE NOT pg_catalog.pg_visible_in_snapshot(xid, '{snapshot}'::pg_snapshot))"
        for log in found.values()
        for segment in changelog.SEGMENTS
    ]
    row = conn.execute(f"SELECT {' OR '.join(rows)}".encode()).fetchone()
    return bool(row and row[0])


def left_alone(conn: Connection[Any], back: Sequence[int], target: int) -> bool:
    """Whether a target is one that leads to no row back, and that the application has not written since the cutover."""
    relid = groups.load(conn, target).evaluation.target.oid
    log = changelog.of_relation(conn, relid, str(target))
    if log is None or relid in sources(conn, back):
        return False
    rows = " UNION ALL ".join(f"SELECT FROM {log.table(segment)}" for segment in changelog.SEGMENTS)
    return not first_number(conn, f"SELECT count(*) FROM (SELECT FROM ({rows}) AS r LIMIT 1) AS one")


def register(conn: Connection[Any], plan: str, compiled: Compiled) -> int:
    """Give a mapping its place in the ledger, in the open transaction; return its target."""
    return install.register(conn, plan, compiled, back=True)


def forget(conn: Connection[Any], target: int) -> None:
    """Take a target out of the ledger with its mappings, in the open transaction; its logs are gone by then."""
    conn.execute(
        "DELETE FROM lockgate.quarantine q USING lockgate.mappings m WHERE m.target_id = %s "
        "AND q.plan = m.plan AND q.mapping = m.name",
        (target,),
    )
    conn.execute("DELETE FROM lockgate.mappings WHERE target_id = %s", (target,))
    removal.drop_target(conn, target)
