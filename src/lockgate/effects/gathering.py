"""The effects of one statement while they are found out."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.effects.known import Catalog, Relation
from lockgate.effects.model import Effects, Lock, Mode, in_order, strongest
from lockgate.sql.tree import Node, quote


class Gathering:
    """Collects effects. Of what the catalog does not know nothing but the name is known."""

    def __init__(self, catalog: Catalog | None, major: int) -> None:
        self.catalog = catalog
        self.major = major
        self._locks: dict[str, set[Mode]] = {}
        self._rewrites: set[str] = set()
        self._empties: set[str] = set()
        self._rebuilds: set[str] = set()
        self._scans: set[str] = set()
        self._unknown: dict[str, None] = {}
        self.planned = False

    def effects(self) -> Effects:
        """All that was found."""
        return Effects(
            tuple(Lock(name, mode) for name in sorted(self._locks) for mode in in_order(self._locks[name])),
            tuple(sorted(self._rewrites)),
            tuple(sorted(self._empties)),
            tuple(sorted(self._rebuilds)),
            tuple(sorted(self._scans)),
            self.planned,
            tuple(self._unknown),
        )

    def named(self, name: Node) -> Relation:
        """The relation that a ``RangeVar`` names."""
        return self.find(name.schemaname, name.relname, name.catalogname)

    def find(self, schema: str, name: str, database: str = "") -> Relation:
        """The relation of that name."""
        found = self.catalog.find(schema, name) if self.catalog else None
        written = ".".join(quote(part) for part in (database, schema, name) if part)
        if not found:
            why = "the database was not asked" if self.catalog is None else "it is not there yet"
            self.unknown(f"what belongs to {written} and what refers to it: {why}")
        return found or Relation(0, written)

    def there(self, schema: str, name: str) -> bool:
        """Whether the catalog knows of a relation of that name."""
        return bool(self.catalog and self.catalog.find(schema, name))

    def each(self, oids: Iterable[int]) -> list[Relation]:
        """The relations with these oids, which the catalog itself has named."""
        return [self.catalog.relation(oid) for oid in oids if oid] if self.catalog else []

    def family(self, relation: Relation) -> list[Relation]:
        """A table, and all that inherit from it or are parts of it."""
        found = {relation.oid: relation}
        waiting = [relation]
        while waiting:
            children = self.each(waiting.pop().children)
            waiting += [child for child in children if child.oid not in found]
            found.update({child.oid: child for child in children})
        return list(found.values())

    def lock(self, relation: Relation | str, mode: Mode) -> None:
        """Note a lock."""
        name = relation if isinstance(relation, str) else relation.sql
        held = self._locks.get(name)
        self._locks[name] = strongest({*held, mode}) if held else {mode}

    def indexes(self, relation: Relation, mode: Mode) -> None:
        """Note a lock of all indexes of a table."""
        for index in relation.indexes:
            self.lock(index.sql, mode)

    def scan(self, relation: Relation) -> None:
        """Note that a table is read, unless it has no rows of its own."""
        if relation.kind not in {"p", "v"}:
            self._scans.add(relation.sql)

    def rewrite(self, relation: Relation) -> None:
        """Note that a table is written anew, and with it its indexes."""
        if relation.kind == "p":
            return
        self._rewrites.add(relation.sql)
        self.scan(relation)
        self.indexes(relation, Mode.ACCESS_EXCLUSIVE)
        self._rebuilds.update(index.sql for index in relation.indexes)

    def replace(self, relation: Relation) -> None:
        """Note that a materialized view is written anew without being read."""
        read = bool(relation.indexes) or relation.sql in self._scans
        self.rewrite(relation)
        if not read:
            self._scans.discard(relation.sql)

    def empty(self, relation: Relation) -> None:
        """Note that a table is made empty, and with it its indexes."""
        if relation.kind == "p":
            return
        self._empties.add(relation.sql)
        self.indexes(relation, Mode.ACCESS_EXCLUSIVE)

    def rebuild(self, index: str) -> None:
        """Note that an index is built anew."""
        self._rebuilds.add(index)

    def unknown(self, what: str) -> None:
        """Note what cannot be told."""
        self._unknown[what] = None
