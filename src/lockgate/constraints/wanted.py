"""The constraints that a step asks for, by its text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lockgate.errors import PlanError
from lockgate.indexing import wanted as indexes
from lockgate.script.located import Located, located
from lockgate.sql.ddl import dotted, ident, relation, written
from lockgate.sql.tree import Node, copied, enum, parse_one, strings, unwrap

_PUT = "Put it into a step of its own: `- sql: ...`."


class Kind(StrEnum):
    """What a constraint asks of rows."""

    CHECK = "check"
    FOREIGN_KEY = "foreign key"
    UNIQUE = "unique"
    PRIMARY_KEY = "primary key"
    EXCLUDE = "exclusion"
    NOT_NULL = "not null"

    @property
    def checked(self) -> bool:
        """Whether it is asked of each row by itself, so that one reading of a table answers for all such."""
        return self in {Kind.CHECK, Kind.NOT_NULL}

    @property
    def by_parts(self) -> bool:
        """Whether a partitioned table gets it when its partitions have it."""
        return self not in {Kind.CHECK, Kind.EXCLUDE}

    @property
    def indexed(self) -> bool:
        """Whether it rests on an index that can be built before."""
        return self in {Kind.UNIQUE, Kind.PRIMARY_KEY}


_KINDS = {
    "CONSTR_CHECK": Kind.CHECK,
    "CONSTR_FOREIGN": Kind.FOREIGN_KEY,
    "CONSTR_UNIQUE": Kind.UNIQUE,
    "CONSTR_PRIMARY": Kind.PRIMARY_KEY,
    "CONSTR_EXCLUSION": Kind.EXCLUDE,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A constraint.

    :param name: of the constraint, as the catalog holds it; of a NOT NULL, of the column.
    :param table: as the text names it, quoted where it must be.
    :param node: the ``Constraint``; of a NOT NULL its ``AlterTableCmd``.
    :param where: the place of its statement in the plan.
    """

    kind: Kind
    name: str
    table: str
    node: Node
    where: str

    @property
    def title(self) -> str:
        """How it is called in a message."""
        if self.kind is Kind.NOT_NULL:
            return f"NOT NULL of {self.table}.{ident(self.name)}"
        return f"constraint {ident(self.name)} of {self.table}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a key, of a foreign key or of a NOT NULL."""
        match self.kind:
            case Kind.NOT_NULL:
                return (self.name,)
            case Kind.FOREIGN_KEY:
                return strings(self.node.fk_attrs)
            case _:
                return strings(self.node.keys)

    @property
    def parent(self) -> str:
        """The table that a foreign key refers to."""
        return relation(self.node.pktable)

    def on(self, schema: str, table: str, name: str) -> Wanted:
        """The same constraint on a partition.

        :param name: of the constraint there.
        """
        if self.kind is Kind.NOT_NULL:
            return not_null(dotted((schema, table)), self.name, self.where)
        node = copied(self.node)
        node.conname = name
        return Wanted(self.kind, name, dotted((schema, table)), node, self.where)

    # --- the statements --------------------------------------------------------------------------------------

    def added(self) -> Located:
        """The statement that adds it as it stands: all rows are read, unless something proves it already."""
        if self.kind is Kind.NOT_NULL:
            return _statement(f"ALTER TABLE {self.table} ALTER COLUMN {ident(self.name)} SET NOT NULL", self.where)
        return self._adding(copied(self.node))

    def added_unproved(self) -> Located:
        """The statement that adds it for the rows that are written from now on."""
        node = copied(self.node)
        node.skip_validation, node.initially_valid = True, False
        return self._adding(node)

    def added_on_index(self) -> Located:
        """The statement that makes the constraint of its index."""
        node = copied(self.node)
        for field in ("keys", "including", "options", "indexspace", "nulls_not_distinct"):
            node.ClearField(field)
        node.indexname = self.name
        return self._adding(node)

    def index(self) -> indexes.Wanted:
        """The index that it will rest on."""
        keys = ", ".join(map(ident, self.columns))
        node = copied(unwrap(parse_one(f"CREATE UNIQUE INDEX {ident(self.name)} ON {self.table} ({keys})").stmt))
        node.nulls_not_distinct = self.node.nulls_not_distinct
        node.table_space = self.node.indexspace
        node.options.extend(self.node.options)
        if self.node.including:
            more = ", ".join(map(ident, strings(self.node.including)))
            with_more = unwrap(parse_one(f"CREATE INDEX ON {self.table} ({keys}) INCLUDE ({more})").stmt)
            node.index_including_params.extend(with_more.index_including_params)
        return indexes.Wanted(self.name, self.table, node, self.where)

    def standing_in(self, name: str) -> Wanted:
        """The CHECK that proves a NOT NULL, so that SET NOT NULL need not read the rows.

        :param name: of the CHECK, which is dropped afterwards.
        """
        text = f"ALTER TABLE {self.table} ADD CONSTRAINT {ident(name)} CHECK ({ident(self.name)} IS NOT NULL)"
        (command,) = unwrap(parse_one(text).stmt).cmds
        # `def` is a word of Python's.
        node = unwrap(getattr(unwrap(command), "def"))
        return Wanted(Kind.CHECK, name, self.table, node, self.where)

    def _adding(self, node: Node) -> Located:
        alter = copied(unwrap(parse_one(f"ALTER TABLE {self.table} ADD CONSTRAINT a CHECK (true)").stmt))
        getattr(unwrap(alter.cmds[0]), "def").constraint.CopyFrom(node)
        text = written(alter, values=True)
        if not text:
            raise PlanError(
                f"The {self.title} cannot be written back exactly", where=self.where, hint="Write it in another way."
            )
        return _statement(text, self.where)


