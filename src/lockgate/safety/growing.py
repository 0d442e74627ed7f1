"""How each statement changes what is known of tables."""

from __future__ import annotations

from collections.abc import Callable

from lockgate.safety.known import Bound, Column, Known, Table, key, key_of
from lockgate.safety.subject import Statement
from lockgate.sql.ddl import objects, type_of
from lockgate.sql.tree import Node, enum, strings, unwrap


def grow(known: Known, statement: Statement) -> None:
    """Take in what a statement does, once it has been examined."""
    change = _CHANGES.get(statement.kind)
    if change is not None:
        change(known, statement.node)


def _create(known: Known, node: Node) -> None:
    name = key(node.relation)
    before = known.tables.get(name)
    if node.if_not_exists and before is not None:
        return
    whole = not node.inh_relations and not node.HasField("of_typename")
    table = Table(whole=whole, may_be_old=node.if_not_exists)
    known.make(name, table)
    if node.HasField("partspec"):
        table.partitioned = tuple(item.partition_elem.name for item in node.partspec.part_params)
    if node.HasField("partbound"):
        table.parent = key(node.inh_relations[0].range_var)
    for element in node.table_elts:
        inner = unwrap(element)
        match inner.DESCRIPTOR.name:
            case "ColumnDef":
                _add_column(table, inner)
            case "Constraint":
                _add_constraint(table, inner)
            case "TableLikeClause":
                table.whole = False


def _add_column(table: Table, column: Node) -> None:
    made = table.columns[column.colname] = Column(type_of(column.type_name))
    for item in column.constraints:
        constraint = item.constraint
        kind = enum(constraint, "contype")
        if kind in {"CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_IDENTITY"}:
            made.not_null = True
        if kind in _BINDS:
            _add_constraint(table, constraint, column.colname)


_BINDS = frozenset({"CONSTR_CHECK", "CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_FOREIGN", "CONSTR_NOTNULL"})


def _add_constraint(table: Table, constraint: Node, column: str = "") -> None:
    kind = enum(constraint, "contype")
    columns = (column,) if column else strings(constraint.fk_attrs or constraint.keys)
    if kind == "CONSTR_CHECK":
        columns = not_nulls(constraint.raw_expr)
    if kind == "CONSTR_PRIMARY":
        for name in columns:
            if name in table.columns:
                table.columns[name].not_null = True
    name = constraint.conname or f"\0{len(table.bounds)}"
    table.bounds[name] = Bound(kind, columns, not constraint.skip_validation)
    if kind in {"CONSTR_PRIMARY", "CONSTR_UNIQUE"} and columns:
        table.indexes[name] = columns


def not_nulls(expression: Node) -> tuple[str, ...]:
    """The columns that a condition says are not null."""
    inner = unwrap(expression)
    if inner is None:
        return ()
    match inner.DESCRIPTOR.name:
        case "NullTest" if enum(inner, "nulltesttype") == "IS_NOT_NULL":
            argument = unwrap(inner.arg)
            if argument.DESCRIPTOR.name == "ColumnRef" and len(argument.fields) == 1:
                return strings(argument.fields)
        case "BoolExpr" if enum(inner, "boolop") == "AND_EXPR":
            return tuple(name for part in inner.args for name in not_nulls(part))
    return ()


def _alter(known: Known, node: Node) -> None:
    table = known.tables.setdefault(key(node.relation), Table())
    for item in node.cmds:
        command = item.alter_table_cmd
        change = _COMMANDS.get(enum(command, "subtype"))
        if change is not None:
            change(known, table, command)


def _added_column(known: Known, table: Table, command: Node) -> None:
    column = getattr(command, "def").column_def
    if not (command.missing_ok and column.colname in table.columns):
        _add_column(table, column)


def _added_constraint(known: Known, table: Table, command: Node) -> None:
    _add_constraint(table, getattr(command, "def").constraint)


def _validated(known: Known, table: Table, command: Node) -> None:
    if command.name in table.bounds:
        table.bounds[command.name].valid = True


def _dropped_constraint(known: Known, table: Table, command: Node) -> None:
    table.bounds.pop(command.name, None)
    table.indexes.pop(command.name, None)


def _dropped_column(known: Known, table: Table, command: Node) -> None:
    table.columns.pop(command.name, None)
    for name in [name for name, columns in table.indexes.items() if command.name in columns]:
        del table.indexes[name]


def _retyped(known: Known, table: Table, command: Node) -> None:
    kind = type_of(getattr(command, "def").column_def.type_name)
    if command.name in table.columns:
        table.columns[command.name].type = kind
    else:
        table.columns[command.name] = Column(kind)


def _not_null(known: Known, table: Table, command: Node) -> None:
    if command.name in table.columns:
        table.columns[command.name].not_null = True


def _nullable(known: Known, table: Table, command: Node) -> None:
    if command.name in table.columns:
        table.columns[command.name].not_null = False


