"""Columns that are added, dropped and changed."""

from __future__ import annotations

from lockgate.effects import constraining
from lockgate.effects.gathering import Gathering
from lockgate.effects.known import Relation
from lockgate.effects.model import Mode
from lockgate.effects.retyping import kept, retyping, type_text
from lockgate.sql.tree import Node, enum, kind, strings, unwrap, walk

_SERIALS = {"smallserial", "serial2", "serial", "serial4", "bigserial", "serial8"}
# Known without asking. Everything else may be anything, of the same name in another schema too.
_STEADY = {"now", "transaction_timestamp", "statement_timestamp", "current_setting", "lower", "upper", "length"}
_STEADY |= {
    "coalesce",
    "md5",
    "make_date",
    "make_interval",
    "to_timestamp",
    "date_trunc",
    "timezone",
    "jsonb_build_object",
}
_VOLATILE = {"nextval", "random", "gen_random_uuid", "uuidv4", "uuidv7", "uuid_generate_v4", "clock_timestamp"}
_VOLATILE |= {"timeofday", "setval", "currval"}


def add(gathering: Gathering, targets: list[Relation], command: Node) -> None:
    """ADD COLUMN: the table is written anew if each row needs a value of its own."""
    definition = unwrap(getattr(command, "def"))
    if command.missing_ok and targets[0].column(definition.colname):
        return
    parts = [unwrap(part) for part in definition.constraints]
    said = {enum(part, "contype") for part in parts}
    filled = _fills(definition, parts)
    if filled is None:
        filled = _constrained(gathering, definition) or _volatile(gathering, parts)
    for target in targets:
        if filled:
            gathering.rewrite(target)
        elif "CONSTR_NOTNULL" in said | _keyed(said) and not said & {"CONSTR_DEFAULT", "CONSTR_GENERATED"}:
            gathering.scan(target)
    valued = filled or "CONSTR_DEFAULT" in said
    for part in parts:
        if enum(part, "contype") == "CONSTR_FOREIGN":
            constraining.refer(gathering, targets, part, checked=valued and not part.skip_validation)
        elif enum(part, "contype") in {"CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_PRIMARY"}:
            constraining.add(gathering, targets, part)


def drop(gathering: Gathering, targets: list[Relation], command: Node) -> None:
    """DROP COLUMN: with it go its indexes, foreign keys from and to it, and with CASCADE the views that show it."""
    found = [(target, column) for target in targets if (column := target.column(command.name))]
    if not gathering.catalog or not found:
        gathering.unknown("what goes with the column: indexes, foreign keys and their other tables, views")
        return
    dropped = gathering.catalog.dropped([("column", (target.oid, column.number)) for target, column in found])
    for relation, mode in dropped.items():
        gathering.lock(relation, mode)


def retype(gathering: Gathering, targets: list[Relation], command: Node) -> None:
    """ALTER COLUMN TYPE."""
    for target in targets:
        change = retyping(gathering, target, command.name, unwrap(getattr(command, "def")))
        if not gathering.catalog or not change:
            gathering.unknown(
                f"whether {target.sql} is written anew, and which indexes are: that depends on the type that "
                "the column has, and the foreign keys that are checked again on who refers to it"
            )
            continue
        if change.rewrites:
            gathering.rewrite(target)
        for index in target.indexes:
            if change.column.number in index.uses:
                gathering.lock(index.sql, Mode.ACCESS_EXCLUSIVE)
                if not kept(gathering.catalog, index, change):
                    gathering.rebuild(index.sql)
                    gathering.scan(target)
        constraining.retype(gathering, target, change.column.number, rewritten=change.rewrites)


def set_expression(gathering: Gathering, targets: list[Relation], command: Node) -> None:
    """SET EXPRESSION: only a stored value must be written."""
    for target in targets:
        column = target.column(command.name)
        if not column:
            gathering.unknown(f"whether {target.sql} is written anew: it is if the column is STORED")
        elif column.generated == "s":
            gathering.rewrite(target)


def set_not_null(gathering: Gathering, targets: list[Relation], command: Node) -> None:
    """SET NOT NULL."""
    for target in targets:
        constraining.fill(gathering, target, command.name)


def drop_identity(gathering: Gathering, targets: list[Relation], command: Node) -> None:
    """DROP IDENTITY: the sequence goes."""
    _lock_identity(gathering, targets[0], command.name, Mode.ACCESS_EXCLUSIVE)


def set_identity(gathering: Gathering, targets: list[Relation], command: Node) -> None:
    """SET GENERATED, SET START and the like."""
    _lock_identity(gathering, targets[0], command.name, Mode.SHARE_ROW_EXCLUSIVE)


def _lock_identity(gathering: Gathering, relation: Relation, name: str, mode: Mode) -> None:
    column = relation.column(name)
    for sequence in relation.sequences:
        if column and sequence.identity and sequence.column == column.number:
            gathering.lock(sequence.sql, mode)


def _fills(definition: Node, parts: list[Node]) -> bool | None:
    """Whether the text alone tells that each row gets a value of its own; None if that depends."""
    if strings(definition.type_name.names)[-1] in _SERIALS and len(definition.type_name.names) == 1:
        return True
    for part in parts:
        said = enum(part, "contype")
        if said == "CONSTR_IDENTITY":
            return True
        if said == "CONSTR_GENERATED":
            return bool(part.generated_kind != "v")
    return None


def _keyed(said: set[str]) -> set[str]:
    return {"CONSTR_NOTNULL"} if "CONSTR_PRIMARY" in said else set()


def _constrained(gathering: Gathering, definition: Node) -> bool:
    """Whether the type is a domain with a constraint: then the server looks at each value, NULL too."""
    names = strings(definition.type_name.names)
    if names[0] == "pg_catalog":
        return False
    if not gathering.catalog:
        written = type_text(definition.type_name)
        gathering.unknown(f"whether {written} is a domain with a constraint: then the table is written anew")
        return False
    found = gathering.catalog.type(type_text(definition.type_name))
    return bool(found and found.constrained)


def _volatile(gathering: Gathering, parts: list[Node]) -> bool:
    """Whether the default may be another one for each row."""
    defaults = [part for part in parts if enum(part, "contype") == "CONSTR_DEFAULT"]
    calls = [inner for part in defaults for inner in walk(part) if kind(inner) == "FuncCall"]
    called = {(".".join(strings(call.funcname)).removeprefix("pg_catalog."), len(call.args)) for call in calls}
    if gathering.catalog:
        return bool(called and gathering.catalog.volatile(called))
    names = {name for name, _ in called}
    for name in sorted(names - _STEADY - _VOLATILE):
        gathering.unknown(f"whether {name}() is volatile: then the table is written anew")
    return bool(names & _VOLATILE)
