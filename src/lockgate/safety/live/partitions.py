"""What partitions and what rests on indexes stand in the way of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.finding import Severity, Tier
from lockgate.safety.live.told import counted_found, told
from lockgate.safety.probes.bounds import MAXIMUM, MINIMUM, Bounds, Datum, belonging
from lockgate.safety.records import Relation
from lockgate.safety.rule import Found
from lockgate.safety.seeding import partition_key
from lockgate.sql import ddl
from lockgate.sql.ddl import ident
from lockgate.sql.tree import Node, enum, strings, unwrap


def _default(db: Database, parent: Relation) -> Relation | None:
    return db.facts.relations.get(parent.default_partition) if parent.default_partition else None


def detaching(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """With a DEFAULT partition it cannot be done concurrently."""
    parent = db.relation(c)
    default = _default(db, parent) if parent else None
    for one in found:
        if parent is None or default is None or db.dropped(c, "OBJECT_TABLE", default.name):
            yield one
        else:
            yield one._replace(rewrite=_patiently(parent, getattr(c.part, "def").partition_cmd))


def _patiently(parent: Relation, command: Node) -> str:
    return f"SET lock_timeout = '1s';\nALTER TABLE {parent.sql} DETACH PARTITION {ddl.relation(command.name)};"


def refreshing(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """What was never filled nobody reads; and concurrently it cannot be done without a key."""
    view = db.relation(c)
    for one in found:
        if view is None or view.kind != "m":
            yield one
        elif view.populated:
            usable = any(index.identifies_rows for index in db.facts.indexes_of(view.oid))
            yield one if usable else one._replace(rewrite="")


@told(
    "LG704",
    "detach-concurrently-with-default",
    Severity.HIGH,
    "DETACH CONCURRENTLY is refused where there is a DEFAULT partition",
    on=("AT_DetachPartition",),
    hazard="With a DEFAULT partition DETACH PARTITION ... CONCURRENTLY fails with error 55000. Without CONCURRENTLY it "
    "takes ACCESS EXCLUSIVE on the table and on both partitions.",
    instead="Detach without CONCURRENTLY, with a short lock_timeout and again until it is had.",
    rows=(66,),
    looks="whether there is a DEFAULT partition",
)
def detach_with_default(c: Context, db: Database) -> Iterator[Found]:
    parent = db.relation(c)
    default = _default(db, parent) if parent else None
    command = getattr(c.part, "def").partition_cmd
    if parent is None or default is None or not command.concurrent or c.known.is_new(c.key):
        return
    if db.dropped(c, "OBJECT_TABLE", default.name):
        return
    yield c.found(
        f"This fails: {parent.label} has a DEFAULT partition, {default.label}.",
        "PostgreSQL refuses to detach concurrently then.",
        _patiently(parent, command),
    )


@told(
    "LG705",
    "default-partition-holds-rows",
    Severity.HIGH,
    "The DEFAULT partition holds rows of the new one",
    on=("CreateStmt", "AT_AttachPartition"),
    hazard="A new partition is refused with error 23514 while the DEFAULT partition holds rows that belong into it. "
    "All of the DEFAULT partition is read for that, under ACCESS EXCLUSIVE.",
    instead="Detach the DEFAULT partition, make the new one, move the rows, attach it again; or use Lockgate's "
    "`partition` step.",
    rows=(69,),
    tier=Tier.DATA,
    looks="whether the DEFAULT partition holds rows of the new one",
)
def default_partition_holds_rows(c: Context, db: Database) -> Iterator[Found]:
    if c.statement.kind == "CreateStmt":
        if not c.node.HasField("partbound"):
            return
        parent, bound = db.relation(c, c.node.inh_relations[0].range_var), c.node.partbound
    else:
        parent, bound = db.relation(c), getattr(c.part, "def").partition_cmd.bound
    default = _default(db, parent) if parent else None
    if parent is None or default is None or bound.is_default:
        return
    key, bounds = partition_key(parent), _bounds(bound)
    if not key or bounds is None:
        return
    names = {column.name for column in db.facts.columns.get(default.oid, ())}
    parts = [ident(part) if part in names else part for part in key]
    counted = db.prober.ask(belonging(db.facts, default, parts, bounds))
    where = f"{parent.label} is partitioned by {parent.partitioned_by}"
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, default) or db.rows_change(c, parent),
        what=f"This fails: {{count}} of the DEFAULT partition {default.label} belong into the new one.",
        why=f"{where}. {db.size(default)}.",
        looks=f"whether {default.label} holds rows of the new partition",
    )


def _bounds(node: Node) -> Bounds | None:
    if node.listdatums:
        values = [ddl.expression(item, values=True) for item in node.listdatums]
        plain = [None if ddl.is_null(item) else value for item, value in zip(node.listdatums, values, strict=True)]
        return Bounds(values=plain) if all(values) else None
    if node.lowerdatums:
        return Bounds(lower=[_datum(x) for x in node.lowerdatums], upper=[_datum(x) for x in node.upperdatums])
    return None


def _datum(node: Node) -> Datum:
    inner = unwrap(node)
    if inner.DESCRIPTOR.name == "ColumnRef":
        match strings(inner.fields)[-1].lower():
            case "minvalue":
                return MINIMUM
            case "maxvalue":
                return MAXIMUM
    return ddl.expression(node, values=True)


@told(
    "LG725",
    "refresh-without-unique-index",
    Severity.HIGH,
    "REFRESH CONCURRENTLY is refused without a unique index",
    on=("RefreshMatViewStmt",),
    hazard="REFRESH MATERIALIZED VIEW CONCURRENTLY fails with error 55000 unless the view has a unique index on plain "
    "columns without a WHERE, and has been filled once.",
    instead="Create a unique index on the view's key first; fill it once without CONCURRENTLY.",
    rows=(73,),
    looks="which indexes the view has, and whether it is filled",
)
def refresh_without_unique_index(c: Context, db: Database) -> Iterator[Found]:
    view = db.relation(c)
    if view is None or view.kind != "m" or not c.node.concurrent:
        return
    if any(_makes_key(db, statement.node, view) for statement in c.subject.statements[: c.statement.index]):
        return
    usable = [x for x in db.facts.indexes_of(view.oid) if x.identifies_rows]
    if not usable:
        yield c.found(
            f"This fails: {view.label} has no unique index on plain columns.",
            "To refresh concurrently the server must find each row by a key.",
            f"-- On the columns that make its key:\nCREATE UNIQUE INDEX ON {view.sql} (...);",
        )
    elif not view.populated:
        yield c.found(
            f"This fails: {view.label} has never been filled.",
            "The first time must be without CONCURRENTLY.",
            f"REFRESH MATERIALIZED VIEW {view.sql};",
        )


def _makes_key(db: Database, node: Node, view: Relation) -> bool:
    if node.DESCRIPTOR.name == "RefreshMatViewStmt":
        return False
    unique = node.DESCRIPTOR.name == "IndexStmt" and node.unique and not node.HasField("where_clause")
    return bool(unique) and db.same((node.relation.schemaname, node.relation.relname), view)


@told(
    "LG749",
    "replica-identity-lost",
    Severity.HIGH,
    "A published table without a replica identity refuses updates",
    on=("AT_DropConstraint", "DropStmt", "AT_ReplicaIdentity"),
    hazard="Subscribers find a row by the replica identity, by default the primary key. Without one each UPDATE and "
    "DELETE of a published table fails with error 55000.",
    instead="First ALTER TABLE ... REPLICA IDENTITY USING INDEX, of a unique index on columns that are NOT NULL.",
    rows=(77,),
    looks="whether the table is published, and by what its rows are found",
)
def replica_identity_lost(c: Context, db: Database) -> Iterator[Found]:
    for relation in _lose_identity(c, db):
        if relation.published and not _renewed(c, db, relation):
            yield c.found(
                f"Each UPDATE and DELETE of {relation.label} fails afterwards: it is published and has no replica "
                "identity.",
                f"Subscribers could not find the rows. {db.size(relation)}.",
                f"ALTER TABLE {relation.sql} REPLICA IDENTITY FULL;\n-- or USING INDEX of another unique index, which "
                "costs less.",
            )


def _lose_identity(c: Context, db: Database) -> Iterator[Relation]:
    if c.statement.kind == "DropStmt":
        if enum(c.node, "remove_type") == "OBJECT_INDEX":
            for names in ddl.objects(c.node):
                index = db.facts.index(names[-2] if len(names) > 1 else "", names[-1])
                relation = db.facts.relations.get(index.relation) if index else None
                if relation and index and index.replica_identity:
                    yield relation
        return
    relation = db.relation(c)
    if relation is None:
        return
    if enum(c.part, "subtype") == "AT_ReplicaIdentity":
        if getattr(c.part, "def").replica_identity_stmt.identity_type == "n":
            yield relation
        return
    for index in db.facts.indexes_of(relation.oid):
        by_key = relation.replica_identity == "d" and index.primary
        if index.name == c.part.name and (index.replica_identity or by_key):
            yield relation


def _renewed(c: Context, db: Database, relation: Relation) -> bool:
    """Whether the text gives the table another one, or a new primary key."""
    for statement in c.subject.statements:
        if statement.kind != "AlterTableStmt" or not db.same(
            (statement.node.relation.schemaname, statement.node.relation.relname), relation
        ):
            continue
        for item in statement.node.cmds:
            command = item.alter_table_cmd
            inner = unwrap(getattr(command, "def"))
            match enum(command, "subtype"):
                case "AT_ReplicaIdentity" if inner.identity_type != "n":
                    return True
                case "AT_AddConstraint" if enum(inner, "contype") == "CONSTR_PRIMARY":
                    return True
    return False


RULES = (
    detach_with_default,
    default_partition_holds_rows,
    refresh_without_unique_index,
    replica_identity_lost,
)
