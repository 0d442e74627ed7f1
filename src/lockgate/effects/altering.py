"""ALTER TABLE, and ALTER of whatever else has columns or storage."""

from __future__ import annotations

from lockgate.effects import columns, constraining, partitions
from lockgate.effects.gathering import Gathering
from lockgate.effects.known import Relation
from lockgate.effects.model import Mode
from lockgate.sql.tree import Node, enum, kind, unwrap

_LOCKS_PARTS_OF_KEYS = 18  # the first major that locks partitions as it locks the table, for a new key
# What takes less than ACCESS EXCLUSIVE.
_LEVELS = {
    "AT_ValidateConstraint": Mode.SHARE_UPDATE_EXCLUSIVE,
    "AT_SetStatistics": Mode.SHARE_UPDATE_EXCLUSIVE,
    "AT_SetOptions": Mode.SHARE_UPDATE_EXCLUSIVE,
    "AT_ResetOptions": Mode.SHARE_UPDATE_EXCLUSIVE,
    "AT_ClusterOn": Mode.SHARE_UPDATE_EXCLUSIVE,
    "AT_DropCluster": Mode.SHARE_UPDATE_EXCLUSIVE,
    "AT_AttachPartition": Mode.SHARE_UPDATE_EXCLUSIVE,
    "AT_DetachPartitionFinalize": Mode.SHARE_UPDATE_EXCLUSIVE,
    "AT_EnableTrig": Mode.SHARE_ROW_EXCLUSIVE,
    "AT_EnableAlwaysTrig": Mode.SHARE_ROW_EXCLUSIVE,
    "AT_EnableReplicaTrig": Mode.SHARE_ROW_EXCLUSIVE,
    "AT_EnableTrigAll": Mode.SHARE_ROW_EXCLUSIVE,
    "AT_EnableTrigUser": Mode.SHARE_ROW_EXCLUSIVE,
    "AT_DisableTrig": Mode.SHARE_ROW_EXCLUSIVE,
    "AT_DisableTrigAll": Mode.SHARE_ROW_EXCLUSIVE,
    "AT_DisableTrigUser": Mode.SHARE_ROW_EXCLUSIVE,
}
_TRIGGERS = {said for said, mode in _LEVELS.items() if mode is Mode.SHARE_ROW_EXCLUSIVE}
# Storage parameters that readers may not see change.
_GRAVE = {"autosummarize", "buffering", "fastupdate", "gin_pending_list_limit", "pages_per_range", "security_barrier"}
_GRAVE |= {"security_invoker", "user_catalog_table", "check_option"}
# What stays with the table that is named, whatever inherits from it.
_ALONE = {"AT_ChangeOwner", "AT_ClusterOn", "AT_DropCluster", "AT_SetRelOptions", "AT_ResetRelOptions"}
_ALONE |= {"AT_ReplicaIdentity", "AT_EnableRowSecurity", "AT_DisableRowSecurity", "AT_ForceRowSecurity"}
_ALONE |= {"AT_NoForceRowSecurity", "AT_SetTableSpace", "AT_SetAccessMethod", "AT_SetLogged", "AT_SetUnLogged"}
_ALONE |= {"AT_AddInherit", "AT_DropInherit", "AT_AddOf", "AT_DropOf", "AT_AttachPartition", "AT_DetachPartition"}
_ALONE |= {"AT_DetachPartitionFinalize", "AT_EnableRule", "AT_DisableRule"}

_COLUMNS = {
    "AT_AddColumn": columns.add,
    "AT_DropColumn": columns.drop,
    "AT_AlterColumnType": columns.retype,
    "AT_SetExpression": columns.set_expression,
    "AT_SetNotNull": columns.set_not_null,
    "AT_DropIdentity": columns.drop_identity,
    "AT_SetIdentity": columns.set_identity,
}


def alter(gathering: Gathering, node: Node) -> None:
    """``AlterTableStmt``."""
    what = enum(node, "objtype")
    if what == "OBJECT_TYPE":  # a composite type has no rows, and where a column is of it nothing changes there
        return
    relation = gathering.named(node.relation)
    commands = [unwrap(command) for command in node.cmds]
    if what == "OBJECT_INDEX":
        _index(gathering, relation, commands)
        return
    mode = max((_level(command) for command in commands), key=list(Mode).index)
    family = gathering.family(relation) if node.relation.inh else [relation]
    gathering.lock(relation, mode)
    for command in commands:
        targets = family if _descends(relation, command) else [relation]
        for target in targets[1:]:
            gathering.lock(target, Mode.SHARE if _indexes_parts(gathering, command) else mode)
        _apply(gathering, relation, targets, command)


