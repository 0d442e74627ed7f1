"""Which tables and columns a statement uses, as far as its text alone tells.

Where a column may be of several tables, nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lockgate.sql import tree
from lockgate.sql.references import Table
from lockgate.sql.tree import Node, kind, strings, unwrap, walk

_SYSTEM = frozenset({"ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})
_DROPPED = {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"}


@dataclass(slots=True)
class Uses:
    """What a statement uses.

    :ivar tables: that it reads or changes, or refers to by a foreign key.
    :ivar columns: a table and the name of one of its columns.
    :ivar made: tables and views that it makes; ``passing`` those that are gone with the session.
    :ivar gone: what it drops or renames; ``gone_columns`` columns of that.
    """

    tables: set[Table] = field(default_factory=set)
    columns: set[tuple[Table, str]] = field(default_factory=set)
    made: set[Table] = field(default_factory=set)
    passing: set[Table] = field(default_factory=set)
    gone: set[Table] = field(default_factory=set)
    gone_columns: set[tuple[Table, str]] = field(default_factory=set)


def uses(text: str) -> Uses:
    """What the statements of a text use.

    :raises SqlSyntaxError: if it is not SQL.
    """
    found = Uses()
    for raw in tree.parse(text):
        node = unwrap(raw.stmt)
        if kind(node) == "ExplainStmt":
            node = unwrap(node.query)
        _defines(found, node)
        if kind(node) in {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}:
            _reads(found, node)
    return found


def _defines(found: Uses, node: Node) -> None:
    match kind(node):
        case "CreateStmt" | "CreateTableAsStmt" | "ViewStmt" | "CreateForeignTableStmt":
            _makes(found, node)
        case "DropStmt" if tree.enum(node, "remove_type") in _DROPPED:
            for item in node.objects:
                names = strings(unwrap(item).items)
                found.gone.add(Table(names[-2] if len(names) > 1 else "", names[-1]))
        case "RenameStmt":
            _renames(found, node)
        case "AlterTableStmt":
            table = _table(node.relation)
            for command in (unwrap(each) for each in node.cmds):
                if tree.enum(command, "subtype") == "AT_DropColumn":
                    found.gone_columns.add((table, command.name))
    if kind(node) in {"CreateStmt", "AlterTableStmt"}:
        for inner in walk(node):
            if kind(inner) == "Constraint" and inner.HasField("pktable"):
                found.tables.add(_table(inner.pktable))


def _makes(found: Uses, node: Node) -> None:
    match kind(node):
        case "CreateTableAsStmt":
            relation = node.into.rel
        case "ViewStmt":
            relation = node.view
        case "CreateForeignTableStmt":
            relation = node.base_stmt.relation
        case _:
            relation = node.relation
    (found.passing if relation.relpersistence == "t" else found.made).add(_table(relation))


def _renames(found: Uses, node: Node) -> None:
    if not node.HasField("relation"):
        return
    table = _table(node.relation)
    match tree.enum(node, "rename_type"):
        case "OBJECT_TABLE":
            found.gone.add(table)
            found.made.add(Table(table.schema, node.newname))
        case "OBJECT_COLUMN":
            found.gone_columns.add((table, node.subname))


def _reads(found: Uses, node: Node) -> None:
    named = {inner.ctename for inner in walk(node) if kind(inner) == "CommonTableExpr"}
    aliases: dict[str, set[Table | None]] = {}
    for inner in walk(node):
        match kind(inner):
            case "RangeVar":
                own = bool(inner.schemaname) or inner.relname not in named
                table = _table(inner) if own else None
                if table is not None and not inner.catalogname:
                    found.tables.add(table)
                renamed = inner.HasField("alias")
                shape = renamed and bool(inner.alias.colnames)
                alias = inner.alias.aliasname if renamed else inner.relname
                aliases.setdefault(alias, set()).add(None if shape else table)
            case "RangeSubselect" | "RangeFunction" | "JoinExpr" if inner.HasField("alias"):
                aliases.setdefault(inner.alias.aliasname, set()).add(None)
    for inner in walk(node):
        if kind(inner) == "InsertStmt":
            aliases.setdefault("excluded", set()).add(_table(inner.relation))
    known = {alias: next(iter(tables)) for alias, tables in aliases.items() if len(tables) == 1}
    found.columns |= set(_qualified(node, known))
    found.columns |= set(_targets(node))
    found.columns |= set(_alone(node, aliases))


def _qualified(node: Node, known: dict[str, Table | None]) -> Iterator[tuple[Table, str]]:
    """The columns whose table stands before them."""
    for inner in walk(node):
        names = _names(inner)
        if len(names) == 2 and (table := known.get(names[0])) is not None and names[1] not in _SYSTEM:
            yield table, names[1]


def _targets(node: Node) -> Iterator[tuple[Table, str]]:
    """The columns that INSERT and UPDATE write."""
    for inner in walk(node):
        match kind(inner):
            case "InsertStmt":
                yield from ((_table(inner.relation), unwrap(item).name) for item in inner.cols)
                if inner.HasField("on_conflict_clause"):
                    clause = inner.on_conflict_clause
                    yield from ((_table(inner.relation), unwrap(item).name) for item in clause.target_list)
            case "UpdateStmt":
                yield from ((_table(inner.relation), unwrap(item).name) for item in inner.target_list)


def _alone(node: Node, aliases: dict[str, set[Table | None]]) -> Iterator[tuple[Table, str]]:
    """The columns without a table before them, where the whole statement is about one."""
    tables = {table for alias, found in aliases.items() for table in found if alias != "excluded"}
    if len(tables) != 1 or (table := next(iter(tables))) is None:
        return
    if any(kind(inner) in {"RangeSubselect", "RangeFunction", "CommonTableExpr"} for inner in walk(node)):
        return
    given = {inner.name for inner in walk(node) if kind(inner) == "ResTarget"} - {""}
    outputs = given - {name for _, name in _targets(node)}
    for inner in walk(node):
        names = _names(inner)
        if len(names) == 1 and names[0] not in _SYSTEM | outputs | set(aliases):
            yield table, names[0]


def _names(node: Node) -> tuple[str, ...]:
    """The parts of a column's name; none for ``*`` and for what is no column."""
    if kind(node) != "ColumnRef" or any(kind(part) != "String" for part in node.fields):
        return ()
    return strings(node.fields)


def _table(relation: Node) -> Table:
    return Table(relation.schemaname, relation.relname)
