"""What the plan says of old names of archived tables, checked against the database before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.archive import instead, oldname
from lockgate.archive.instead import EVENTS, Body
from lockgate.archive.oldname import Model
from lockgate.archive.queries import load
from lockgate.archive.tables import Table
from lockgate.engine import sqlerrors
from lockgate.errors import PlanError
from lockgate.plan.models import ArchiveStep, OldName, Phase, split_name
from lockgate.script.located import Located, allowed
from lockgate.sql.triggered import returns_rows, rows_named, with_rows
from lockgate.steps.base import place

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

Place = Callable[..., str]
"""``file:line:column`` of a part of what the plan says of one old name."""

_PROBE = "CREATE TEMPORARY VIEW lockgate_probe AS "
_PREPARE = "PREPARE lockgate_probe AS "
_WRITES = {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}
_ROW = "NULL::pg_temp.lockgate_probe"
# The row that a trigger does not have.
_ABSENT = {"insert": "old", "delete": "new"}
_DIFFERENCES = 5


def validate(loaded: LoadedPlan, phase: Phase, step: ArchiveStep) -> None:
    """:raises PlanError: for SQL that cannot be a view, or what a trigger does."""
    for name, said in step.views.items():
        _model(said, partial(place, loaded, phase, step, "views", name), "")


def find(step: ArchiveStep, table: Table, place_of: Place, hint: str) -> Model | None:
    """What the plan says of the old name of a table; None if the new model is not to answer there.

    :param place_of: of a part of the step.
    :param hint: for whose write is refused.
    """
    for name, said in step.views.items():
        if split_name(name) == (table.schema, table.name):
            return _model(said, partial(place_of, "views", name), hint)
    return None


def refuse(
    conn: Connection[Any], step: ArchiveStep, table: Table, together: Sequence[Table], place_of: Place, where: str
) -> None:
    """Look whether what is to answer at the old name of a table can; in a transaction that the caller rolls back.

    :param together: the tables that are archived with it.
    :raises LockgateError: if not; all columns that differ are named.
    """
    model = find(step, table, place_of, "")
    if model is None and not step.tombstone:
        return
    oldname.refuse(conn, table, model, where)
    if model is None:
        return
    [name] = [name for name in step.views if split_name(name) == (table.schema, table.name)]
    at = partial(place_of, "views", name)
    [select] = allowed(model.select, partial(at, "select"))
    _understood(conn, _PROBE, select, select.statement.text)
    _refuse_differences(conn, table, select.where)
    given = {"view": "pg_temp.lockgate_probe", "oids": [other.oid for other in together]}
    if read := [str(row[0]) for row in conn.execute(load("oldname.read_by"), given)]:
        raise PlanError(
            f"The view {table.label} reads {', '.join(read)}, which this step archives",
            where=select.where,
            hint="Read the new model.",
        )
    for event in EVENTS:
        _refuse_write(conn, model.writes.get(event), getattr(step.views[name], event), partial(at, event))
    conn.execute("DROP VIEW pg_temp.lockgate_probe")


def describe(conn: Connection[Any], step: ArchiveStep, table: Table, place_of: Place) -> Iterator[str]:
    """Lines for ``lockgate plan``."""
    model = find(step, table, place_of, "")
    if model is None and step.tombstone:
        yield f"a view {table.label} stays in its place: it reads the archived table, and its writes are refused"
    if model is None:
        return
    done = [event.upper() for event in model.writes]
    refused = [event.upper() for event in EVENTS if event not in model.writes]
    writes = "; ".join(
        f"{', '.join(events)} {what}" for events, what in ((done, "by the plan's SQL"), (refused, "refused")) if events
    )
    yield (
        f"a view {table.label} stays in its place: it reads the new model with the rights of "
        f"{'who asks' if model.rights == 'caller' else 'its owner'}; {writes}"
    )
    if "insert" in model.writes and (columns := oldname.numbered(conn, table)):
        yield f"where INSERT leaves out {', '.join(columns)}, NEW has NULL: the table numbered it, the view does not"


def _model(said: OldName, at: Place, hint: str) -> Model:
    found = allowed(said.select, partial(at, "select"))
    if len(found) != 1 or found[0].statement.kind != "SelectStmt":
        raise PlanError("A view is one SELECT", where=at("select"), hint="Write one query, without INTO.")
    writes = {}
    for event in EVENTS:
        text = getattr(said, event)
        if text is not None:
            writes[event] = _body(event, text, partial(at, event))
    return Model(found[0].statement.text, writes, said.rights, hint)


def _body(event: str, text: str, at: Place) -> Body:
    parts = split_name(text.strip())
    if parts is not None:
        if len(parts) != 2:
            raise PlanError(f"`{text.strip()}` is no function of the form schema.name", where=at())
        return Body(function=(parts[0], parts[1]))
    found = allowed(text, at)
    for item in found:
        _refuse_statement(event, item)
    return Body([(item.statement.text, item.statement.kind == "SelectStmt") for item in found])


def _refuse_statement(event: str, item: Located) -> None:
    text = item.statement.text
    if item.statement.kind not in {*_WRITES, "SelectStmt"}:
        raise PlanError(
            f"{item.name} cannot be done for a row of a view",
            where=item.where,
            hint="Write INSERT, UPDATE, DELETE, MERGE, or a SELECT of functions; or name a trigger function.",
        )
    if returns_rows(text):
        raise PlanError(f"{item.name} returns rows, which nobody takes", where=item.where, hint="Leave RETURNING out.")
    absent = _ABSENT.get(event, "")
    if absent in (named := rows_named(text)):
        raise PlanError(f"{event.upper()} has no {absent.upper()}", where=item.at(named[absent]))


def _refuse_differences(conn: Connection[Any], table: Table, where: str) -> None:
    of_table, of_view = oldname.columns(conn, table.oid), _probed(conn)
    differences = [
        f"column {number} is {_column(has)}, and {_column(yields)} of the SELECT"
        for number, (has, yields) in enumerate(zip_longest(of_table, of_view), start=1)
        if has != yields
    ]
    if differences:
        more = f" and {len(differences) - _DIFFERENCES} more" if len(differences) > _DIFFERENCES else ""
        raise PlanError(
            f"The view {table.label} would not have the columns of the table",
            where=where,
            why="; ".join(differences[:_DIFFERENCES]) + more,
            hint="Yield them in their order, by their names, and cast them to their types.",
        )


def _column(said: tuple[str, str] | None) -> str:
    return f'"{said[0]}" {said[1]}' if said else "none"


def _probed(conn: Connection[Any]) -> list[tuple[str, str]]:
    row = conn.execute("SELECT 'pg_temp.lockgate_probe'::pg_catalog.regclass::oid::bigint").fetchone()
    assert row is not None
    return oldname.columns(conn, int(row[0]))


def _refuse_write(conn: Connection[Any], body: instead.Body | None, text: str | None, at: Place) -> None:
    """:raises LockgateError: for a function that is not there, or SQL that the server does not understand."""
    if body is None or text is None:
        return
    if body.function is not None:
        schema, name = body.function
        row = conn.execute(load("oldname.trigger_function"), {"schema": schema, "name": name}).fetchone()
        if not row or not row[0]:
            raise PlanError(
                f"There is no trigger function {schema}.{name}()",
                where=at(),
                hint="Make it in an earlier step: CREATE FUNCTION ... RETURNS trigger.",
            )
        return
    for item in allowed(text, at):
        _understood(conn, _PREPARE, item, with_rows(item.statement.text, {"new": _ROW, "old": _ROW}))
        conn.execute("DEALLOCATE lockgate_probe")


def _understood(conn: Connection[Any], before: str, item: Located, text: str) -> None:
    """Let the server analyse a statement; nothing is done."""
    try:
        with conn.transaction():
            conn.execute(f"{before}{text}".encode())
    except psycopg.Error as error:
        position = error.diag.statement_position
        same = text == item.statement.text
        where = item.at(int(position) - 1 - len(before)) if position and same else item.where
        raise sqlerrors.explain(error, where, f"{item.name} ... is refused by the server") from error
