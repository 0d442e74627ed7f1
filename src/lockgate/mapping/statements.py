"""The SQL that evaluates keys: what a target's mappings say about them, and how the table is made equal to it."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.catalog.relations import Column, Relation
from lockgate.mapping.compiled import Compiled, differ, equal, names
from lockgate.sql.tree import quote


def desired(compiled: Sequence[Compiled], candidates: str | None = None, yields: Sequence[str] | None = None) -> str:
    """The rows that the target should hold, one a key, by the mappings in their order of priority.

    :param candidates: a relation of keys to restrict to; None: all keys.
    :param yields: a relation for each mapping that holds (some of) its yields; None: they are evaluated.
    """
    first = compiled[0]
    sources = yields or [f"({mapping.yields()})" for mapping in compiled]
    parts = [
        _of_mapping(mapping, number, first.outputs, sources[number], candidates)
        for number, mapping in enumerate(compiled)
    ]
    if len(parts) == 1:
        return parts[0]
    key = names(first.key, "u")
    union = " UNION ALL ".join(f"({part})" for part in parts)
    return (
        f"SELECT DISTINCT ON ({key}) u.lockgate_prio, {names(first.outputs, 'u')} FROM ({union}) AS u "
        f"ORDER BY {key}, u.lockgate_prio"
    )


def _of_mapping(mapping: Compiled, number: int, outputs: Sequence[Column], yields: str, candidates: str | None) -> str:
    key = names(mapping.key, "y")
    source = f"{yields} AS y"
    if candidates:
        source = f"{candidates} AS c JOIN {source} ON {equal(mapping.key, 'y', 'c')}"
    return (
        f"SELECT DISTINCT ON ({key}) {number} AS lockgate_prio, {names(outputs, 'y')} FROM {source} "
        f"WHERE {mapping.not_null('y')} ORDER BY {key}, {mapping.order('y')}"
    )


class Evaluation:
    """The statements that make a target equal to its mappings for some keys.

    They work on two temporary tables: ``candidates`` (keys, numbered) and ``want`` (the desired rows).

    :param target_id: number of the target in the ledger; it names the temporary tables.
    """

    def __init__(self, target_id: int, compiled: Sequence[Compiled]) -> None:
        self.compiled = tuple(compiled)
        self.target: Relation = compiled[0].target
        self.key = compiled[0].key
        self.columns = compiled[0].columns
        self.updates_only = compiled[0].definition.updates_only
        self.shown = self.columns if self.updates_only else compiled[0].shown
        self.candidates = f"pg_temp.lockgate_cand_{target_id}"
        self.want = f"pg_temp.lockgate_want_{target_id}"
        self.born = f"lockgate.born_{target_id}"
        self.before = f"lockgate.before_{target_id}"
        self.keeps_before = compiled[0].definition.keep_before

    def create_tables(self) -> list[str]:
        """Statements that make the temporary tables, once a session."""
        key = ", ".join(f"{c.sql} {c.plain_type}" for c in self.key)
        everything = ", ".join(f"{c.sql} {c.type}" for c in self.compiled[0].outputs)
        end = "ON COMMIT DELETE ROWS"
        return [
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {_bare(self.candidates)} (lockgate_n bigserial, {key}) {end}",
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {_bare(self.want)} (lockgate_prio integer, {everything}) {end}",
        ]

    def active(self, low: int, high: int) -> str:
        """The candidates with numbers from ``low`` to below ``high``."""
        return f"(SELECT * FROM {self.candidates} WHERE lockgate_n >= {low} AND lockgate_n < {high})"

    def chosen(self, numbers: Sequence[int]) -> str:
        """The candidates with these numbers."""
        listed = ", ".join(str(number) for number in numbers)
        return f"(SELECT * FROM {self.candidates} WHERE lockgate_n IN ({listed}))"

    def fill_want(self, active: str) -> str:
        """Evaluate the active keys."""
        rows = desired(self.compiled, active)
        return f"INSERT INTO {self.want} (lockgate_prio, {names(self.compiled[0].outputs)}) {rows}"

    def delete_stale(self, active: str) -> str:
        """Remove rows that no mapping yields any more, except those born in the new model."""
        return (
            f"DELETE FROM {self.target.sql} AS t USING {active} AS c WHERE {equal(self.key, 't', 'c')} "
            f"AND NOT EXISTS (SELECT FROM {self.want} AS w WHERE {equal(self.key, 'w', 'c')}) "
            f"AND NOT EXISTS (SELECT FROM {self.born} AS b WHERE {equal(self.key, 'b', 'c')})"
        )

    def differs(self, left: str, right: str) -> str:
        """The condition that two rows differ in a column that the mappings decide."""
        return differ(self.shown, left, right)

    def keep_before(self) -> str:
        """Keep the values that are about to be changed, and the new ones."""
        return self.keep_values(
            f"SELECT {names(self.key, 't')}, {names(self.columns, 't')}, {names(self.columns, 'w')} "
            f"FROM {self.target.sql} AS t JOIN {self.want} AS w ON {equal(self.key, 't', 'w')} "
            f"WHERE {self.differs('t', 'w')}"
        )

    def keep_values(self, rows: str) -> str:
        """Keep rows of the key, old and new values.

        The old value is the last that the application wrote: where the value that is overwritten is what was
        written here before, the one that is kept already.
        """
        old = [f"o{c.number}" for c in self.columns]
        new = [f"n{c.number}" for c in self.columns]
        renewed = [f"{name} = excluded.{name}" for name in new]
        renewed += [
            f"{o} = CASE WHEN pg_catalog.record_image_ne(ROW(b.{n}), ROW(excluded.{o})) "
            f"THEN excluded.{o} ELSE b.{o} END"
            for o, n in zip(old, new, strict=True)
        ]
        return (
            f"INSERT INTO {self.before} AS b ({names(self.key)}, {', '.join(old + new)}) {rows} "
            f"ON CONFLICT ({names(self.key)}) DO UPDATE SET {', '.join(renewed)}"
        )

    def restore_before(self) -> str:
        """Put the old values back."""
        assignments = ", ".join(f"{c.sql} = b.o{c.number}" for c in self.columns)
        return (
            f"UPDATE {self.target.sql} AS t SET {assignments} FROM {self.before} AS b WHERE {equal(self.key, 't', 'b')}"
        )

    def changed_since(self) -> str:
        """Count the rows whose values are no longer what the transform wrote."""
        wrote = ", ".join(f"b.n{c.number}" for c in self.columns)
        held = ", ".join(f"t.{c.sql}::{c.plain_type}" for c in self.columns)
        return (
            f"SELECT count(*) FROM {self.target.sql} AS t JOIN {self.before} AS b ON {equal(self.key, 't', 'b')} "
            f"WHERE pg_catalog.record_image_ne(ROW({held}), ROW({wrote}))"
        )

    def update_changed(self) -> str:
        """Change rows that differ."""
        assignments = ", ".join(f"{c.sql} = w.{c.sql}" for c in self.shown)
        return (
            f"UPDATE {self.target.sql} AS t SET {assignments} FROM {self.want} AS w "
            f"WHERE {equal(self.key, 't', 'w')} AND {self.differs('t', 'w')}"
        )

    def replace_changed(self) -> str:
        """Take rows that differ out and put them back as wanted, with the other columns as they were.

        They are sorted in between, so that the last one is out before the first one is put back.
        """
        decided = {c.name for c in self.compiled[0].outputs}
        kept = [c for c in self.target.columns if not c.generated]
        values = ", ".join(f"{'w' if c.name in decided else 'g'}.{c.sql}" for c in kept)
        return (
            f"WITH g AS (DELETE FROM {self.target.sql} AS t USING {self.want} AS w "
            f"WHERE {equal(self.key, 't', 'w')} AND {self.differs('t', 'w')} RETURNING t.*) "
            f"INSERT INTO {self.target.sql} ({names(kept)}) OVERRIDING SYSTEM VALUE SELECT {values} "
            f"FROM g JOIN {self.want} AS w ON {equal(self.key, 'g', 'w')} ORDER BY {names(self.key, 'g')}"
        )

    def insert_absent(self) -> str:
        """Add rows that are missing, sorted by key; in the order of the keys no two sessions deadlock."""
        columns, values = self.insert_lists("w")
        return (
            f"INSERT INTO {self.target.sql} ({columns}) SELECT {values} FROM {self.want} AS w "
            f"WHERE NOT EXISTS (SELECT FROM {self.target.sql} AS t WHERE {equal(self.key, 't', 'w')}) "
            f"ORDER BY {names(self.key, 'w')} ON CONFLICT ({names(self.key)}) DO NOTHING"
        )

    def insert_lists(self, alias: str) -> tuple[str, str]:
        """Columns and values of an insert: what is yielded, and what is set when a row is made."""
        on_insert = self.compiled[0].definition.on_insert
        columns = ", ".join([c.sql for c in self.compiled[0].outputs] + [quote(name) for name in on_insert])
        values = [f"{alias}.{c.sql}" for c in self.compiled[0].outputs]
        return columns, ", ".join(values + [f"({text}\n)" for text in on_insert.values()])

    def forget_born(self, active: str) -> str:
        """A key that a mapping yields is not born in the new model."""
        return (
            f"DELETE FROM {self.born} AS b USING {active} AS c WHERE {equal(self.key, 'b', 'c')} "
            f"AND EXISTS (SELECT FROM {self.want} AS w WHERE {equal(self.key, 'w', 'c')})"
        )


def _bare(table: str) -> str:
    return table.removeprefix("pg_temp.")


def key_json(key: Sequence[Column], alias: str) -> str:
    """A key as a JSON object."""
    pairs = ", ".join(f"'{c.name.replace(chr(39), chr(39) * 2)}', {alias}.{c.sql}::text" for c in key)
    return f"pg_catalog.jsonb_build_object({pairs})"
