"""Which entries of a backup are restored: of some tables with what is theirs, of a schema, or all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lockgate.backup.contents import COMPANIONS, Contents, Entry, sanitized
from lockgate.errors import LockgateError, PlanError
from lockgate.manifest import Manifest, TableContent
from lockgate.patterns import fits, split_pattern
from lockgate.sql.tree import quote
from lockgate.suggest import nearest

OWN = "lockgate"
"""The schema of the ledger."""

# Their names begin with the table's.
_NAMED_PARTS = {"DEFAULT", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "TRIGGER", "RULE", "POLICY"}
# They depend on their table, and on no other but its partitions or those that it is one of.
_PARTS = {"INDEX", "STATISTICS", "ROW SECURITY", "SEQUENCE", "TABLE ATTACH"}
_JOINS = {"SEQUENCE OWNED BY", "INDEX ATTACH"}
_OF_THE_DATABASE = {"SCHEMA", "EXTENSION", "PROCEDURAL LANGUAGE"}
_RELATIONS = {"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"}
# A foreign key to a table that is not there is left out and told; nothing is made for its sake.
_MAKES_NO_NEED = {"FK CONSTRAINT", *COMPANIONS}
_ADD_TO_OTHERS = {
    "FK CONSTRAINT": "It is a key of another table, which is not restored, and refers to one that is.",
    "PUBLICATION TABLE": "What is published is not decided here.",
}
_OURS = re.compile(r"\bEXECUTE (?:FUNCTION|PROCEDURE) lockgate\.")


@dataclass(frozen=True, slots=True)
class NotRestored:
    """Something that the backup holds and the database now lacks.

    :param sql: what would make it.
    """

    what: str
    why: str
    sql: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be restored, in the order in which it is made.

    :param entries: all of it.
    :param needed: numbers of those that were not asked for: what is there already is taken as it is.
    :param tables: the tables whose rows are restored.
    :param left_out: what has to do with the tables and is not restored.
    """

    entries: tuple[Entry, ...]
    needed: frozenset[int]
    tables: tuple[TableContent, ...]
    left_out: tuple[NotRestored, ...]


def chosen_tables(said: Manifest, patterns: Sequence[str], schemas: Sequence[str]) -> list[TableContent]:
    """The tables of a backup that patterns (``core.entity_*``) and schemas stand for.

    :raises PlanError: for one that stands for none of them.
    """
    names = [table.label for table in said.tables]
    for pattern in patterns:
        if split_pattern(pattern) is None:
            raise PlanError(
                f"{pattern} is no name of tables",
                hint='Write schema.table; * stands for any signs, and odd names are quoted: core."Odd one".',
            )
        if not any(fits(pattern, table.schema, table.name) for table in said.tables):
            near = nearest(pattern, names)
            raise PlanError(
                f"{pattern} fits no table of the backup",
                why="A partition is restored with its table." if said.tables else None,
                hint=f"Did you mean {near}?" if near else f"It holds: {', '.join(names[:20])}.",
            )
    for schema in schemas:
        if not any(table.schema == schema for table in said.tables):
            near = nearest(schema, sorted({table.schema for table in said.tables}))
            raise PlanError(
                f"No table of the backup is in schema {schema}", hint=f"Did you mean {near}?" if near else None
            )
    return [
        table
        for table in said.tables
        if table.schema in schemas or any(fits(pattern, table.schema, table.name) for pattern in patterns)
    ]


def of_tables(contents: Contents, tables: Sequence[TableContent]) -> Selection:
    """The tables with their partitions, and what is theirs: constraints, indexes, sequences, triggers, grants."""
    by_name = {(entry.schema, entry.name): entry for entry in contents.entries if entry.type == "TABLE"}
    roots = [by_name.get((sanitized(table.schema), sanitized(table.name))) for table in tables]
    for table, root in zip(tables, roots, strict=True):
        if root is None:
            raise LockgateError(f"{table.label} is in the backup's manifest, but not in its dump")
    chosen = _with_partitions(contents, {root.id for root in roots if root})
    by_id = contents.by_id
    homes = {number: by_id[number] for number in chosen}
    chosen |= {entry.id for entry in contents.entries if _is_part(entry, homes)}
    # What puts two things together is restored if both are.
    together = [entry for entry in contents.entries if entry.type in _JOINS and entry.needs & by_id.keys() <= chosen]
    chosen |= {entry.id for entry in together}
    return _selection(contents, chosen, tables)