def _detached(known: Known, table: Table, command: Node) -> None:
    known.tables.setdefault(key(getattr(command, "def").partition_cmd.name), Table()).parent = None


_COMMANDS: dict[str, Callable[[Known, Table, Node], None]] = {
    "AT_AddColumn": _added_column,
    "AT_AddConstraint": _added_constraint,
    "AT_ValidateConstraint": _validated,
    "AT_DropConstraint": _dropped_constraint,
    "AT_DropColumn": _dropped_column,
    "AT_AlterColumnType": _retyped,
    "AT_SetNotNull": _not_null,
    "AT_DropNotNull": _nullable,
    "AT_DetachPartition": _detached,
}


def _index(known: Known, node: Node) -> None:
    table = known.tables.setdefault(key(node.relation), Table())
    columns = tuple(item.index_elem.name for item in node.index_params)
    name = node.idxname or f"\0{len(table.indexes)}"
    table.indexes[name] = columns
    known.index_of[key(node.relation)[0], name] = key(node.relation)
    known.made.add(("OBJECT_INDEX", (key(node.relation)[0], name)))


def _drop(known: Known, node: Node) -> None:
    kind = enum(node, "remove_type")
    for names in objects(node):
        name = key_of(names)
        known.made.discard((kind, name))
        if kind == "OBJECT_TABLE":
            known.drop(name)
        elif kind in {"OBJECT_TYPE", "OBJECT_DOMAIN"}:
            known.types.pop(name, None)
        elif kind == "OBJECT_INDEX" and (of := known.index_of.pop(name, None)) in known.tables:
            known.tables[of].indexes.pop(name[1], None)


def _rename(known: Known, node: Node) -> None:
    if not node.HasField("relation"):
        return
    name, kind = key(node.relation), enum(node, "rename_type")
    table = known.tables.get(name)
    if table is None:
        return
    if kind == "OBJECT_TABLE":
        known.move(name, (name[0], node.newname))
    elif kind == "OBJECT_COLUMN" and node.subname in table.columns:
        table.columns[node.newname] = table.columns.pop(node.subname)
        for index, columns in table.indexes.items():
            table.indexes[index] = tuple(node.newname if each == node.subname else each for each in columns)
    elif kind == "OBJECT_TABCONSTRAINT" and node.subname in table.bounds:
        table.bounds[node.newname] = table.bounds.pop(node.subname)


def _set_schema(known: Known, node: Node) -> None:
    if node.HasField("relation") and key(node.relation) in known.tables:
        name = key(node.relation)
        known.move(name, key_of((node.newschema, name[1])))


def _table_as(known: Known, node: Node) -> None:
    target = node.into.rel
    if enum(node, "objtype") == "OBJECT_TABLE":
        known.make(key(target), Table())
    known.made.add((enum(node, "objtype"), key(target)))


def _enum_type(known: Known, node: Node) -> None:
    known.types[key_of(strings(node.type_name))] = "enum"
    known.made.add(("OBJECT_TYPE", key_of(strings(node.type_name))))


def _domain(known: Known, node: Node) -> None:
    binding = any(enum(item.constraint, "contype") in {"CONSTR_CHECK", "CONSTR_NOTNULL"} for item in node.constraints)
    known.types[key_of(strings(node.domainname))] = "constrained" if binding else "domain"
    known.made.add(("OBJECT_DOMAIN", key_of(strings(node.domainname))))


def _view(known: Known, node: Node) -> None:
    if not node.replace:
        known.made.add(("OBJECT_VIEW", key(node.view)))


def _function(known: Known, node: Node) -> None:
    if not node.replace:
        known.made.add(("OBJECT_PROCEDURE" if node.is_procedure else "OBJECT_FUNCTION", key_of(strings(node.funcname))))


def _trigger(known: Known, node: Node) -> None:
    known.made.add(("OBJECT_TRIGGER", (key(node.relation)[1], node.trigname)))


def _policy(known: Known, node: Node) -> None:
    known.made.add(("OBJECT_POLICY", (key(node.table)[1], node.policy_name)))


def _schema(known: Known, node: Node) -> None:
    known.made.add(("OBJECT_SCHEMA", ("", node.schemaname)))


def _sequence(known: Known, node: Node) -> None:
    known.made.add(("OBJECT_SEQUENCE", key(node.sequence)))


_CHANGES: dict[str, Callable[[Known, Node], None]] = {
    "CreateStmt": _create,
    "CreateForeignTableStmt": lambda known, node: _create(known, node.base_stmt),
    "CreateTableAsStmt": _table_as,
    "AlterTableStmt": _alter,
    "IndexStmt": _index,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "AlterObjectSchemaStmt": _set_schema,
    "CreateEnumStmt": _enum_type,
    "CreateDomainStmt": _domain,
    "ViewStmt": _view,
    "CreateFunctionStmt": _function,
    "CreateTrigStmt": _trigger,
    "CreatePolicyStmt": _policy,
    "CreateSchemaStmt": _schema,
    "CreateSeqStmt": _sequence,
}
