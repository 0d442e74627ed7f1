"""The mappings that feed one target, with the logs that their applier reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Relation
from lockgate.errors import LedgerError, MappingRefused
from lockgate.mapping import changelog, definition
from lockgate.mapping.analysis import compile_mapping
from lockgate.mapping.changelog import ChangeLog
from lockgate.mapping.compiled import Base, Compiled
from lockgate.mapping.images import Candidates, Images
from lockgate.mapping.statements import Evaluation
from lockgate.plan.values import split_name
from lockgate.sql.tree import quote


@dataclass(slots=True)
class Group:
    """One target and everything that is derived for it.

    :param writer: the mark of the applier's own writes.
    :param touched: the log of the application's own writes to the target; None for a transform that reads it.
    """

    target_id: int
    plan: str
    name: str
    compiled: tuple[Compiled, ...]
    images: dict[int, Images]
    touched: ChangeLog | None
    evaluation: Evaluation
    candidates: Candidates

    @property
    def bases(self) -> list[Base]:
        """The relations that its mappings read, each with all columns that any of them reads."""
        return bases(self.compiled)

    @property
    def log_ids(self) -> list[int]:
        """The numbers of the logs that its applier reads."""
        return [*self.images, *([self.touched.id] if self.touched is not None else [])]

    @property
    def writes_unlogged(self) -> bool:
        """Whether the application's own writes to the target should be logged, and are not."""
        target = self.evaluation.target.oid
        reads_target = any(base.relation.oid == target for base in self.bases)
        return self.touched is None and not (self.evaluation.updates_only and reads_target)

    @property
    def writer(self) -> str:
        """The value of ``lockgate.writer`` in transactions that make the target equal to its mappings."""
        return str(self.target_id)

    @property
    def recheck(self) -> str:
        """The table of keys that must be evaluated again."""
        return f"lockgate.recheck_{self.target_id}"


def target_name(of: definition.Definition) -> str:
    """The ledger's name of what a mapping feeds: all maps into one table share it, a transform stands alone."""
    if of.updates_only:
        return f"transform {of.name}"
    parts = split_name(of.into) or (of.into,)
    return ".".join(quote(part) if "." in part or '"' in part else part for part in parts)


def bases(compiled: Sequence[Compiled]) -> list[Base]:
    """The base relations of several mappings, each with all columns that any of them reads."""
    found: dict[int, Base] = {}
    for mapping in compiled:
        for base in mapping.bases:
            known = found.get(base.relation.oid)
            columns = {c.number: c for c in (*base.columns, *(known.columns if known else ()))}
            found[base.relation.oid] = Base(base.relation, tuple(columns[n] for n in sorted(columns)), base.occurrences)
    return [found[oid] for oid in sorted(found)]


def refuse_unlike(compiled: Sequence[Compiled]) -> None:
    """Mappings into one table must speak of the same columns, or none of them could say what a row should be.

    :raises MappingRefused: if they do not.
    """
    first = compiled[0]
    for other in compiled[1:]:
        if {c.name for c in other.outputs} != {c.name for c in first.outputs} or other.key != first.key:
            differing = {c.name for c in other.outputs} ^ {c.name for c in first.outputs}
            raise MappingRefused(
                f"{other.name} and {first.name} both fill {first.target.label}, but yield different columns",
                where=other.definition.place("select"),
                why=f"only one of them yields {', '.join(sorted(differing)) or 'this key'}",
                hint="yield the same columns in both, with NULL or a constant where one has no value",
            )
        if other.definition.sync != first.definition.sync:
            raise MappingRefused(
                f"{other.name} and {first.name} both fill {first.target.label}, but only one of them with sync",
                where=other.definition.place("sync"),
                why="what follows the old model for one of them would remove the rows of the other",
                hint="say the same in both",
            )
        if dict(other.definition.on_insert) != dict(first.definition.on_insert):
            raise MappingRefused(
                f"{other.name} and {first.name} both fill {first.target.label}, but with different `on_insert`",
                where=other.definition.place("on_insert"),
                hint="write the same in both",
            )