def not_null(table: str, column: str, where: str) -> Wanted:
    """A NOT NULL that another constraint needs."""
    statement = unwrap(parse_one(f"ALTER TABLE {table} ALTER COLUMN {ident(column)} SET NOT NULL").stmt)
    return Wanted(Kind.NOT_NULL, column, table, unwrap(statement.cmds[0]), where)


def proved(every: Sequence[Wanted]) -> Located:
    """The statement that reads the rows that were there before, once for all CHECKs; they may be written meanwhile.

    :param every: constraints of one table that were added unproved; at least one.
    """
    proofs = ", ".join(f"VALIDATE CONSTRAINT {ident(each.name)}" for each in every)
    return _statement(f"ALTER TABLE {every[0].table} {proofs}", every[0].where)


def dropped(kind: str, table: str, name: str, where: str) -> Located:
    """The statement that takes a constraint away.

    :param name: of a NOT NULL, that of the column.
    """
    if kind == Kind.NOT_NULL:
        return _statement(f"ALTER TABLE {table} ALTER COLUMN {ident(name)} DROP NOT NULL", where)
    # IF EXISTS: with the constraint of the whole table those of its partitions went.
    return _statement(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {ident(name)}", where)


def wanted(text: str, at: Callable[..., str]) -> list[Wanted]:
    """Read the statements of a step.

    :param at: the place of the text, and of a character of it: its ``offset``.
    :raises PlanError: for what adds no constraint with a name, or none that can be added so.
    """
    found: list[Wanted] = []
    for item in located(text, lambda offset: at(offset=offset)):
        for each in _of_statement(item):
            if any((each.table, each.name) == (other.table, other.name) for other in found):
                raise PlanError(f"The {each.title} is asked for twice", where=each.where, hint="Take one out.")
            found.append(each)
    if not found:
        raise PlanError("There is no ALTER TABLE in this SQL", where=at(), hint="Take the step out of the plan.")
    return found


def _of_statement(item: Located) -> Iterator[Wanted]:
    node = unwrap(parse_one(item.statement.text).stmt)
    if item.statement.kind != "AlterTableStmt" or enum(node, "objtype") != "OBJECT_TABLE":
        raise PlanError(f"{item.name} adds no constraint to a table", where=item.where, hint=_PUT)
    if node.missing_ok:
        raise PlanError(
            "IF EXISTS cannot be said here",
            where=item.where,
            why="A step whose table is missing would be called done.",
            hint="Leave it out.",
        )
    if not node.relation.inh:
        raise PlanError(
            "ONLY cannot be said here",
            where=item.where,
            why="The rows of partitions would not be asked, and PostgreSQL forbids it for most constraints.",
            hint="Leave it out.",
        )
    table = relation(node.relation)
    for command in map(unwrap, node.cmds):
        match enum(command, "subtype"):
            case "AT_SetNotNull":
                yield Wanted(Kind.NOT_NULL, command.name, table, command, item.where)
            case "AT_AddConstraint":
                yield _constraint(item, table, unwrap(getattr(command, "def")))
            case _:
                raise PlanError(
                    f"{item.name} does something else than adding a constraint, or SET NOT NULL",
                    where=item.where,
                    hint=_PUT,
                )


def _constraint(item: Located, table: str, node: Node) -> Wanted:
    kind = _KINDS.get(enum(node, "contype"))
    if kind is None:
        raise PlanError(
            "A NOT NULL with a name cannot be added here",
            where=item.where,
            why="Only PostgreSQL 18 knows them.",
            hint="Write ALTER COLUMN ... SET NOT NULL.",
        )
    if not node.conname:
        raise PlanError(
            "The constraint has no name",
            where=item.where,
            why="After a kill nobody could tell whether it was added.",
            hint="Write ADD CONSTRAINT <name>.",
        )
    for said, what, why in (
        (node.indexname, "USING INDEX", "The step builds the index by itself, beside writers."),
        (node.skip_validation, "NOT VALID", "The step adds the constraint so, and then proves it of all rows."),
        (kind in {Kind.CHECK, Kind.FOREIGN_KEY} and not node.is_enforced, "NOT ENFORCED", "Nothing would be asked."),
        (node.without_overlaps, "WITHOUT OVERLAPS", "Such a key cannot be built beside writers."),
    ):
        if said:
            raise PlanError(
                f"{what} cannot be said of {ident(node.conname)} here", where=item.where, why=why, hint=_PUT
            )
    return Wanted(kind, node.conname, table, node, item.where)


def _statement(text: str, where: str) -> Located:
    # A character of what was written anew is nowhere in the plan: what is wrong with it is at the statement.
    (item,) = located(text, lambda offset: where)
    return item
