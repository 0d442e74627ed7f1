"""LG70x: partitions, whose parent is locked with them."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import lines
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key
from lockgate.safety.rule import Found, rule
from lockgate.sql import tree
from lockgate.sql.ddl import relation as named
from lockgate.sql.tree import Node, enum


def _partition(c: Context) -> Node:
    return getattr(c.part, "def").partition_cmd


@rule(
    "LG701",
    "detach-partition",
    Severity.HIGH,
    "DETACH PARTITION blocks reads and writes of the whole table",
    on=("AT_DetachPartition",),
    hazard="ACCESS EXCLUSIVE is taken on the parent, the partition and the DEFAULT partition: it waits for everybody "
    "who uses any partition through the parent, and all others wait behind it.",
    instead="DETACH PARTITION ... CONCURRENTLY, outside of a transaction; not where there is a DEFAULT partition.",
    rows=(66,),
    catalog="whether there is a DEFAULT partition, with which CONCURRENTLY is refused",
)
def detach_partition(c: Context) -> Iterator[Found]:
    child = _partition(c)
    if child.concurrent or c.is_new or c.known.is_new(key(child.name)):
        return
    yield c.found(
        f"All reads and writes of {c.table} wait until this has its locks.",
        f"ACCESS EXCLUSIVE is taken on {c.table}, {named(child.name)} and the DEFAULT partition.",
        f"ALTER TABLE {c.table} DETACH PARTITION {named(child.name)} CONCURRENTLY;\n"
        "-- Outside of a transaction block. It leaves a CHECK of the bounds on the partition.\n"
        "-- If it was interrupted: DETACH PARTITION ... FINALIZE.",
    )


@rule(
    "LG702",
    "attach-partition",
    Severity.MEDIUM,
    "ATTACH PARTITION reads the new partition, and the DEFAULT one, under ACCESS EXCLUSIVE",
    on=("AT_AttachPartition",),
    hazard="All rows of the new partition are tested against its bounds, and those of the DEFAULT partition whether "
    "one belongs to the new one, unless valid CHECKs say so already. Such a row makes it fail with error "
    "23514.",
    instead="First add a CHECK of the bounds as NOT VALID and validate it, on the new partition, and one of the "
    "opposite on the DEFAULT partition.",
    rows=(67, 69),
    catalog="whether CHECKs imply the bounds, and whether there is a DEFAULT partition",
    data="whether the DEFAULT partition holds rows of the new one",
)
def attach_partition(c: Context) -> Iterator[Found]:
    child = _partition(c)
    # ALTER INDEX ... ATTACH PARTITION is the same to the parser.
    if c.is_new or enum(c.node, "objtype") != "OBJECT_TABLE":
        return
    if c.known.is_new(key(child.name)) and not child.bound.is_default:
        return
    if any(bound.valid for bound in c.known.holds(key(child.name), "CONSTR_CHECK")):
        return
    yield c.found(
        f"All rows of {named(child.name)} are read under ACCESS EXCLUSIVE, and those of the DEFAULT partition.",
        "They are tested against the bounds, unless a valid CHECK says the same.",
    )


@rule(
    "LG703",
    "create-partition-of",
    Severity.HIGH,
    "CREATE TABLE ... PARTITION OF locks the parent for everybody",
    on=("CreateStmt",),
    hazard="ACCESS EXCLUSIVE is taken on the parent and on the DEFAULT partition, whose rows are read: it waits for "
    "everybody who reads the parent, and all others wait behind it.",
    instead="Create the table LIKE the parent, then ATTACH it: that takes a lock on the parent which lets others work.",
    rows=(68, 69),
    catalog="whether there is a DEFAULT partition",
    data="whether the DEFAULT partition holds rows of the new one",
)
def create_partition_of(c: Context) -> Iterator[Found]:
    if not c.node.HasField("partbound"):
        return
    parent = c.node.inh_relations[0].range_var
    if c.known.is_new(key(parent)):
        return
    yield c.found(
        f"All reads and writes of {named(parent)} wait until this has its lock.",
        f"PARTITION OF takes ACCESS EXCLUSIVE on {named(parent)} and on its DEFAULT partition.",
        _by_attaching(c, parent),
    )


def _by_attaching(c: Context, parent: Node) -> str:
    attach = tree.parse("ALTER TABLE a ATTACH PARTITION b DEFAULT")[0].stmt.alter_table_stmt
    attach.relation.CopyFrom(parent)
    command = getattr(attach.cmds[0].alter_table_cmd, "def").partition_cmd
    command.name.CopyFrom(c.node.relation)
    command.bound.CopyFrom(c.node.partbound)
    like = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE"
    return lines(
        f"CREATE TABLE {c.table} (LIKE {named(parent)} {like});",
        c.sql(attach),
        "-- A DEFAULT partition is read under ACCESS EXCLUSIVE still, unless a valid CHECK there says that it has none",
        "-- of these rows.",
    )


RULES = (detach_partition, attach_partition, create_partition_of)