def load(conn: Connection[Any], target_id: int) -> Group:
    """Read a target and its mappings from the ledger, and check them against the database as it is now.

    :raises LedgerError: if there is no such target, or nothing feeds it any more.
    :raises PlanError: if the database no longer fits a mapping.
    """
    row = conn.execute("SELECT plan, name FROM lockgate.sync_targets WHERE id = %s", (target_id,)).fetchone()
    if row is None:
        raise LedgerError(f"the ledger knows no target {target_id}")
    stored = conn.execute(
        "SELECT definition FROM lockgate.mappings WHERE target_id = %s ORDER BY position", (target_id,)
    ).fetchall()
    if not stored:
        raise LedgerError(f"no mapping feeds {row[1]} any more")
    reader = catalog.Reader(conn)
    compiled = tuple(compile_mapping(conn, definition.load(value), reader) for (value,) in stored)
    return build(conn, target_id, row[0], row[1], compiled)


def build(conn: Connection[Any], target_id: int, plan: str, name: str, compiled: tuple[Compiled, ...]) -> Group:
    """Put a target together from its compiled mappings."""
    refuse_unlike(compiled)
    updates_only, target = compiled[0].definition.updates_only, compiled[0].target.oid
    logs = {log.relid: log for log in changelog.read_by(conn, target_id) if updates_only or not log.writer}
    images = {
        logs[base.relation.oid].id: Images(logs[base.relation.oid], base, target_id)
        for base in bases(compiled)
        if base.relation.oid in logs
    }
    reads_target = any(base.relation.oid == target for base in bases(compiled))
    evaluation = Evaluation(target_id, compiled)
    return Group(
        target_id=target_id,
        plan=plan,
        name=name,
        compiled=compiled,
        images=images,
        touched=None if updates_only and reads_target else changelog.of_relation(conn, target, str(target_id)),
        evaluation=evaluation,
        candidates=Candidates(compiled, images, evaluation.candidates),
    )


def unfollowed(group: Group) -> bool:
    """Whether a relation has no log, or one without a column that is read: a table has taken its name, or it grew."""
    logged = {images.base.relation.oid: set(images.log.columns) for images in group.images.values()}
    lacking = any({c.number for c in base.columns} - logged.get(base.relation.oid, set()) for base in group.bases)
    unwatched = group.touched is not None and {c.number for c in group.evaluation.shown} - set(group.touched.watched)
    absent = any(base.relation.oid not in logged for base in group.bases)
    return lacking or absent or bool(unwatched) or group.writes_unlogged


def fingerprint(conn: Connection[Any], group: Group) -> tuple[str, str]:
    """What must not change unseen, of the relations that are read and of the target: partitions and files.

    A partition attached, a rewrite, another table of the name: nothing of it is logged, so it is looked for at
    each batch.
    """
    read = [images.base.relation for images in group.images.values()]
    written = [group.evaluation.target] if group.touched is not None else []
    return _fingerprint(conn, read, files=True), _fingerprint(conn, written, files=False)


def _fingerprint(conn: Connection[Any], logged: Sequence[Relation], *, files: bool) -> str:
    values = {
        "oids": sorted({relation.oid for relation in logged}),
        "names": sorted({relation.sql for relation in logged}),
        "files": files,
    }
    row = conn.execute(_FINGERPRINT, values, prepare=True).fetchone()
    return str(row[0]) if row else ""


_FINGERPRINT = b"""
WITH RECURSIVE tree AS (
    SELECT o.oid FROM unnest(%(oids)s::oid[]) AS o(oid)
    UNION
    SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)
SELECT pg_catalog.md5(pg_catalog.concat(
    (SELECT pg_catalog.string_agg(pg_catalog.concat(n, '=', pg_catalog.to_regclass(n)::oid), ' ' ORDER BY n)
     FROM unnest(%(names)s::text[]) AS x(n)), pg_catalog.string_agg(
    pg_catalog.concat_ws(',', c.oid, c.relkind, CASE WHEN %(files)s THEN pg_catalog.pg_relation_filenode(c.oid) END,
        -- Detached, loaded and attached again at once, a partition has another row here, and nothing else to show.
        (SELECT pg_catalog.string_agg(i.xmin::text, ' ') FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)),
    ';' ORDER BY c.oid)))
FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
"""


def relation_of(conn: Connection[Any], log: ChangeLog) -> catalog.Relation:
    """The relation whose changes a log holds."""
    return catalog.read(conn, log.relid)
