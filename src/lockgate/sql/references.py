"""What a statement says of tables and of the foreign keys between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lockgate.sql import tree
from lockgate.sql.tree import Node, character_offset, kind, unwrap

_TYPE = "SELECT NULL::"
_SERIALS = {"smallserial": "smallint", "serial2": "smallint", "serial": "integer", "serial4": "integer"}
_SERIALS |= {"bigserial": "bigint", "serial8": "bigint"}
_BESIDE = {"CommentStmt", "CreateEnumStmt", "CreateFunctionStmt", "CreateSeqStmt", "CreateTrigStmt", "DeleteStmt"}
_BESIDE |= {"GrantStmt", "IndexStmt", "InsertStmt", "UpdateStmt"}
_WITH_MORE = ("inh_relations", "of_typename", "partbound")


@dataclass(frozen=True, slots=True)
class Table:
    """A table's name, as the parser reads it: folded to lower case where it stands without quotes.

    :param schema: empty where none is said.
    """

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key that is made.

    :param into: the columns that it refers to; none for the primary key.
    :param offset: where the name of the table that it refers to stands, as an index of the text.
    """

    table: Table
    columns: tuple[str, ...]
    referenced: Table
    into: tuple[str, ...]
    offset: int


@dataclass(slots=True)
class Said:
    """What one statement says.

    :ivar made: the table that it makes.
    :ivar lenient: whether it may leave one that is there as it is.
    :ivar altered: the table that it alters, which must be there.
    :ivar offset: where the name of the table stands, as an index of the text.
    :ivar types: column -> type, of the columns that it makes or gives another type.
    :ivar key: the columns of the primary key that it makes.
    """

    made: Table | None = None
    lenient: bool = False
    altered: Table | None = None
    offset: int = 0
    types: dict[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    references: list[Reference] = field(default_factory=list)


def said(text: str) -> Said | None:
    """What a statement says of tables; None where that cannot be told from its text."""
    node = unwrap(tree.parse_one(text).stmt)
    if kind(node) in _BESIDE:
        return Said()
    if kind(node) == "CreateStmt":
        return _made(text, node)
    return _altered(text, node) if kind(node) == "AlterTableStmt" else None


def _made(text: str, node: Node) -> Said | None:
    parts = [unwrap(part) for part in node.table_elts]
    if any(field.name in _WITH_MORE for field, _ in node.ListFields()) or node.relation.relpersistence == "t":
        return None
    if any(kind(part) not in {"ColumnDef", "Constraint"} for part in parts):
        return None
    found = Said(made=_table(node.relation), lenient=bool(node.if_not_exists))
    found.offset = character_offset(text, node.relation.location)
    for part in parts:
        _take(text, found, _table(node.relation), part)
    return found


def _altered(text: str, node: Node) -> Said | None:
    table = _table(node.relation)
    found = Said(lenient=bool(node.missing_ok), altered=table)
    found.offset = character_offset(text, node.relation.location)
    for command in (unwrap(each) for each in node.cmds):
        part = unwrap(getattr(command, "def"))
        if part is not None and kind(part) in {"ColumnDef", "Constraint"}:
            _take(text, found, table, part, command.name)
    return found


def _take(text: str, found: Said, table: Table, part: Node, name: str = "") -> None:
    if kind(part) == "Constraint":
        _constrain(text, found, table, part, ())
        return
    column = part.colname or name
    if part.HasField("type_name"):
        found.types[column] = _type(part.type_name)
    for constraint in part.constraints:
        _constrain(text, found, table, unwrap(constraint), (column,))


def _constrain(text: str, found: Said, table: Table, part: Node, columns: tuple[str, ...]) -> None:
    contype = part.DESCRIPTOR.fields_by_name["contype"].enum_type.values_by_number[part.contype].name
    if contype == "CONSTR_PRIMARY":
        found.key = tuple(_names(part.keys)) or columns
    elif contype == "CONSTR_FOREIGN":
        own = tuple(_names(part.fk_attrs)) or columns
        offset = character_offset(text, part.pktable.location)
        found.references.append(Reference(table, own, _table(part.pktable), tuple(_names(part.pk_attrs)), offset))


def _table(relation: Node) -> Table:
    return Table(relation.schemaname, relation.relname)


def _names(parts: Sequence[Node]) -> Iterator[str]:
    yield from (unwrap(part).sval for part in parts)


def _type(name: Node) -> str:
    words = list(_names(name.names))
    if len(words) == 1 and words[0] in _SERIALS:
        return _SERIALS[words[0]]
    statement = tree.parse_one(_TYPE + "int")
    cast = unwrap(statement.stmt.select_stmt.target_list[0].res_target.val)
    cast.type_name.CopyFrom(name)
    return tree.deparse(statement).removeprefix(_TYPE)
