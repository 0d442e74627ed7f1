"""What texts make of tables, as far as they tell: it grows statement by statement, over the files of a history.

A table that a text makes is new in that text: nobody else uses it, and no lock or scan of it hurts. In later texts of a
history its shape is still known, while its rows are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lockgate.sql.tree import Node

Key = tuple[str, str]
"""Schema and name of a relation. ``public`` is the empty text, so that a name without a schema is the same."""


def key(relation: Node) -> Key:
    """Of a ``RangeVar``."""
    return _plain(relation.schemaname), relation.relname


def key_of(names: tuple[str, ...]) -> Key:
    """Of a qualified name."""
    return (_plain(names[-2]) if len(names) > 1 else "", names[-1] if names else "")


def _plain(schema: str) -> str:
    return "" if schema == "public" else schema


@dataclass(slots=True)
class Column:
    """A column that a text made.

    :param type: as ``lockgate.sql.ddl.type_of`` writes it.
    """

    type: str
    not_null: bool = False


@dataclass(slots=True)
class Bound:
    """A constraint that a text made.

    :param kind: the parser's, such as ``CONSTR_CHECK``.
    :param columns: of a key; of a check, those that it says are not null.
    :param valid: whether it holds for all rows.
    """

    kind: str
    columns: tuple[str, ...] = ()
    valid: bool = True


@dataclass(slots=True)
class Table:
    """A table, as texts tell of it.

    :ivar whole: whether a CREATE TABLE with a list of columns was seen, so that no column is unknown.
    :ivar partitioned: the columns of the partition key, "" for an expression; None if it is not partitioned.
    :ivar parent: of a partition.
    :ivar may_be_old: whether IF NOT EXISTS stood in front of it, so that it may have been there before.
    :ivar indexes: the columns of each index, "" for an expression.
    """

    whole: bool = False
    columns: dict[str, Column] = field(default_factory=dict)
    bounds: dict[str, Bound] = field(default_factory=dict)
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    partitioned: tuple[str, ...] | None = None
    parent: Key | None = None
    may_be_old: bool = False


@dataclass(slots=True)
class Known:
    """All that was seen so far.

    :ivar new: the tables that the text which is examined made.
    :ivar types: of the enum types (``enum``) and domains (``domain``, ``constrained``) that texts made.
    :ivar made: names of whatever else the text that is examined made: (``OBJECT_VIEW``, key).
    """

    tables: dict[Key, Table] = field(default_factory=dict)
    index_of: dict[Key, Key] = field(default_factory=dict)
    types: dict[Key, str] = field(default_factory=dict)
    made: set[tuple[str, Key]] = field(default_factory=set)
    new: dict[Key, Table] = field(default_factory=dict)

    def next_text(self) -> None:
        """Another text begins: what was new is not any more."""
        self.made.clear()
        self.new.clear()

    def is_new(self, name: Key) -> bool:
        """Whether the text that is examined made this table."""
        return name in self.new

    def may_be_old(self, name: Key) -> bool:
        """Whether the text that makes the table leaves it as it is if there is one."""
        found = self.new.get(name)
        return found is not None and found.may_be_old

    def make(self, name: Key, table: Table) -> None:
        """A text makes a table."""
        self.tables[name] = self.new[name] = table

    def move(self, old: Key, new: Key) -> None:
        """A text gives a table another name, or another schema."""
        self.tables[new] = self.tables.pop(old)
        if self.new.pop(old, None) is None:
            self.new.pop(new, None)
        else:
            self.new[new] = self.tables[new]

    def drop(self, name: Key) -> None:
        """A text drops a table."""
        self.tables.pop(name, None)
        self.new.pop(name, None)

    def column(self, table: Key, name: str) -> Column | None:
        """A column that a text made."""
        found = self.tables.get(table)
        return found.columns.get(name) if found else None

    def is_partitioned(self, name: Key) -> bool:
        """Whether a text made this table a partitioned one."""
        found = self.tables.get(name)
        return found is not None and found.partitioned is not None

    def holds(self, table: Key, kind: str) -> Iterator[Bound]:
        """The constraints of a kind that texts made on a table."""
        found = self.tables.get(table)
        yield from (bound for bound in (found.bounds.values() if found else ()) if bound.kind == kind)
