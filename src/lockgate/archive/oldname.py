"""What answers at the old name of an archived table: a view of the archived rows, or of the new model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import Connection, errors, sql
from psycopg.rows import dict_row

from lockgate.archive import instead
from lockgate.archive.queries import load
from lockgate.archive.tables import Table
from lockgate.errors import PlanError, PrivilegeMissing, RollbackRefused

_HAS_INVOKERS = 150_000
_PUBLIC = 0


@dataclass(frozen=True, slots=True)
class Model:
    """How the new model answers at an old name.

    :param select: one query.
    :param writes: what each kind of write does, by ``insert``, ``update`` and ``delete``; what is not there is refused.
    :param rights: whose rights reads and writes need on the new model.
    :param hint: for whose write is refused.
    """

    select: str
    writes: Mapping[str, instead.Body]
    rights: Literal["caller", "owner"]
    hint: str


@dataclass(frozen=True, slots=True)
class Left:
    """A view that was left at the old name of a table.

    :param relid: the number of the table.
    :param label: the old name.
    :param of_model: whether it reads the new model, and not the archived table.
    :param now: the view, under the name that it has now; None if somebody dropped it.
    :param untouched: whether it is as it was left. If not, it is somebody else's.
    :param title: ``view core.phones``, as ``catalog.dependents`` has it; empty if it is not there.
    :param functions: the same of its functions.
    """

    relid: int
    label: str
    of_model: bool
    now: Table | None
    untouched: bool
    title: str
    functions: tuple[str, ...]


def refuse(conn: Connection[Any], table: Table, model: Model | None, where: str) -> None:
    """Look whether a view may take the name of a table.

    :raises PrivilegeMissing: if somebody lacks a right.
    :raises PlanError: if a view cannot stand for the table.
    """
    facts = _rows(conn, "rights", oid=table.oid)[0]
    if not facts["may_create"] or not facts["owner_may_create"]:
        role = "the role that Lockgate connects as" if not facts["may_create"] else facts["owner"]
        raise PrivilegeMissing(
            f"No view can be left at the name {table.label}",
            where=where,
            why=f"In schema {table.schema} {role} may make nothing.",
            hint=f"GRANT CREATE ON SCHEMA {sql.Identifier(table.schema).as_string(None)} TO <{role}>;",
        )
    if not facts["has_columns"]:
        raise PlanError(f"{table.label} has no columns, and a view must have one", where=where)
    if model is None and facts["row_security"] and facts["readers_of_columns"]:
        raise PlanError(
            f"A view {table.label} could not be read by {facts['readers_of_columns']}",
            where=where,
            why="They may read some columns only. Because of the table's policies the view would read with the rights "
            "of who asks, and it reads all columns.",
            hint="GRANT SELECT on all columns, or archive the table without `tombstone`.",
        )
    if conn.info.server_version >= _HAS_INVOKERS:
        return
    if model is not None and model.rights == "caller":
        raise PlanError(
            f"The view {table.label} cannot read with the rights of who asks",
            where=where,
            why="Before PostgreSQL 15 a view reads with the rights of its owner.",
            hint="Say that this is meant: `rights: owner`.",
        )
    if model is None and facts["row_security"]:
        raise PlanError(
            f"A view {table.label} would show rows that policies of the table hide",
            where=where,
            why="Before PostgreSQL 15 a view reads with the rights of its owner, to whom they do not apply.",
            hint="Archive the table without `tombstone`.",
        )


def columns(conn: Connection[Any], oid: int) -> list[tuple[str, str]]:
    """Names and types of a relation's columns, in their order."""
    return [(str(name), str(type_)) for name, type_ in conn.execute(load("oldname.columns"), {"oid": oid})]


def numbered(conn: Connection[Any], table: Table) -> list[str]:
    """Columns that the table numbers by itself, and a view does not."""
    return [str(row["attname"]) for row in _rows(conn, "numbered", oid=table.oid)]


def leave(conn: Connection[Any], table: Table, into: str, model: Model | None) -> None:
    """Make the view, in the open transaction that has moved the table away and written that into the ledger.

    It has the owner of the table, and whoever might read and write the table may try with the view.

    :param model: None: the view reads the archived table.
    """
    defaults = list(conn.execute(load("oldname.defaults"), {"oid": table.oid})) if model else []
    # Nobody's temporary table may stand for one that a function reads with the rights of its owner.
    conn.execute(
        "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', "
        "nullif(pg_catalog.current_setting('search_path'), ''), 'pg_temp'), true)"
    )
    facts = _rows(conn, "rights", oid=table.oid)[0]
    # With its owner's rights a view gives what is granted on it, some columns, too; but policies are for who asks.
    invoker = model.rights == "caller" if model else facts["row_security"]
    options = sql.SQL("WITH (security_invoker = true) " if invoker else "")
    query = sql.SQL(model.select) if model else _archived_rows(conn, table, into)
    conn.execute(sql.SQL("CREATE VIEW {} {}AS {}").format(table.named(), options, query))
    for column, expression in defaults:
        default = sql.SQL(expression)
        conn.execute(
            sql.SQL("ALTER VIEW {} ALTER {} SET DEFAULT {}").format(table.named(), sql.Identifier(column), default)
        )
    owner = sql.Identifier(facts["owner"])
    conn.execute(sql.SQL("ALTER VIEW {} OWNER TO {}").format(table.named(), owner))
    if model:
        instead.make(conn, table, model.writes, owner, definer=model.rights == "owner", hint=model.hint)
    _grant(conn, table)
    said = f"Left by Lockgate for the table that is {into}.{table.name} now."
    conn.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(table.named(), sql.Literal(said)))
    by = "new model" if model else "archive"
    given = {"relid": table.oid, "view": table.named().as_string(conn), "answered_by": by}
    conn.execute(load("oldname.keep"), given)


