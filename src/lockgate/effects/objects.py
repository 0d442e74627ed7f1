"""Indexes, views, triggers, sequences, types and the rest: all but ALTER TABLE, DROP, and rows."""

from __future__ import annotations

from collections.abc import Callable

from lockgate.effects import constraining, partitions, rows
from lockgate.effects.gathering import Gathering
from lockgate.effects.model import Mode
from lockgate.sql.tree import Node, enum, kind, quote, strings, unwrap, walk

_VACUUMS_CHILDREN = 18  # the first major that vacuums what inherits from a table with it
_GRANTS_LOCK = 18  # the first major whose GRANT holds a lock of the table until the end


def create_index(gathering: Gathering, node: Node) -> None:
    """CREATE INDEX."""
    relation = gathering.named(node.relation)
    mode = Mode.SHARE_UPDATE_EXCLUSIVE if node.concurrent else Mode.SHARE
    schema = node.relation.schemaname
    there = node.if_not_exists and node.idxname and gathering.there(schema, node.idxname)
    recurses = relation.kind == "p" and node.relation.inh and not there
    for target in gathering.family(relation) if recurses else [relation]:
        gathering.lock(target, mode)
        if not there:
            gathering.scan(target)


def reindex(gathering: Gathering, node: Node) -> None:
    """REINDEX, of which each table is done on its own where it is of many."""
    concurrently = any(unwrap(option).defname == "concurrently" for option in node.params)
    table_mode, index_mode = (Mode.SHARE_UPDATE_EXCLUSIVE,) * 2 if concurrently else (Mode.SHARE, Mode.ACCESS_EXCLUSIVE)
    what = enum(node, "kind")
    if what in {"REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE"}:
        if not gathering.catalog or what != "REINDEX_OBJECT_SCHEMA":
            gathering.unknown("which indexes there are")
            return
        tables, only = gathering.catalog.relations_of_schema(node.name), 0
    else:
        relation = gathering.named(node.relation)
        of_index = what == "REINDEX_OBJECT_INDEX"
        tables, only = (gathering.each([relation.table]), relation.oid) if of_index else ([relation], 0)
        if of_index and not relation.oid:
            gathering.lock(relation, index_mode)
            return
    for table in (member for found in tables for member in gathering.family(found)):
        indexes = [index for index in table.indexes if only in {0, index.oid}]
        if indexes or len(tables) == 1:
            gathering.lock(table, table_mode)
        for index in indexes:
            gathering.lock(index.sql, index_mode)
            gathering.rebuild(index.sql)
            gathering.scan(table)


def create_table(gathering: Gathering, node: Node) -> None:
    """CREATE TABLE: what it refers to, inherits from, is a partition or a likeness of."""
    if node.if_not_exists and gathering.there(node.relation.schemaname, node.relation.relname):
        return
    for parent in map(gathering.named, map(unwrap, node.inh_relations)):
        if node.HasField("partbound"):
            partitions.create(gathering, parent, node.partbound)
        else:
            gathering.lock(parent, Mode.SHARE_UPDATE_EXCLUSIVE)
    for inner in walk(node):
        what = kind(inner)
        if what == "TableLikeClause":
            gathering.lock(gathering.named(inner.relation), Mode.ACCESS_SHARE)
        own = what == "Constraint" and inner.HasField("pktable") and inner.pktable.relname == node.relation.relname
        if what == "Constraint" and inner.HasField("pktable") and not own:
            constraining.refer(gathering, [], inner, checked=False)


def create_as(gathering: Gathering, node: Node) -> None:
    """CREATE TABLE AS, CREATE MATERIALIZED VIEW."""
    rows.read(gathering, node.query)


def create_view(gathering: Gathering, node: Node) -> None:
    """CREATE VIEW: a view that is read is not looked into."""
    if node.replace and gathering.there(node.view.schemaname, node.view.relname):
        gathering.lock(gathering.named(node.view), Mode.ACCESS_EXCLUSIVE)
    _read_by_definition(gathering, node.query)


