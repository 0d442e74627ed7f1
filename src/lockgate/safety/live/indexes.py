"""New indexes against those that are there, and against the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.safety.context import Context
from lockgate.safety.database import Database, amount
from lockgate.safety.finding import Severity, Tier
from lockgate.safety.live.told import counted_found, told
from lockgate.safety.probes.rows import oversized
from lockgate.safety.records import Index, Relation
from lockgate.safety.rule import Found
from lockgate.sql import ddl
from lockgate.sql.ddl import ident
from lockgate.sql.tree import Node, enum

_DESCENDING, _NULLS_FIRST = 1, 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """An index that is to be made, as the catalog would hold it, of plain columns only.

    :param options: of each column, as the server keeps them.
    """

    method: str
    unique: bool
    keys: tuple[int, ...]
    collations: tuple[int, ...]
    options: tuple[int, ...]
    included: frozenset[int]


def wanted(c: Context, db: Database, relation: Relation, node: Node) -> Wanted | None:
    """What an ``IndexStmt`` makes; None if it is partial, on expressions, or of an operator class that is named."""
    method = node.access_method or "btree"
    if node.HasField("where_clause") or (node.unique and node.nulls_not_distinct):
        return None
    keys, collations, options = [], [], []
    for item in node.index_params:
        element = item.index_elem
        column = db.column(c, relation, element.name) if element.name else None
        if column is None or element.opclass or element.collation:
            return None
        keys.append(column.number)
        collations.append(column.collation)
        options.append(_options(element) if method == "btree" else 0)
    named = [db.column(c, relation, item.index_elem.name) for item in node.index_including_params]
    included = frozenset(column.number for column in named if column is not None)
    if len(included) != len(named):
        return None
    return Wanted(method, bool(node.unique), tuple(keys), tuple(collations), tuple(options), included)


def _options(element: Node) -> int:
    descending = enum(element, "ordering") == "SORTBY_DESC"
    nulls = enum(element, "nulls_ordering")
    first = nulls == "SORTBY_NULLS_FIRST" or (descending and nulls != "SORTBY_NULLS_LAST")
    return _DESCENDING * descending + _NULLS_FIRST * first


def _default_opclass(db: Database, index: Index, place: int) -> bool:
    """Whether a column of an index is sorted as its type is by default."""
    column = db.facts.numbered(index.relation, index.keys[place])
    if column is None:
        return False
    base = db.facts.base_type(column.type)
    known = db.facts.default_opclasses.get((index.method, base))
    if known is None:  # the type borrows that of another one, as varchar does that of text
        return index.opclasses[place] in db.facts.default_opclasses.values()
    return index.opclasses[place] == known


def _plain(db: Database, index: Index) -> bool:
    usable = index.valid and index.predicate is None and index.expressions is None
    return usable and all(_default_opclass(db, index, place) for place in range(index.key_count))


def _covers(db: Database, index: Index, made: Wanted) -> bool:
    """Whether an index that is there serves all that the new one would."""
    count = len(made.keys)
    if not _plain(db, index) or index.method != made.method or index.keys[:count] != made.keys:
        return False
    if index.key_count < count or not made.included <= set(index.keys):
        return False
    if index.collations[:count] != made.collations or index.options[:count] != made.options:
        return False
    if made.method != "btree" and index.key_count != count:
        return False  # only a sorted index serves a search by its first columns as well
    if made.unique:
        return index.key_count == count and index.unique and index.immediate and not index.nulls_not_distinct
    return True


def _is_covered(db: Database, index: Index, made: Wanted) -> bool:
    """Whether the new index serves all that one that is there does, which nothing else rests on."""
    rests = any(x.rests_on == index.oid for x in db.facts.constraints)
    if (
        rests
        or index.unique
        or index.replica_identity
        or index.clustered
        or index.of_partition
        or not _plain(db, index)
    ):
        return False
    count = index.key_count
    same = index.method == made.method == "btree" and made.keys[:count] == index.sorted_by
    ordered = index.collations[:count] == made.collations[:count] and index.options[:count] == made.options[:count]
    return same and ordered and set(index.keys) <= {*made.keys, *made.included}


@told(
    "LG121",
    "redundant-index",
    Severity.LOW,
    "An index that another one makes superfluous",
    on=("IndexStmt",),
    hazard="Each write keeps every index. One whose columns another one begins with, in the same order, serves no "
    "query that the other one does not.",
    instead="Leave it out, or drop the shorter one once the longer is there.",
    looks="which indexes the table has",
)
def redundant_index(c: Context, db: Database) -> Iterator[Found]:
    relation = db.relation(c)
    made = wanted(c, db, relation, c.node) if relation else None
    if relation is None or made is None:
        return
    there = [x for x in db.facts.indexes_of(relation.oid) if not db.dropped(c, "OBJECT_INDEX", x.name)]
    there = [x for x in there if x.name != c.node.idxname]
    covering = next((x for x in there if _covers(db, x, made)), None)
    if covering is not None:
        yield c.found(
            f"{covering.label} serves all that this index would.",
            f"It begins with the same columns in the same order, and is there: {amount(covering.bytes)}.",
        )
        return
    for index in there:
        if _is_covered(db, index, made):
            later = [x for x in c.subject.statements[c.statement.index :] if x.kind == "DropStmt"]
            if any(names[-1] == index.name for x in later for names in ddl.objects(x.node)):
                continue
            yield c.found(
                f"With this index {index.label} is superfluous.",
                f"The new index begins with its columns; the old one takes {amount(index.bytes)}, and time of writes.",
                f"DROP INDEX CONCURRENTLY {index.sql};",
            )


@told(
    "LG122",
    "index-entry-too-large",
    Severity.HIGH,
    "Values that do not fit into a btree index",
    on=("IndexStmt",),
    hazard="An entry of a btree holds 2704 bytes at most. The build fails with error 54000 at a larger value, and so "
    "does each later INSERT of one.",
    instead="Index a hash of the value (md5, sha256), its beginning, or use another kind of index.",
    tier=Tier.DATA,
    looks="whether each value fits into an entry",
)
def index_entry_too_large(c: Context, db: Database) -> Iterator[Found]:
    relation = db.relation(c)
    if relation is None or (c.node.access_method or "btree") != "btree" or c.node.HasField("where_clause"):
        return
    names = tuple(x.index_elem.name for x in (*c.node.index_params, *c.node.index_including_params))
    columns = db.columns(c, relation, names) if all(names) else ()
    if not any(_may_be_large(db, column.type, column.typmod) for column in columns):
        return
    counted = db.prober.ask(oversized(db.facts, relation, names))
    if not counted.found:
        return  # what was not looked at is rarely that large
    shown = ", ".join(map(ident, names))
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, relation),
        what=f"This fails: {shown} of {{count}} of {relation.label} does not fit into an entry of a btree index.",
        why="An entry holds 2704 bytes at most.",
        looks=f"whether {shown} of all rows of {relation.label} fits into an entry",
        rewrite=f"CREATE INDEX CONCURRENTLY ON {relation.sql} (md5({ident(names[0])}::text));",
    )


def _may_be_large(db: Database, oid: int, typmod: int) -> bool:
    """Whether a type holds values of more than a few hundred bytes."""
    kind = db.facts.types.get(db.facts.base_type(oid))
    if kind is None or kind.kind in {"e", "r"}:
        return False
    if kind.name in {"varchar", "bpchar"} and 0 < typmod < _SHORT:
        return False
    return kind.category in {"S", "A", "V"} or kind.name in {"bytea", "jsonb", "numeric", "tsvector", "citext"}


_SHORT = 600


@told(
    "LG123",
    "index-name-taken",
    Severity.HIGH,
    "IF NOT EXISTS keeps an index that is INVALID or of another shape",
    on=("IndexStmt",),
    hazard="IF NOT EXISTS looks at the name only. What is there may be INVALID, which no query uses, or be on other "
    "columns, or belong to another table: the statement reports success, and the index is missing.",
    instead="Drop what is there concurrently, then build the index without IF NOT EXISTS.",
    rows=(80,),
    looks="what has the name now",
)
def index_name_taken(c: Context, db: Database) -> Iterator[Found]:
    relation, name = db.relation(c), c.node.idxname
    if relation is None or not name or not c.node.if_not_exists or db.dropped(c, "OBJECT_INDEX", name):
        return
    index = db.facts.index(relation.schema, name)
    if index is None:
        other = db.facts.relation(relation.schema, name)
        if other is not None:
            yield c.found(f"Nothing is built: {other.label} has the name already.", "It is no index.")
        return
    if index.relation != relation.oid:
        table = db.facts.relations.get(index.relation)
        fault = f"is on {table.label}" if table else "is on another table"
    elif not index.valid:
        fault = "is INVALID: an attempt before failed, or one is under way"
    else:
        made = wanted(c, db, relation, c.node)
        if made is None or _is(db, index, made):
            return
        fault = "is of another shape"
    yield c.found(
        f"Nothing is built, and this reports success: {index.label} is there, and {fault}.",
        "IF NOT EXISTS looks at the name only.",
        f"DROP INDEX CONCURRENTLY {index.sql};\n{_without_if(c)}",
    )


def _is(db: Database, index: Index, made: Wanted) -> bool:
    return (
        _plain(db, index)
        and (index.method, index.unique, index.sorted_by) == (made.method, made.unique, made.keys)
        and (index.collations, index.options) == (made.collations, made.options)
        and set(index.keys[index.key_count :]) == made.included
    )


def _without_if(c: Context) -> str:
    node = type(c.node)()
    node.CopyFrom(c.node)
    node.if_not_exists = False
    return c.sql(node)


RULES = (redundant_index, index_entry_too_large, index_name_taken)
