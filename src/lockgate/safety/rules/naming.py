"""LG92x and LG93x: names, and types that one regrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key
from lockgate.safety.rule import ANY, COLUMN, Found, rule
from lockgate.sql.ddl import dotted, ident, type_of
from lockgate.sql.script import long_names
from lockgate.sql.tree import Node, enum, strings, unwrap

_LONGEST = 63


@rule(
    "LG921",
    "name-too-long",
    Severity.MEDIUM,
    "A name of more than 63 bytes is cut",
    on=(ANY,),
    hazard="PostgreSQL cuts names after 63 bytes and only says so in a notice. Two names that differ after that are "
    "one, and a program that asks the catalog for the long name finds nothing.",
    instead="Choose a name of at most 63 bytes of UTF-8.",
    rows=(80,),
)
def name_too_long(c: Context) -> Iterator[Found]:
    text = c.statement.text
    for name in long_names(text, _LONGEST) if len(text) > _LONGEST or not text.isascii() else ():
        yield c.found(
            f"A name of {len(name.encode())} bytes is cut to 63: {ident(name)}.",
            "Names are cut without an error.",
            settled=True,
        )


@rule(
    "LG922",
    "other-shape-exists",
    Severity.HIGH,
    "IF NOT EXISTS over a table of another shape",
    on=("CreateStmt",),
    hazard="IF NOT EXISTS looks at the name only. If a table of that name is there with other columns, nothing is "
    "done, success is reported, and what comes next fails or writes to the wrong columns.",
    instead="Leave IF NOT EXISTS out, or add what is missing with ALTER TABLE.",
    catalog="whether a table of this name is there, and of which shape",
)
def other_shape_exists(c: Context) -> Iterator[Found]:
    before = c.known.tables.get(c.key)
    if not c.node.if_not_exists or before is None or not before.whole:
        return
    columns = {
        column.colname: type_of(column.type_name)
        for element in c.node.table_elts
        if (column := unwrap(element)).DESCRIPTOR.name == "ColumnDef"
    }
    other = {name for name, kind in columns.items() if name not in before.columns or before.columns[name].type != kind}
    if other:
        shown = ", ".join(ident(name) for name in sorted(other))
        yield c.found(
            f"Nothing is done here: {c.table} was made before, and not with this {shown}.",
            "IF NOT EXISTS looks at the name only.",
            settled=True,
        )


@rule(
    "LG923",
    "always-refused",
    Severity.HIGH,
    "A statement that PostgreSQL refuses, whatever is in the database",
    on=("UpdateStmt", "InsertStmt", "CreateStmt"),
    hazard="The migration stops here. Without a transaction around it what stands before has been committed.",
    instead="Name each column once; say ON COMMIT for temporary tables only.",
    rows=(80,),
)
def always_refused(c: Context) -> Iterator[Found]:
    if c.statement.kind == "CreateStmt":
        columns = [item.column_def.colname for item in c.node.table_elts if item.HasField("column_def")]
        if enum(c.node, "oncommit") not in {"ONCOMMIT_NOOP", ""} and c.node.relation.relpersistence != "t":
            yield c.found("This fails: ON COMMIT is for temporary tables.", "Error 42P16.", settled=True)
    elif c.statement.kind == "InsertStmt":
        columns = _set(c.node.cols)
        yield from _twice(c, _set(c.node.on_conflict_clause.target_list))
    else:
        columns = _set(c.node.target_list)
    yield from _twice(c, columns)


def _set(targets: Iterable[Node]) -> list[str]:
    """The columns that are set whole: parts of one, such as ``a[1]`` or ``b.x``, may be set one after another."""
    return [item.res_target.name for item in targets if not item.res_target.indirection]


def _twice(c: Context, columns: list[str]) -> Iterator[Found]:
    for name, count in Counter(columns).items():
        if count > 1:
            yield c.found(
                f"This fails: the column {ident(name)} is named {count} times.", "Error 42601 or 42701.", settled=True
            )


_TYPES = {
    "json": (
        "json has no =: DISTINCT, GROUP BY and UNION of rows with it fail.",
        "Use jsonb.",
        Severity.MEDIUM,
    ),
    "character": ("character(n) is filled up with blanks, which compare as nothing.", "Use text.", Severity.LOW),
    "money": ("money depends on the server's lc_monetary and has a fixed scale.", "Use numeric.", Severity.LOW),
    "time with time zone": (
        "time with time zone cannot know of summer time.",
        "Use timestamp with time zone.",
        Severity.LOW,
    ),
    "timestamp without time zone": (
        "timestamp without time zone is no moment: what it means depends on who reads it.",
        "Use timestamp with time zone.",
        Severity.LOW,
    ),
    "serial": (
        "serial makes a sequence of its own, which needs its own grants and is shared by LIKE.",
        "Use bigint GENERATED BY DEFAULT AS IDENTITY.",
        Severity.LOW,
    ),
}
_SAME = {"bigserial": "serial", "smallserial": "serial", "serial4": "serial", "serial8": "serial"}


@rule(
    "LG931",
    "regretted-type",
    Severity.LOW,
    "A type that one regrets",
    on=(COLUMN, "CreateDomainStmt"),
    hazard="json has no equality, so that DISTINCT and GROUP BY fail; character(n) pads with blanks; money depends on "
    "the server's locale; a timestamp without a zone is no moment; serial leaves a sequence to care for. "
    "A constraint of a domain is changed for all of its columns at once, and reads each of their tables.",
    instead="Use jsonb, text, numeric, timestamp with time zone, identity columns. To change the type later rewrites "
    "the table.",
    rows=(18, 80),
)
def regretted_type(c: Context) -> Iterator[Found]:
    if c.statement.kind == "CreateDomainStmt":
        if any(enum(item.constraint, "contype") in {"CONSTR_CHECK", "CONSTR_NOTNULL"} for item in c.node.constraints):
            yield c.found(
                f"A constraint of {dotted(strings(c.node.domainname))} cannot be changed for one table alone.",
                "To change it reads each table that uses the domain, and to add a column of it rewrites the table.",
                "-- Put the CHECK, or NOT NULL, at the columns.",
                settled=True,
            )
        return
    spelled = type_of(c.part.type_name).removesuffix("[]")
    base = _without_numbers(spelled)
    found = _TYPES.get(_SAME.get(base, base))
    if found is not None:
        why, instead, severity = found
        yield c.found(f"{ident(c.part.colname)} is {spelled}.", why, f"-- {instead}", severity=severity, settled=True)


def _without_numbers(spelled: str) -> str:
    head, _, rest = spelled.partition("(")
    return head + rest.partition(")")[2]


@rule(
    "LG932",
    "narrow-key",
    Severity.LOW,
    "A key of four bytes runs out",
    on=("CONSTR_PRIMARY",),
    hazard="An integer key ends at 2 147 483 647: then each INSERT fails, and to make it a bigint rewrites the table "
    "and all that refer to it.",
    instead="Make keys that are counted bigint.",
    rows=(80,),
)
def narrow_key(c: Context) -> Iterator[Found]:
    column = c.column
    if column is None and c.statement.kind == "CreateStmt":
        names = strings(c.part.keys)
        made = {
            inner.colname: inner
            for element in c.node.table_elts
            if (inner := unwrap(element)).DESCRIPTOR.name == "ColumnDef"
        }
        column = made.get(names[0]) if len(names) == 1 else None
    if column is None:
        return
    spelled = type_of(column.type_name)
    counted = spelled in _COUNTED or any(enum(i.constraint, "contype") in _COUNTS for i in column.constraints)
    if counted and spelled in {*_COUNTED, "integer", "smallint"}:
        yield c.found(
            f"{ident(column.colname)} is counted up and ends at {'32767' if 'small' in spelled else '2147483647'}.",
            "Widening a key later rewrites the table and those that refer to it.",
            settled=True,
        )


_COUNTED = frozenset({"serial", "smallserial", "serial4", "serial2"})
_COUNTS = frozenset({"CONSTR_IDENTITY"})


@rule(
    "LG933",
    "table-inheritance",
    Severity.LOW,
    "Inheritance does not pass on keys",
    on=("CreateStmt", "AT_AddInherit"),
    hazard="Unique constraints and foreign keys do not hold across parent and children: the same key can be in "
    "several of them, and nothing can refer to the whole.",
    instead="Use declarative partitioning, or a table of its own with a foreign key.",
    rows=(80,),
)
def table_inheritance(c: Context) -> Iterator[Found]:
    inherits = c.statement.kind != "CreateStmt" or (c.node.inh_relations and not c.node.HasField("partbound"))
    if inherits and c.relation is not None and key(c.relation) == c.key:
        yield c.found(
            f"Keys do not hold for {c.table} and what it inherits from together.",
            "Each table of an inheritance tree has indexes of its own.",
            settled=True,
        )


RULES = (name_too_long, other_shape_exists, always_refused, regretted_type, narrow_key, table_inheritance)