def create_function(gathering: Gathering, node: Node) -> None:
    """CREATE FUNCTION: only a body that the server reads at once locks anything."""
    if node.HasField("sql_body"):
        _read_by_definition(gathering, node.sql_body)


def refresh(gathering: Gathering, node: Node) -> None:
    """REFRESH MATERIALIZED VIEW."""
    view = gathering.named(node.relation)
    gathering.lock(view, Mode.EXCLUSIVE if node.concurrent else Mode.ACCESS_EXCLUSIVE)
    if node.skip_data:
        gathering.empty(view)
        return
    gathering.planned = True
    for source in gathering.each(view.reads):
        rows.see(gathering, source, Mode.ACCESS_SHARE)
    if not node.concurrent:
        gathering.replace(view)


def create_trigger(gathering: Gathering, node: Node) -> None:
    """CREATE TRIGGER: the partitions get the one FOR EACH ROW, too."""
    relation = gathering.named(node.relation)
    for member in gathering.family(relation) if relation.kind == "p" and node.row else [relation]:
        gathering.lock(member, Mode.SHARE_ROW_EXCLUSIVE)


def rename(gathering: Gathering, node: Node) -> None:
    """ALTER ... RENAME."""
    if not node.HasField("relation"):
        return
    relation = gathering.named(node.relation)
    what = enum(node, "rename_type")
    index = what == "OBJECT_INDEX" or relation.kind in {"i", "I"}
    gathering.lock(relation, Mode.SHARE_UPDATE_EXCLUSIVE if index else Mode.ACCESS_EXCLUSIVE)
    if what in {"OBJECT_COLUMN", "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER"} and node.relation.inh:
        for member in gathering.family(relation):
            gathering.lock(member, Mode.ACCESS_EXCLUSIVE)
    named = relation.index_named(node.subname) if what == "OBJECT_TABCONSTRAINT" else None
    if named:
        gathering.lock(named.sql, Mode.SHARE_UPDATE_EXCLUSIVE)


def set_schema(gathering: Gathering, node: Node) -> None:
    """ALTER ... SET SCHEMA: the sequences of its columns move too."""
    if node.HasField("relation"):
        relation = gathering.named(node.relation)
        gathering.lock(relation, Mode.ACCESS_EXCLUSIVE)
        for sequence in relation.sequences:
            gathering.lock(sequence.sql, Mode.ACCESS_EXCLUSIVE)


def sequence(gathering: Gathering, node: Node) -> None:
    """CREATE and ALTER SEQUENCE."""
    if kind(node) == "AlterSeqStmt":
        gathering.lock(gathering.named(node.sequence), Mode.SHARE_ROW_EXCLUSIVE)
    for option in map(unwrap, node.options):
        if option.defname == "owned_by":
            *schema, table, _ = ["", *strings(unwrap(option.arg).items)]
            if table:
                gathering.lock(gathering.find(schema[-1], table), Mode.ACCESS_SHARE)


def comment(gathering: Gathering, node: Node) -> None:
    """COMMENT ON."""
    names = strings(unwrap(node.object).items) if kind(node.object) == "List" else []
    match enum(node, "objtype"):
        case "OBJECT_TABLE" | "OBJECT_VIEW" | "OBJECT_MATVIEW" | "OBJECT_INDEX" | "OBJECT_SEQUENCE":
            gathering.lock(gathering.find("".join(names[:-1]), names[-1]), Mode.SHARE_UPDATE_EXCLUSIVE)
        case "OBJECT_COLUMN":
            gathering.lock(gathering.find("".join(names[:-2]), names[-2]), Mode.SHARE_UPDATE_EXCLUSIVE)
        case "OBJECT_TABCONSTRAINT" | "OBJECT_TRIGGER" | "OBJECT_POLICY" | "OBJECT_RULE":
            gathering.lock(gathering.find("".join(names[:-2]), names[-2]), Mode.ACCESS_SHARE)


