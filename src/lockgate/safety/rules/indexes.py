"""LG1xx: making, dropping and rebuilding indexes."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import beside, lines, name_for
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import Key, key_of
from lockgate.safety.partitioned import below
from lockgate.safety.rule import Found, rule
from lockgate.sql.ddl import dotted, objects
from lockgate.sql.ddl import relation as named
from lockgate.sql.tree import Node, enum, unwrap

_NO_BLOCK = "CONCURRENTLY cannot run inside a transaction block: run it by itself, outside of one."
_EMPTY = "whether the table is small, or empty, so that the lock is short"


def _concurrent(node: Node, **changes: object) -> Node:
    copy = type(node)()
    copy.CopyFrom(node)
    for name, value in {"concurrent": True, **changes}.items():
        setattr(copy, name, value)
    return copy


@rule(
    "LG101",
    "blocking-index-build",
    Severity.HIGH,
    "CREATE INDEX blocks writes until it is built",
    on=("IndexStmt",),
    hazard="CREATE INDEX takes a SHARE lock on the table and holds it while the whole table is read and sorted. Each "
    "INSERT, UPDATE and DELETE waits, and whoever waits for the lock itself has others queue behind.",
    instead="Use CREATE INDEX CONCURRENTLY, outside of a transaction; look afterwards whether the index is valid.",
    rows=(1,),
    catalog=_EMPTY,
)
def blocking_index_build(c: Context) -> Iterator[Found]:
    node = c.node
    only = c.relation is not None and not c.relation.inh  # of a partitioned table, whose partitions have their own
    if node.concurrent or only or c.is_new or c.known.is_partitioned(c.key):
        return
    text = c.sql(_concurrent(node, if_not_exists=False))
    yield c.found(
        f"Building this index blocks all writes to {c.table} until it is done.",
        "CREATE INDEX holds a SHARE lock on the table while it reads all of it.",
        f"{text}\n-- {_NO_BLOCK} If it fails it leaves an INVALID index: drop that, then build it again.",
    )


@rule(
    "LG102",
    "blocking-index-drop",
    Severity.HIGH,
    "DROP INDEX blocks reads and writes",
    on=("DropStmt",),
    hazard="DROP INDEX takes ACCESS EXCLUSIVE on the index and its table. It waits for every transaction that has "
    "used the table, and every reader and writer that comes later waits behind it.",
    instead="Use DROP INDEX CONCURRENTLY, outside of a transaction.",
    rows=(2,),
    catalog="whether the index belongs to a partitioned table or to a constraint, which cannot be dropped so",
)
def blocking_index_drop(c: Context) -> Iterator[Found]:
    if enum(c.node, "remove_type") != "OBJECT_INDEX" or c.node.concurrent:
        return
    for name in objects(c.node):
        if ("OBJECT_INDEX", key_of(name)) in c.known.made and c.known.is_new(_table_of(c, name)):
            continue
        rewrite = f"DROP INDEX CONCURRENTLY {'IF EXISTS ' if c.node.missing_ok else ''}{dotted(name)};\n-- {_NO_BLOCK}"
        if c.known.is_partitioned(_table_of(c, name)):
            rewrite = _dropped_with_its_parts(name)
        yield c.found(
            f"Dropping the index {dotted(name)} blocks all reads and writes of its table while it waits for its lock.",
            "DROP INDEX needs an ACCESS EXCLUSIVE lock on the table, and whoever comes later queues behind it.",
            rewrite,
        )


def _dropped_with_its_parts(name: tuple[str, ...]) -> str:
    more = "-- Again until it has all locks, those of partitions, too."
    return f"SET lock_timeout = '2s';\nDROP INDEX {dotted(name)};\n{more}"


def _table_of(c: Context, index: tuple[str, ...]) -> Key:
    return c.known.index_of.get(key_of(index), ("", ""))


@rule(
    "LG103",
    "concurrently-in-transaction",
    Severity.HIGH,
    "CONCURRENTLY in a transaction block fails",
    on=("IndexStmt", "DropStmt", "ReindexStmt", "AT_DetachPartition"),
    hazard="CREATE, DROP and REINDEX INDEX CONCURRENTLY and DETACH PARTITION CONCURRENTLY commit on their way. In a "
    "transaction block they fail with error 25001. Many tools put a transaction around each migration.",
    instead="Put the statement into a migration of its own that the tool runs without a transaction.",
    rows=(3,),
)
def concurrently_in_transaction(c: Context) -> Iterator[Found]:
    if c.in_transaction and _is_concurrent(c):
        who = "the tool wraps this text in a transaction" if c.statement.block == 0 else "a BEGIN stands before it"
        yield c.found(
            "This statement fails: CONCURRENTLY cannot run inside a transaction block.",
            f"It commits on its way, and {who} (error 25001).",
        )


def _is_concurrent(c: Context) -> bool:
    match c.statement.kind:
        case "ReindexStmt":
            said = [item.def_elem for item in c.node.params if item.def_elem.defname == "concurrently"]
            return bool(said) and _is_on(said[-1])
        case "AlterTableStmt":
            return bool(getattr(c.part, "def").partition_cmd.concurrent)
    return bool(c.node.concurrent)


def _is_on(option: Node) -> bool:
    """Whether a Boolean option is on; one without a value is."""
    if not option.HasField("arg"):
        return True
    value = unwrap(option.arg)
    match value.DESCRIPTOR.name:
        case "Boolean":
            return bool(value.boolval)
        case "Integer":
            return bool(value.ival)
    return value.sval.lower() not in {"false", "off"}


@rule(
    "LG104",
    "concurrent-build-corrupts",
    Severity.LOW,
    "PostgreSQL 14.0 to 14.3 corrupt indexes that are built concurrently",
    on=("IndexStmt", "ReindexStmt"),
    hazard="CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY of 14.0, 14.1, 14.2 and 14.3 may leave out rows that "
    "are changed meanwhile. 14.4 mended it.",
    instead="Upgrade to 14.4 or newer first; check indexes that older ones built with amcheck.",
    rows=(4,),
    catalog="which minor version the server is",
)
def concurrent_build_corrupts(c: Context) -> Iterator[Found]:
    if c.major == 14 and _is_concurrent(c):
        yield c.found(
            "On PostgreSQL 14.0 to 14.3 an index that is built concurrently may miss rows.",
            "HOT updates during the build were lost until 14.4.",
        )


@rule(
    "LG105",
    "blocking-reindex",
    Severity.HIGH,
    "REINDEX without CONCURRENTLY blocks writes",
    on=("ReindexStmt",),
    hazard="REINDEX takes a SHARE lock on the table and ACCESS EXCLUSIVE on each index, so that writes wait, and "
    "reads that would use the index or plan a query on the table.",
    instead="Use REINDEX ... CONCURRENTLY, outside of a transaction.",
    rows=(5,),
    catalog=_EMPTY,
)
def blocking_reindex(c: Context) -> Iterator[Found]:
    if _is_concurrent(c) or c.is_new:
        return
    word = enum(c.node, "kind").removeprefix("REINDEX_OBJECT_")
    what = named(c.node.relation) if c.node.HasField("relation") else dotted((c.node.name,))
    if word == "INDEX" and c.known.is_new(_table_of(c, tuple(what.split(".")))):
        return
    rewrite = f"REINDEX {word} CONCURRENTLY {what};\n-- {_NO_BLOCK}" if word in {"INDEX", "TABLE", "SCHEMA"} else ""
    yield c.found(
        f"Rebuilding {what or 'these indexes'} blocks writes, and reads that use the index, until it is done.",
        "REINDEX holds SHARE on the table and ACCESS EXCLUSIVE on the index.",
        rewrite,
    )


@rule(
    "LG106",
    "concurrently-if-not-exists",
    Severity.HIGH,
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS keeps an INVALID index",
    on=("IndexStmt",),
    hazard="When CREATE INDEX CONCURRENTLY fails it leaves an INVALID index behind, which no query uses and every "
    "write pays for. Run again with IF NOT EXISTS it finds the name taken, does nothing and reports success. "
    "The same holds for an index of that name over other columns.",
    instead="Leave IF NOT EXISTS out. Look into pg_index first: drop an INVALID index concurrently, then build it.",
    rows=(80,),
    catalog="whether an index of this name is there, valid, and of this definition",
)
def concurrently_if_not_exists(c: Context) -> Iterator[Found]:
    if not (c.node.concurrent and c.node.if_not_exists) or c.is_new or c.known.is_partitioned(c.key):
        return  # LG107: it fails
    schema = c.relation.schemaname if c.relation is not None else ""
    name = dotted((schema, c.node.idxname))
    yield c.found(
        f"If an earlier attempt failed, this reports success and leaves the INVALID index {name}.",
        "IF NOT EXISTS looks at the name only, not at whether the index is valid or of this definition.",
        f"DROP INDEX CONCURRENTLY IF EXISTS {name};\n{c.sql(_concurrent(c.node, if_not_exists=False))}\n"
        "-- The first is for what a failed attempt left: leave it out while a valid index serves queries.",
    )


@rule(
    "LG107",
    "concurrently-on-partitioned",
    Severity.HIGH,
    "An index of a partitioned table cannot be built concurrently",
    on=("IndexStmt", "DropStmt", "CONSTR_PRIMARY", "CONSTR_UNIQUE"),
    hazard="CREATE and DROP INDEX CONCURRENTLY fail on a partitioned table, and so does ADD CONSTRAINT ... USING "
    "INDEX (error 0A000). Without CONCURRENTLY all partitions are locked until the last one is done.",
    instead="CREATE INDEX ON ONLY the parent, build one on each partition concurrently, then ALTER INDEX ... ATTACH "
    "PARTITION each; the parent's index is valid when all are attached.",
    rows=(70,),
    catalog="whether the table is partitioned",
)
def concurrently_on_partitioned(c: Context) -> Iterator[Found]:
    match c.statement.kind:
        case "IndexStmt":
            if c.known.is_partitioned(c.key) and c.relation is not None and c.relation.inh and not c.is_new:
                if c.node.concurrent:
                    yield c.found(
                        f"This fails: {c.table} is partitioned, and no index of it can be built concurrently.",
                        "PostgreSQL refuses it with error 0A000.",
                        _by_partition(c),
                    )
                else:
                    yield c.found(
                        f"Building this index blocks writes to {c.table} and all of its partitions until it is done.",
                        "An index of a partitioned table is built on each partition, under SHARE locks on all of them.",
                        _by_partition(c),
                    )
        case "DropStmt" if enum(c.node, "remove_type") == "OBJECT_INDEX" and c.node.concurrent:
            for name in objects(c.node):
                if c.known.is_partitioned(_table_of(c, name)):
                    yield c.found(
                        f"This fails: {dotted(name)} is an index of a partitioned table, which cannot be dropped "
                        "concurrently.",
                        "PostgreSQL refuses it with error 0A000.",
                        _dropped_with_its_parts(name),
                    )
        case "AlterTableStmt" if c.part.indexname and c.known.is_partitioned(c.key):
            yield c.found(
                f"This fails: {c.table} is partitioned, and a constraint of it cannot be made of an index.",
                "PostgreSQL refuses ADD CONSTRAINT ... USING INDEX on partitioned tables with error 0A000.",
            )


def _by_partition(c: Context) -> str:
    label = c.node.idxname or name_for(c, [item.index_elem.name or "expr" for item in c.node.index_params], "idx")
    only = _concurrent(c.node, concurrent=False, if_not_exists=False, idxname=label)
    only.relation.inh = False

    def make(part: Key, index: str, split: bool) -> Iterator[str]:
        each = _concurrent(c.node, concurrent=not split, if_not_exists=False, idxname=index)
        each.relation.schemaname, each.relation.relname = part
        each.relation.inh = not split
        yield c.sql(each)

    return lines(c.sql(only), below(c.known, c.key, beside(c, label), label, make))


RULES = (
    blocking_index_build,
    blocking_index_drop,
    concurrently_in_transaction,
    concurrent_build_corrupts,
    blocking_reindex,
    concurrently_if_not_exists,
    concurrently_on_partitioned,
)
