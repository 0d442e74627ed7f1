"""Sync: every target's state, the triggers that log for it, and what nobody owns any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from lockgate.archive import oldname
from lockgate.doctor.findings import Finding, fail, ok, warn
from lockgate.doctor.queries import rows
from lockgate.mapping.status import AT_REST
from lockgate.plan.models import Settings
from lockgate.status.sync import targets as all_targets


def targets(conn: Connection[Any], plan: str, settings: Settings) -> Iterator[Finding]:
    """Whether each target is kept in step, and how far it is behind."""
    for target in all_targets(conn, plan, settings):
        if target.alarm:
            yield fail("sync", f"{target.target}: {target.alarm}", target.release or "`lockgate status` says more.")
        elif target.state in AT_REST:
            yield ok("sync", f"{target.target}: {AT_REST[target.state]}")
        elif target.state == "unsynced":
            yield ok("sync", f"{target.target} is not kept in step, as the plan says")
        else:
            behind = f"{target.pending_rows} changes wait, the oldest for {target.lag_seconds:.1f} s"
            yield ok("sync", f"{target.target} is {target.state}; {behind}")


def triggers(conn: Connection[Any]) -> Iterator[Finding]:
    """Whether every table that a change log watches has its triggers, enabled for all writers."""
    wrong = rows(conn, "triggers")
    for row in wrong:
        if row.relation is None:
            yield fail(
                "triggers",
                f"the table that change log {row.log_id} ({row.label}) watched is gone",
                "`lockgate rollback` takes the mappings that read it back, or restore the table.",
            )
        elif not row.present:
            yield fail(
                "triggers",
                f"{row.relation} has lost its logging triggers: its changes are not followed",
                "`lockgate sync` (or apply) puts them back and compares everything.",
            )
        else:
            yield fail(
                "triggers",
                f"trigger {row.trigger} of {row.relation} is not enabled for all writers: some changes are missed",
                "`lockgate sync` (or apply) enables them and compares everything.",
            )
    renamed = rows(conn, "renamed_columns")
    for row in renamed:
        what = f"column {row.number} was dropped" if row.dropped else f"a column was renamed to {row.name}"
        yield fail(
            "triggers",
            f"{row.relation}: {what}, and the logging triggers read it: the application's writes fail",
            "Name it as it was before, at once; then change the mappings that read it.",
        )
    if not wrong and not renamed:
        yield ok("triggers", "every table that is followed has its triggers")


def closed(conn: Connection[Any]) -> Iterator[Finding]:
    """Whether every table of a model that was handed over refuses writes, whoever makes them."""
    found = rows(conn, "closed")
    for row in found:
        if not row.guarded:
            yield fail(
                "closed",
                f"{row.relation} is of the old model, and can be written: its trigger was dropped or disabled",
                "Enable it: ALTER TABLE ... ENABLE ALWAYS TRIGGER; or take the cutover back: `lockgate rollback`.",
            )
    if found and all(row.guarded for row in found):
        yield ok("closed", f"the old model is closed: {', '.join(row.label for row in found)}")


def old_names(conn: Connection[Any]) -> Iterator[Finding]:
    """Whether the views that were left at the old names of archived tables are as they were left."""
    found = oldname.left(conn)
    for view in found:
        if view.now is None:
            yield warn(
                "old names",
                f"the view that was left at {view.label} is gone",
                "Nothing has to be done, if nobody needs it: what is archived stays as it is.",
            )
        elif not view.untouched:
            yield warn(
                "old names",
                f"{view.title} is not what was left at {view.label}: somebody changed, renamed or moved it",
                "Nobody but its author removes it: `lockgate rollback` and the drop step ask that it be dropped first.",
            )
        else:
            reads = "the new model" if view.of_model else "the archived table"
            yield ok("old names", f"{view.label} is answered by a view of {reads}")


def orphans(conn: Connection[Any]) -> Iterator[Finding]:
    """Tables, functions and triggers of Lockgate that nothing in the ledger needs any more."""
    found = rows(conn, "orphans")
    for row in found:
        yield warn("orphans", f"{row.kind} {row.name} belongs to nothing in the ledger", f"Remove it: {row.remove};")
    if not found:
        yield ok("orphans", "no object of Lockgate is left over")