def _descends(relation: Relation, command: Node) -> bool:
    """Whether a command does with what inherits from a table what it does with the table."""
    said = enum(command, "subtype")
    if said in _TRIGGERS:
        return command.name in relation.row_triggers if command.name else bool(relation.row_triggers)
    return said not in _ALONE


def _indexes_parts(gathering: Gathering, command: Node) -> bool:
    """Whether partitions are locked for no more than the building of their index."""
    definition = unwrap(getattr(command, "def"))
    made = enum(command, "subtype") == "AT_AddConstraint" and enum(definition, "contype") in constraining.INDEXED
    return made and gathering.major < _LOCKS_PARTS_OF_KEYS


def _level(command: Node) -> Mode:
    said = enum(command, "subtype")
    definition = unwrap(getattr(command, "def"))
    if said == "AT_AddConstraint" and enum(definition, "contype") == "CONSTR_FOREIGN":
        return Mode.SHARE_ROW_EXCLUSIVE
    if said == "AT_DetachPartition" and definition.concurrent:
        return Mode.SHARE_UPDATE_EXCLUSIVE
    if said in {"AT_SetRelOptions", "AT_ResetRelOptions"}:
        options = {unwrap(item).defname for item in definition.items}
        return Mode.ACCESS_EXCLUSIVE if options & _GRAVE else Mode.SHARE_UPDATE_EXCLUSIVE
    return _LEVELS.get(said, Mode.ACCESS_EXCLUSIVE)


def _apply(gathering: Gathering, relation: Relation, targets: list[Relation], command: Node) -> None:
    """What a command does beside locking the table and those below it."""
    said = enum(command, "subtype")
    definition = unwrap(getattr(command, "def"))
    if said in _COLUMNS:
        _COLUMNS[said](gathering, targets, command)
        return
    match said:
        case "AT_AddConstraint":
            constraining.add(gathering, targets, definition)
        case "AT_ValidateConstraint":
            constraining.validate(gathering, targets, command.name)
        case "AT_DropConstraint":
            constraining.drop(gathering, targets, command.name)
        case "AT_AttachPartition":
            partitions.attach(gathering, relation, definition)
        case "AT_DetachPartition":
            partitions.detach(gathering, relation, definition)
        case _:
            _store(gathering, relation, command, said)


def _store(gathering: Gathering, relation: Relation, command: Node, said: str) -> None:
    """What concerns the table as a whole."""
    definition = unwrap(getattr(command, "def"))
    match said:
        case "AT_SetLogged" | "AT_SetUnLogged":
            if relation.persistence != ("p" if said == "AT_SetLogged" else "u") or not relation.oid:
                gathering.rewrite(relation)
                for sequence in relation.sequences:
                    gathering.lock(sequence.sql, Mode.ACCESS_EXCLUSIVE)
        case "AT_SetAccessMethod":
            if not relation.oid or relation.method != command.name:
                gathering.rewrite(relation)
        case "AT_SetTableSpace":
            gathering.unknown(f"whether {relation.sql} is in that tablespace: if not, its files are copied there")
        case "AT_ChangeOwner":
            gathering.indexes(relation, Mode.ACCESS_EXCLUSIVE)
            for sequence in relation.sequences:
                gathering.lock(sequence.sql, Mode.ACCESS_EXCLUSIVE)
        case "AT_ClusterOn":
            _its(gathering, relation, command.name, Mode.SHARE_UPDATE_EXCLUSIVE)
        case "AT_ReplicaIdentity" if definition.name:
            _its(gathering, relation, definition.name, Mode.SHARE)
        case "AT_AddInherit":
            gathering.lock(gathering.named(definition), Mode.SHARE_UPDATE_EXCLUSIVE)
        case "AT_DropInherit":
            gathering.lock(gathering.named(definition), Mode.ACCESS_SHARE)


def _its(gathering: Gathering, relation: Relation, name: str, mode: Mode) -> None:
    """Lock an index of a table."""
    index = relation.index_named(name)
    if index:
        gathering.lock(index.sql, mode)


def _index(gathering: Gathering, index: Relation, commands: list[Node]) -> None:
    """ALTER INDEX."""
    for command in commands:
        definition = unwrap(getattr(command, "def"))
        if kind(definition) == "PartitionCmd":
            part = gathering.named(definition.name)
            gathering.lock(index, Mode.SHARE_UPDATE_EXCLUSIVE)
            gathering.lock(part, Mode.ACCESS_EXCLUSIVE)
            for table in gathering.each([index.table, part.table]):
                gathering.lock(table, Mode.ACCESS_SHARE)
        else:
            gathering.lock(index, _level(command))
