"""A target of which a mapping fits the database no more: what can be taken back without its SELECT, and what is lost.

What the old model says cannot be asked any more. So no row of the target is known to be there as well: all that
would go count as lost, and nothing is removed unless that was accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Column, Relation
from lockgate.errors import PlanError
from lockgate.mapping import blocks, changelog, stakes
from lockgate.mapping import definition as definitions
from lockgate.mapping.analysis import compile_mapping
from lockgate.mapping.changelog import SEGMENTS
from lockgate.mapping.compiled import Compiled, equal
from lockgate.mapping.definition import Definition
from lockgate.mapping.kept import Kept, kept_value, values_of_before
from lockgate.mapping.queries import first_number
from lockgate.mapping.target import NOT_ACCEPTED
from lockgate.plan.values import split_name


@dataclass(frozen=True, slots=True)
class Unfit:
    """A target, some mapping of which cannot be compiled.

    :param mappings: what the ledger holds of all of them, and ``fit`` those that can be.
    :param why: what is wrong with another.
    :param kept: how its rows are told; None if they cannot be, and ``astray`` says why.
    """

    target_id: int
    mappings: tuple[Definition, ...]
    fit: tuple[Compiled, ...]
    why: str
    kept: Kept | None
    astray: str

    @property
    def updates_only(self) -> bool:
        """Whether it is a transform."""
        return self.mappings[0].updates_only

    @property
    def label(self) -> str:
        """The name of its table for people, as the plan says it."""
        return self.mappings[0].into

    def staying(self, leaving: Collection[str]) -> list[str]:
        """Names of the mappings that stay when some are taken out."""
        return [mapping.name for mapping in self.mappings if mapping.name not in leaving]

    def stuck(self, leaving: Collection[str]) -> str | None:
        """The first mapping that stays and cannot be evaluated: as long as it is there, no row can be told to go."""
        fit = {compiled.name for compiled in self.fit}
        return next((name for name in self.staying(leaving) if name not in fit), None)


def load(conn: Connection[Any], target_id: int, error: PlanError) -> Unfit:
    """Read from the ledger what cannot be compiled.

    :param error: why not.
    """
    stored = conn.execute(
        "SELECT definition FROM lockgate.mappings WHERE target_id = %s ORDER BY position", (target_id,)
    ).fetchall()
    mappings = tuple(definitions.load(value) for (value,) in stored)
    fit = tuple(compiled for mapping in mappings if (compiled := _compiled(conn, mapping)) is not None)
    kept, astray = _kept(conn, target_id, mappings[0], fit)
    return Unfit(target_id, mappings, fit, error.what, kept, astray)


def _compiled(conn: Connection[Any], mapping: Definition) -> Compiled | None:
    try:
        return compile_mapping(conn, mapping)
    except PlanError:
        return None


# --- which rows they are -----------------------------------------------------------------------------------------


def _kept(
    conn: Connection[Any], target_id: int, mapping: Definition, fit: Sequence[Compiled]
) -> tuple[Kept | None, str]:
    target, astray = (fit[0].target, "") if fit else _target(conn, target_id, mapping)
    if target is None:
        return None, astray
    key = [column for name in mapping.key if (column := target.column(name)) is not None]
    if len(key) < len(mapping.key) or not _comparable(conn, target_id, target, key):
        return None, f"the key of {target.label} ({', '.join(mapping.key)}) is not what it was"
    if mapping.updates_only:
        restored = values_of_before(conn, target_id, target)
        return Kept(target_id, target, key, restored[0] if restored else (), ()), ""
    stored = _imaged(conn, target_id, target)
    return Kept(target_id, target, key, [column for column in stored if column not in key], stored), ""


def _target(conn: Connection[Any], target_id: int, mapping: Definition) -> tuple[Relation | None, str]:
    """The table that was filled, if it still has its name; else why it is not touched."""
    row = conn.execute("SELECT relid::bigint FROM lockgate.sync_targets WHERE id = %s", (target_id,)).fetchone()
    assert row is not None  # a mapping refers to it
    parts = split_name(mapping.into)
    assert parts is not None  # the plan's models saw to it
    oid = catalog.find(conn, parts[0], parts[1])
    if oid is not None:
        return (catalog.read(conn, oid), "") if oid == row[0] else (None, f"another table is called {mapping.into} now")
    moved = conn.execute("SELECT %s::oid::regclass::text FROM pg_catalog.pg_class WHERE oid = %s", (row[0], row[0]))
    name = moved.fetchone()
    return None, f"{mapping.into} is called {name[0]} now" if name else f"{mapping.into} was dropped"


def _comparable(conn: Connection[Any], target_id: int, target: Relation, key: Sequence[Column]) -> bool:
    """Whether the keys that the ledger keeps can be looked up in the table."""
    try:
        with conn.transaction():
            conn.execute(
                f"EXPLAIN SELECT FROM {target.sql} AS t JOIN lockgate.born_{target_id} AS k "
                f"ON {equal(key, 't', 'k')}".encode()
            )
    except psycopg.errors.InsufficientPrivilege:
        raise
    except NOT_ACCEPTED:
        return False
    return True


def _imaged(conn: Connection[Any], target_id: int, target: Relation) -> list[Column]:
    """The columns with which replaced rows can be made again; none if there are no such rows, or they fit no more."""
    replaced = f"lockgate.replaced_{target_id}"
    found = conn.execute(f"SELECT DISTINCT pg_catalog.jsonb_object_keys(lockgate_image) FROM {replaced}".encode())
    names = {str(name) for (name,) in found}
    stored = [column for column in target.columns if column.name in names and not column.generated]
    values = ", ".join(map(kept_value, stored))
    try:
        with conn.transaction():
            conn.execute(f"SELECT count(ROW({values})) FROM {replaced} AS r".encode())
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError):
        return []
    return stored


# --- what would be lost ------------------------------------------------------------------------------------------


def weigh(conn: Connection[Any], loaded: Unfit, leaving: Collection[str], *, dropped: bool) -> list[tuple[int, str]]:
    """What would be lost if some mappings were taken out now: how many rows, and why.

    :param leaving: names of the mappings that are taken back; those that stay fit.
    :param dropped: whether the table is dropped afterwards.
    """
    if loaded.updates_only:
        return list(_of_transform(conn, loaded))
    found = []
    if loaded.kept is not None and (dropped or not stakes.nothing_written(conn, loaded.target_id)):
        condition = "true" if dropped else removed(loaded, leaving, "t")
        rows = first_number(conn, f"SELECT count(*) FROM {loaded.kept.target.sql} AS t WHERE {condition}")
        found.append((rows, f"of which nobody can tell whether the old model has them, too: {loaded.why}"))
    if dropped or not loaded.staying(leaving):
        found.append(_images_at_stake(conn, loaded, dropped=dropped))
    return found


def _images_at_stake(conn: Connection[Any], loaded: Unfit, *, dropped: bool) -> tuple[int, str]:
    kept = loaded.kept
    if kept is not None and kept.stored:
        why = "there before the old model came to decide them"
        return (first_number(conn, kept.count_replaced()) if dropped else 0), why
    rows = first_number(conn, f"SELECT count(*) FROM lockgate.replaced_{loaded.target_id}")
    astray = loaded.astray or f"{loaded.label} does not take their values any more"
    return rows, f"kept since the old model came to decide them, and cannot be put back: {astray}"


def _of_transform(conn: Connection[Any], loaded: Unfit) -> list[tuple[int, str]]:
    if not loaded.mappings[0].keep_before:
        return []
    everything = f"SELECT count(*) FROM lockgate.before_{loaded.target_id}"
    if loaded.kept is None:
        return [(first_number(conn, everything), f"whose values of before cannot be put back: {loaded.astray}")]
    found = []
    if loaded.kept.columns:
        found.append((first_number(conn, loaded.kept.changed_since()), "the application changed them since"))
    others = (values_of_before(conn, loaded.target_id, loaded.kept.target) or ((), []))[1]
    if others:
        why = f"whose values of before in {', '.join(others)} cannot be put back: it is not the column that it was"
        found.append((first_number(conn, everything), why))
    return found


def removed(loaded: Unfit, leaving: Collection[str], alias: str) -> str:
    """The condition that a row of the target goes, or does not stay as it is, when some mappings are taken out."""
    assert loaded.kept is not None
    kept, names = loaded.kept, loaded.staying(leaving)
    if names:
        born = f"EXISTS (SELECT FROM {kept.born} AS b WHERE {equal(kept.key, alias, 'b')})"
        staying = [compiled for compiled in loaded.fit if compiled.name in names]
        return f"{stakes.unyielded(staying, alias)} AND NOT {born}"
    if not kept.stored:
        return "true"
    same = f"{equal(kept.key, alias, 'r')} AND NOT {kept.replaced_otherwise(alias)}"
    return f"NOT EXISTS (SELECT FROM {kept.replaced} AS r WHERE {same})"


# --- taking back -------------------------------------------------------------------------------------------------


def take_back(conn: Connection[Any], loaded: Unfit, block: int, *, lose_rows: bool) -> int | None:
    """Take back what some blocks of the target hold, in the open transaction; the next block, None at the end."""
    kept = loaded.kept
    if kept is None or stakes.nothing_written(conn, loaded.target_id):
        return None
    if loaded.updates_only and not kept.columns:
        return None
    conn.execute("SELECT pg_catalog.set_config('lockgate.writer', %s, true)", (str(loaded.target_id),))
    if block == 0 and not loaded.updates_only:
        _forget_removed(conn, kept)
    for leaf in kept.target.leaves:
        place = blocks.place(block)
        if loaded.updates_only:
            conn.execute(kept.restore_before(leaf.sql, place, over_own=lose_rows).encode())
        elif lose_rows:
            gone = removed(loaded, [mapping.name for mapping in loaded.mappings], "t")
            conn.execute(f"DELETE FROM ONLY {leaf.sql} AS t WHERE {place} AND {gone}".encode())
    following = blocks.following(conn, kept.target, block)
    if following is None and kept.stored:
        conn.execute(kept.put_back_absent().encode())
    return following


def _forget_removed(conn: Connection[Any], kept: Kept) -> None:
    """A row that the application itself has removed, which no applier could take in any more, is not put back."""
    log = changelog.of_relation(conn, kept.target.oid, str(kept.target_id))
    if log is None or not {column.number for column in kept.key} <= set(log.columns):
        return
    key = " AND ".join(f"l.o{column.number} {column.equals} r.{column.sql}" for column in kept.key)
    taken_in = "pg_catalog.pg_visible_in_snapshot(l.xid, t.snapshot)"
    for segment in SEGMENTS:
        conn.execute(
            f"DELETE FROM {kept.replaced} AS r USING {log.table(segment)} AS l, lockgate.sync_targets AS t "
            f"WHERE t.id = {kept.target_id} AND l.op IN ('U', 'D') AND NOT {taken_in} AND {key} AND NOT EXISTS "
            f"(SELECT FROM {kept.target.sql} AS h WHERE {equal(kept.key, 'h', 'r')})".encode()
        )
