"""Building the statements of rewrites out of the one that was found."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.safety.context import Context
from lockgate.sql import tree
from lockgate.sql.ddl import dotted, ident
from lockgate.sql.tree import Node, enum

LONGEST = 63

ALONE = "-- CONCURRENTLY cannot run inside a transaction block: run it by itself, outside of one."
IN_BATCHES = "-- Again until it changes no row, each time in a transaction of its own:"


def column(c: Context) -> Node:
    """The ``ColumnDef`` that an ADD COLUMN makes."""
    return getattr(c.part, "def").column_def


def constraints(definition: Node, *kinds: str) -> list[Node]:
    """The constraints of these kinds at a column."""
    return [item.constraint for item in definition.constraints if enum(item.constraint, "contype") in kinds]


def only(c: Context, command: Node) -> Node:
    """The ALTER TABLE with one command."""
    copy = type(c.node)()
    copy.CopyFrom(c.node)
    del copy.cmds[:]
    copy.cmds.add().alter_table_cmd.CopyFrom(command)
    return copy


def column_without(c: Context, *kinds: str, type_name: str = "") -> str:
    """The ADD COLUMN without constraints of these kinds."""
    command = _copy(c.part)
    definition = column(c)
    made = getattr(command, "def").column_def
    del made.constraints[:]
    for item in definition.constraints:
        if enum(item.constraint, "contype") not in kinds and enum(item.constraint, "contype") not in _ATTRIBUTES:
            made.constraints.add().CopyFrom(item)
    if type_name:
        made.type_name.CopyFrom(_type(type_name))
    return c.sql(only(c, command))


_ATTRIBUTES = frozenset(
    {"CONSTR_ATTR_DEFERRABLE", "CONSTR_ATTR_NOT_DEFERRABLE", "CONSTR_ATTR_DEFERRED", "CONSTR_ATTR_IMMEDIATE"}
)


def _type(name: str) -> Node:
    return tree.parse(f"CREATE TABLE t (c {name})")[0].stmt.create_stmt.table_elts[0].column_def.type_name


def _copy(node: Node) -> Node:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def add_constraint(c: Context, constraint: Node, name: str, *, valid: bool, columns: Iterable[str] = ()) -> str:
    """ALTER TABLE ... ADD CONSTRAINT of a constraint that stands at a column, or of a table's.

    :param columns: of a foreign key that stands at a column.
    """
    statement = tree.parse(f"ALTER TABLE {c.table} ADD CONSTRAINT x CHECK (true)")[0].stmt.alter_table_stmt
    made = getattr(statement.cmds[0].alter_table_cmd, "def").constraint
    made.CopyFrom(constraint)
    made.conname = name
    made.skip_validation, made.initially_valid = not valid, valid
    for each in columns:
        made.fk_attrs.add().string.sval = each
    statement.relation.inh = c.relation is None or bool(c.relation.inh)
    return c.sql(statement)


def name_for(c: Context, columns: Iterable[str], label: str) -> str:
    """The name that PostgreSQL would give, as far as 63 bytes allow."""
    words = "_".join([c.key[1], *columns])
    room = LONGEST - len(label) - 1
    return f"{words.encode()[:room].decode(errors='ignore')}_{label}"


def beside(c: Context, name: str) -> str:
    """The name of something in the table's schema, as one would write it."""
    return dotted((c.relation.schemaname if c.relation is not None else "", name))


def validate(c: Context, name: str) -> str:
    """The VALIDATE of a constraint, in a transaction of its own."""
    return f"ALTER TABLE {c.table} VALIDATE CONSTRAINT {ident(name)};"


def not_null_steps(c: Context, name: str) -> list[str]:
    """SET NOT NULL without a scan under ACCESS EXCLUSIVE."""
    label = ident(name_for(c, (name,), "not_null"))
    column_ = ident(name)
    if c.major >= 18:
        return [
            f"ALTER TABLE {c.table} ADD CONSTRAINT {label} NOT NULL {column_} NOT VALID;",
            f"ALTER TABLE {c.table} VALIDATE CONSTRAINT {label};",
        ]
    return [
        f"ALTER TABLE {c.table} ADD CONSTRAINT {label} CHECK ({column_} IS NOT NULL) NOT VALID;",
        f"ALTER TABLE {c.table} VALIDATE CONSTRAINT {label};",
        f"ALTER TABLE {c.table} ALTER COLUMN {column_} SET NOT NULL;",
        f"ALTER TABLE {c.table} DROP CONSTRAINT {label};",
    ]


def fill(c: Context, name: str, expression: str) -> list[str]:
    """Filling a column of the rows that are there.

    :param expression: SQL.
    """
    column_ = ident(name)
    return [
        IN_BATCHES,
        f"UPDATE {c.table} SET {column_} = {expression} WHERE {column_} IS NULL\n"
        f"  AND ctid = ANY (ARRAY(SELECT ctid FROM {c.table} WHERE {column_} IS NULL LIMIT 5000));",
    ]


def lines(*parts: str | Iterable[str]) -> str:
    """Statements and comments, one under the other."""
    found: list[str] = []
    for part in parts:
        found += [part] if isinstance(part, str) else part
    return "\n".join(line for line in found if line)