def grant(gathering: Gathering, node: Node) -> None:
    """GRANT and REVOKE."""
    tables = enum(node, "targtype") == "ACL_TARGET_OBJECT" and enum(node, "objtype") in {"OBJECT_TABLE"}
    if gathering.major >= _GRANTS_LOCK and tables:
        for name in node.objects:
            gathering.lock(gathering.named(unwrap(name)), Mode.ACCESS_SHARE)


def alter_domain(gathering: Gathering, node: Node) -> None:
    """ALTER DOMAIN: a new condition is looked up in all tables that have such a column."""
    added = node.subtype == "C" and not getattr(node, "def").constraint.skip_validation
    if not added and node.subtype not in {"O", "V"}:
        return
    if not gathering.catalog:
        gathering.unknown(
            "which tables have a column of the domain: they are scanned, and nobody writes to them meanwhile"
        )
        return
    written = ".".join(quote(part) for part in strings(node.type_name))
    for table in gathering.catalog.users_of_type(written):
        gathering.lock(table, Mode.SHARE)
        gathering.scan(table)


def lock(gathering: Gathering, node: Node) -> None:
    """LOCK TABLE."""
    mode = list(Mode)[node.mode - 1]
    for name in map(unwrap, node.relations):
        relation = gathering.named(name)
        if name.inh:
            rows.see(gathering, relation, mode)
        else:
            gathering.lock(relation, mode)


def vacuum(gathering: Gathering, node: Node) -> None:
    """VACUUM, ANALYZE."""
    full = any(unwrap(option).defname == "full" for option in node.options)
    if not node.rels:
        gathering.unknown("which tables there are: each in its turn, for itself")
    for item in node.rels:
        relation = gathering.named(unwrap(item).relation)
        below = relation.kind == "p" or gathering.major >= _VACUUMS_CHILDREN
        for member in gathering.family(relation) if below else [relation]:
            gathering.lock(member, Mode.ACCESS_EXCLUSIVE if full else Mode.SHARE_UPDATE_EXCLUSIVE)
            if full:
                gathering.rewrite(member)
        if not node.is_vacuumcmd or any(unwrap(option).defname == "analyze" for option in node.options):
            for member in gathering.family(relation):
                gathering.lock(member, Mode.ACCESS_SHARE)  # of which the parent's sample is taken


def cluster(gathering: Gathering, node: Node) -> None:
    """CLUSTER."""
    if not node.HasField("relation"):
        gathering.unknown("which tables have been clustered before: each is written anew")
        return
    relation = gathering.named(node.relation)
    gathering.lock(relation, Mode.ACCESS_EXCLUSIVE)
    gathering.rewrite(relation)


def publish(gathering: Gathering, node: Node) -> None:
    """CREATE and ALTER PUBLICATION."""
    for inner in walk(node):
        if kind(inner) == "PublicationTable":
            gathering.lock(gathering.named(inner.relation), Mode.SHARE_UPDATE_EXCLUSIVE)


def _read_by_definition(gathering: Gathering, node: Node) -> None:
    """The relations that a query names; they are not read yet."""
    for name in rows.named(list(walk(node))):
        gathering.lock(gathering.named(name), Mode.ACCESS_SHARE)


def _on(mode: Mode, field: str) -> Callable[[Gathering, Node], None]:
    """A statement that does no more than lock the relations of a field."""

    def note(gathering: Gathering, node: Node) -> None:
        said = getattr(node, field)
        names = [said] if hasattr(said, "relname") else [unwrap(name) for name in said]
        for name in names:
            if kind(name) == "RangeVar":
                gathering.lock(gathering.named(name), mode)

    return note


create_rule = _on(Mode.ACCESS_EXCLUSIVE, "relation")
policy = _on(Mode.ACCESS_EXCLUSIVE, "table")
create_statistics = _on(Mode.SHARE_UPDATE_EXCLUSIVE, "relations")


def nothing(gathering: Gathering, node: Node) -> None:
    """A statement that locks no relation."""


def opaque(gathering: Gathering, node: Node) -> None:
    """A statement whose text does not tell what it does."""
    gathering.unknown("what it does: its text does not tell")