def left(conn: Connection[Any], relids: Collection[int] | None = None) -> list[Left]:
    """The views that were left for these tables, or for all that are in an archive."""
    return [
        Left(
            relid=row["relid"],
            label=f"{row['from_schema']}.{row['name']}",
            of_model=row["answered_by"] == "new model",
            now=Table(row["oid"], row["schema_now"], row["name_now"]) if row["oid"] is not None else None,
            untouched=row["untouched"],
            title=row["title"] or "",
            functions=tuple(row["functions"]),
        )
        for row in _rows(conn, "left", relids=None if relids is None else list(relids))
    ]


def clear(conn: Connection[Any], table: Table, where: str) -> None:
    """Remove what was left at the old name of a table, in the open transaction that takes it out of the archive.

    :param table: by its old name.
    :raises RollbackRefused: if somebody has changed the view, or built on it; says what to do.
    """
    for view in left(conn, [table.oid]):
        if view.now is not None and not view.untouched:
            raise RollbackRefused(
                f"{view.label} cannot be made free: {view.title} is not what was left there",
                where=where,
                why="Somebody changed, renamed or moved it, or renamed what it reads.",
                hint=f"If nobody needs it: DROP VIEW {view.title.removeprefix('view ')}; then run this again.",
            )
        if view.now is not None:
            _drop(conn, view, where)
        for function in view.functions:
            conn.execute(f"DROP FUNCTION {function.removeprefix('function ')}".encode())


def refuse_taken(conn: Connection[Any], table: Table, where: str) -> None:
    """:raises RollbackRefused: if something else has the old name of a table, which is to have it back."""
    for row in _rows(conn, "holder", schema=table.schema, name=table.name, oid=table.oid):
        raise RollbackRefused(
            f"{table.label} cannot be put back: there is another {row['case']} of that name",
            where=where,
            hint="Rename it, or drop it if nobody needs it; then run this again.",
        )


def _drop(conn: Connection[Any], view: Left, where: str) -> None:
    assert view.now is not None, "only what is there is dropped"
    try:
        with conn.transaction():
            conn.execute(sql.SQL("DROP VIEW {} RESTRICT").format(view.now.named()))
    except errors.DependentObjectsStillExist as error:
        raise RollbackRefused(
            f"{view.label} cannot be put back: something was built on the view that was left there",
            where=where,
            why=error.diag.message_detail,
            hint="Drop that, or let it read something else; then run this again.",
        ) from None


def _archived_rows(conn: Connection[Any], table: Table, into: str) -> sql.Composed:
    """A query that the server lets writes through: the table's own guard refuses them, whoever makes them."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns(conn, table.oid))
    return sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(into, table.name))


def _grant(conn: Connection[Any], table: Table) -> None:
    """The rights that the table gives, and no others: default privileges may have given some."""
    name = table.named()
    row = conn.execute("SELECT %s::pg_catalog.regclass::oid::bigint", (name.as_string(conn),)).fetchone()
    assert row is not None
    for other in _rows(conn, "strangers", oid=int(row[0])):
        who = _role(other["grantee"], other["pg_get_userbyid"])
        conn.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(name, who))
    for given in _rows(conn, "grants", oid=table.oid):
        column = sql.SQL(" ({})").format(sql.Identifier(given["column_name"])) if given["column_name"] else sql.SQL("")
        conn.execute(
            sql.SQL("GRANT {}{} ON {} TO {}{}").format(
                sql.SQL(given["privilege"]),
                column,
                name,
                _role(given["grantee"], given["role"]),
                sql.SQL(" WITH GRANT OPTION" if given["grantable"] else ""),
            )
        )


def _role(oid: int, name: str) -> sql.Composable:
    return sql.SQL("PUBLIC") if oid == _PUBLIC else sql.Identifier(name)


def _rows(conn: Connection[Any], query: str, **given: Any) -> Sequence[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load(f"oldname.{query}"), given).fetchall()