def of_schemas(contents: Contents, schemas: Sequence[str], tables: Sequence[TableContent]) -> Selection:
    """All that is in these schemas, and the tables, which may be in others."""
    inside = {
        entry.id
        for entry in contents.entries
        if entry.schema in schemas and entry.type != "PUBLICATION TABLE" and entry.type not in COMPANIONS
    }
    return _selection(contents, inside | {e.id for e in of_tables(contents, tables).entries}, tables)


def of_all(contents: Contents, said: Manifest, *, ledger_is_there: bool) -> Selection:
    """The whole database; without schema ``lockgate`` where the database has one, which is its own."""
    # A new database has these, too, or somebody has made them for it.
    may_be_there = {e.id for e in contents.entries if e.type in _OF_THE_DATABASE and not e.makes_nothing}
    if not ledger_is_there:
        return Selection(contents.entries, frozenset(may_be_there), said.tables, ())
    own = {e.id for e in contents.entries if e.schema == OWN or (e.type == "SCHEMA" and e.name == OWN)}
    own |= {e.id for e in contents.entries if e.type in COMPANIONS and e.needs & own}
    own |= {e.id for e in contents.entries if e.type == "TRIGGER" and _OURS.search(e.sql)}
    why = "The database has a ledger of its own, which stays as it is."
    left = (NotRestored("schema lockgate", why, ""),) if own else ()
    return Selection(
        tuple(entry for entry in contents.entries if entry.id not in own),
        frozenset(may_be_there),
        tuple(table for table in said.tables if table.schema != OWN),
        left,
    )


def _selection(contents: Contents, chosen: set[int], tables: Sequence[TableContent]) -> Selection:
    by_id = contents.by_id
    ours = {e.id for e in contents.entries if e.id in chosen and e.type == "TRIGGER" and _OURS.search(e.sql)}
    chosen = chosen - ours
    needed = _needs(by_id, chosen)
    made = chosen | needed
    told = {e.id for e in contents.entries if e.type in COMPANIONS and e.needs & made}
    left = [NotRestored(by_id[n].label, "It is Lockgate's own, which makes it where it is needed.", "") for n in ours]
    for entry in contents.entries:
        if entry.id not in chosen and entry.needs & chosen and entry.type in _ADD_TO_OTHERS:
            left.append(NotRestored(entry.label, _ADD_TO_OTHERS[entry.type], entry.sql))
    entries = tuple(entry for entry in contents.entries if entry.id in made | told)
    # A schema that was asked for may be there, as long as what is in it is not.
    schemas = {entry.id for entry in entries if entry.type == "SCHEMA"}
    return Selection(entries, frozenset(needed | schemas), tuple(tables), tuple(left))


def _with_partitions(contents: Contents, chosen: set[int]) -> set[int]:
    by_id = contents.by_id
    below: dict[int, set[int]] = {}
    for entry in contents.entries:
        if entry.type == "TABLE ATTACH":
            [part] = [n for n in entry.needs if (by_id[n].schema, by_id[n].name) == (entry.schema, entry.name)]
            for above in entry.needs - {part}:
                below.setdefault(above, set()).add(part)
    return _closure(chosen, lambda number: below.get(number, set()))


def _is_part(entry: Entry, homes: Mapping[int, Entry]) -> bool:
    """Whether it is a part of one of the tables."""
    if entry.type in _NAMED_PARTS:
        return any(_is_of(entry, homes[number]) for number in entry.needs & homes.keys())
    return entry.type in _PARTS and bool(entry.needs & homes.keys())


def _is_of(entry: Entry, home: Entry) -> bool:
    if home.schema != entry.schema or not entry.name.startswith(f"{home.name} "):
        return False
    # "a b c" may be key "b c" of table "a", or key "c" of table "a b", and a key is a matter of two tables.
    return entry.type != "FK CONSTRAINT" or any(
        entry.sql.startswith(f"ALTER TABLE {only}{schema}.{name}\n")
        for only in ("ONLY ", "")
        for schema in (home.schema, quote(home.schema))
        for name in (home.name, quote(home.name))
    )


def _needs(by_id: Mapping[int, Entry], chosen: set[int]) -> set[int]:
    """What must be there for the chosen ones: types, functions, schemas, sequences that are nobody's; no relations."""

    def below(number: int) -> set[int]:
        entry = by_id[number]
        if entry.type in _MAKES_NO_NEED:
            return set()
        return {n for n in entry.needs if n in by_id and n not in chosen and by_id[n].type not in _RELATIONS}

    return _closure(chosen, below) - chosen


def _closure(start: Iterable[int], step: Callable[[int], set[int]]) -> set[int]:
    found, todo = set(start), list(start)
    while todo:
        for number in step(todo.pop()) - found:
            found.add(number)
            todo.append(number)
    return found
