"""Writes through a view of the new model: a trigger function for each kind, made of SQL of the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from lockgate.archive.tables import Table

EVENTS = ("insert", "update", "delete")
_HEAD = "#variable_conflict use_column\nDECLARE\n    lockgate_row record;\n    lockgate_done boolean := false;\nBEGIN\n"
_COUNT = "    lockgate_done := lockgate_done OR FOUND;\n"
# What changes nothing is no success: the row was changed by somebody since it was read, or the new model has no place
# for it. An application that tries serialization failures again does so here.
_NOTHING = (
    "    IF NOT lockgate_done THEN\n"
    "        RAISE EXCEPTION '% on %.% is refused: it would change nothing in the new model', "
    "TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME\n"
    "            USING ERRCODE = '{state}', HINT = '{hint}';\n"
    "    END IF;\n"
)
_LOST = ("serialization_failure", "If somebody has changed the row meanwhile: read it again, and try once more.")
_NOT_MADE = ("no_data_found", "The new model has no place for this row: what it belongs to may be missing.")


@dataclass(frozen=True, slots=True)
class Body:
    """What is done for a row.

    :param statements: SQL in which NEW and OLD stand for it, with whether the statement is a query.
    :param function: schema and name of a trigger function of the application's, that does it instead.
    """

    statements: Sequence[tuple[str, bool]] = ()
    function: tuple[str, str] | None = None


def make(
    conn: Connection[Any], table: Table, writes: Mapping[str, Body], owner: sql.Identifier, *, definer: bool, hint: str
) -> None:
    """Make the triggers of the view that has the name of a table, in the open transaction.

    Names in the plan's SQL are read as they are now, whoever writes to the view.

    :param definer: whether the functions run with the rights of the owner.
    :param hint: for whose write is refused.
    """
    for event in EVENTS:
        body = writes.get(event)
        if body is not None and body.function is not None:
            function = sql.Identifier(*body.function)
        else:
            function = sql.Identifier(table.schema, f"lockgate_instead_{table.oid}_{event}")
            text = _refusing(hint) if body is None else _doing(event, body)
            _make_function(conn, function, text, owner, definer)
        conn.execute(
            sql.SQL("CREATE TRIGGER {} INSTEAD OF {} ON {} FOR EACH ROW EXECUTE FUNCTION {}()").format(
                sql.Identifier(f"lockgate_{event}"), sql.SQL(event.upper()), table.named(), function
            )
        )
        if body is None or body.function is None:
            # Else anybody could call one that runs with the owner's rights, by a trigger on a table of his own.
            conn.execute(sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(function))


def _make_function(
    conn: Connection[Any], function: sql.Identifier, text: str, owner: sql.Identifier, definer: bool
) -> None:
    rights = sql.SQL("SECURITY DEFINER" if definer else "SECURITY INVOKER")
    conn.execute(
        sql.SQL("CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql {} SET search_path FROM CURRENT AS {}").format(
            function, rights, sql.Literal(text)
        )
    )
    conn.execute(sql.SQL("ALTER FUNCTION {}() OWNER TO {}").format(function, owner))


def _doing(event: str, body: Body) -> str:
    done = "".join(_statement(text, is_query=is_query) + _COUNT for text, is_query in body.statements)
    state, hint = _NOT_MADE if event == "insert" else _LOST
    result = "OLD" if event == "delete" else "NEW"
    return f"{_HEAD}{done}{_NOTHING.format(state=state, hint=hint)}    RETURN {result};\nEND"


def _statement(text: str, *, is_query: bool) -> str:
    """A query is run for what the functions in it do; the text may end with a comment."""
    return f"    FOR lockgate_row IN {text}\n    LOOP END LOOP;\n" if is_query else f"    {text}\n    ;\n"


def _refusing(hint: str) -> str:
    said = sql.Literal(hint).as_string(None)
    return (
        "BEGIN\n    RAISE EXCEPTION '% on %.% is refused: the table is archived, and the plan says nothing of this "
        "write to the new model', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME\n"
        f"        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = {said};\nEND"
    )
