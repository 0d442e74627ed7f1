"""The SQL that evaluates keys: what a target's mappings say about them, and how the table is made equal to it."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.catalog.relations import Column
from lockgate.mapping.compiled import Compiled, differ, equal, names, names_as_held
from lockgate.mapping.kept import Kept
from lockgate.sql.tree import literal, quote


def desired(compiled: Sequence[Compiled], yields: Sequence[str] | None = None) -> str:
    """The rows that the target should hold, one a key, by the mappings in their order of priority.

    :param yields: a relation for each mapping that holds (some of) its yields; None: they are evaluated.
    """
    key = names(compiled[0].key, "y")
    sources = yields or [f"({mapping.yields()})" for mapping in compiled]
    return _first_of(compiled, sources, key)


def evaluated(compiled: Sequence[Compiled], candidates: str, *, apart: bool = False) -> str:
    """The rows that the target should hold for some keys, each with the number of its key.

    Few rows are sorted and joined by a number far faster than by a key of several columns, and the planner knows
    how many rows of equal number there are; of several columns it only multiplies the guesses.

    :param candidates: a relation of the keys, numbered; no key twice.
    :param apart: whether the key is made of yielded rows only, as of ``Compiled.apart``: then no index finds them.
    """
    sources = [
        f"(SELECT c.lockgate_n, y.* FROM {candidates} AS c "
        f"JOIN ({mapping.apart(mapping.yields()) if apart else mapping.yields()}) AS y "
        f"ON {equal(mapping.key, 'y', 'c')})"
        for mapping in compiled
    ]
    return _first_of(compiled, sources, "y.lockgate_n", "y.lockgate_n, ")


def _first_of(compiled: Sequence[Compiled], sources: Sequence[str], key: str, more: str = "") -> str:
    """The first row of each key, by the order inside each mapping and then by the order of the mappings."""
    outputs = names(compiled[0].outputs, "y")
    yielded = ", ".join(filter(None, (names_as_held(compiled[0].key, "y"), names(compiled[0].columns, "y"))))
    parts = [
        f"SELECT DISTINCT ON ({key}) {more}{yielded}, {number} AS lockgate_prio FROM {source} AS y "
        f"WHERE {mapping.not_null('y')} ORDER BY {key}, {mapping.order('y')}"
        for number, (mapping, source) in enumerate(zip(compiled, sources, strict=True))
    ]
    if len(parts) == 1:
        return parts[0]
    union = " UNION ALL ".join(f"({part})" for part in parts)
    return (
        f"SELECT DISTINCT ON ({key}) {more}{outputs}, y.lockgate_prio FROM ({union}) AS y "
        f"ORDER BY {key}, y.lockgate_prio"
    )


# Stands for the keys while the SELECT is written; their numbers change with each batch.
_HOLE = 'lockgate."keys of the batch"'


class Evaluation(Kept):
    """The statements that make a target equal to its mappings for some keys.

    They work on temporary tables: ``candidates`` (keys, numbered), ``want`` (the desired rows, with the numbers of
    their keys) and ``own`` (keys that the application wrote in the target).

    :param target_id: number of the target in the ledger; it names the temporary tables.
    """

    def __init__(self, target_id: int, compiled: Sequence[Compiled]) -> None:
        first = compiled[0]
        stored = [column for column in first.target.columns if not column.generated]
        super().__init__(target_id, first.target, first.key, first.columns, stored)
        self.compiled = tuple(compiled)
        self.updates_only = compiled[0].definition.updates_only
        self.shown = self.columns if self.updates_only else compiled[0].shown
        self.candidates = f"pg_temp.lockgate_cand_{target_id}"
        self.want = f"pg_temp.lockgate_want_{target_id}"
        self.own = f"pg_temp.lockgate_own_{target_id}"
        self.keeps_before = compiled[0].definition.keep_before
        self._evaluated: dict[bool, str] = {}

    def create_tables(self) -> list[str]:
        """Statements that make the temporary tables, once a session."""
        key = ", ".join(f"{c.sql} {c.plain_type}" for c in self.key)
        everything = ", ".join(f"{c.sql} {c.type}" for c in self.compiled[0].outputs)
        end = "ON COMMIT DELETE ROWS"
        return [
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {_bare(self.candidates)} (lockgate_n bigserial, {key}) {end}",
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {_bare(self.want)} "
            f"(lockgate_n bigint, {everything}, lockgate_prio integer) {end}",
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {_bare(self.own)} ({key}) {end}",
        ]

    def active(self, low: int, high: int) -> str:
        """The candidates with numbers from ``low`` to below ``high``."""
        return f"(SELECT * FROM {self.candidates} WHERE lockgate_n >= {low} AND lockgate_n < {high} LIMIT {high - low})"

    def chosen(self, numbers: Sequence[int]) -> str:
        """The candidates with these numbers."""
        listed = ", ".join(str(number) for number in numbers)
        return f"(SELECT * FROM {self.candidates} WHERE lockgate_n IN ({listed}))"

    def fill_want(self, active: str, *, apart: bool = False) -> str:
        """Evaluate the active keys."""
        if apart not in self._evaluated:
            self._evaluated[apart] = evaluated(self.compiled, _HOLE, apart=apart)
        rows = self._evaluated[apart].replace(_HOLE, active)
        return f"INSERT INTO {self.want} (lockgate_n, {names(self.compiled[0].outputs)}, lockgate_prio) {rows}"

    def delete_stale(self, active: str, want: str) -> str:
        """Remove rows that no mapping yields any more, except those born in the new model."""
        return (
            f"WITH g AS MATERIALIZED (SELECT {names(self.key, 'c')} FROM {active} AS c "
            f"WHERE NOT EXISTS (SELECT FROM {want} AS w WHERE w.lockgate_n = c.lockgate_n) "
            f"AND NOT EXISTS (SELECT FROM {self.born} AS b WHERE {equal(self.key, 'b', 'c')})) "
            f"DELETE FROM {self.target.sql} AS t USING g WHERE {equal(self.key, 't', 'g')}"
        )

    def differs(self, left: str, right: str) -> str:
        """The condition that two rows differ in a column that the mappings decide."""
        return differ(self.shown, left, right)

    def keep_before(self, want: str) -> str:
        """Keep the values that are about to be changed, and the new ones."""
        return self.keep_values(
            f"SELECT {names(self.key, 't')}, {names(self.columns, 't')}, {names(self.columns, 'w')} "
            f"FROM {self.target.sql} AS t JOIN {want} AS w ON {equal(self.key, 't', 'w')} "
            f"WHERE {self.differs('t', 'w')}"
        )

    def keep_values(self, rows: str) -> str:
        """Keep rows of the key, old and new values.

        The old value is the last that the application wrote: where the value that is overwritten is what was
        written here before, the one that is kept already.
        """
        old = [f"lockgate_o{c.number}" for c in self.columns]
        new = [f"lockgate_n{c.number}" for c in self.columns]
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

    def update_changed(self, want: str) -> str:
        """Change rows that differ."""
        assignments = ", ".join(f"{c.sql} = w.{c.sql}" for c in self.shown)
        return (
            f"UPDATE {self.target.sql} AS t SET {assignments} FROM {want} AS w "
            f"WHERE {equal(self.key, 't', 'w')} AND {self.differs('t', 'w')}"
        )

    def replace_changed(self, want: str) -> str:
        """Take rows that differ out and put them back as wanted, with the other columns as they were.

        They are sorted in between, so that the last one is out before the first one is put back.
        """
        decided = {c.name for c in self.compiled[0].outputs}
        kept = [c for c in self.target.columns if not c.generated]
        values = ", ".join(f"{'w' if c.name in decided else 'g'}.{c.sql}" for c in kept)
        return (
            f"WITH g AS (DELETE FROM {self.target.sql} AS t USING {want} AS w "
            f"WHERE {equal(self.key, 't', 'w')} AND {self.differs('t', 'w')} RETURNING t.*) "
            f"INSERT INTO {self.target.sql} ({names(kept)}) OVERRIDING SYSTEM VALUE SELECT {values} "
            f"FROM g JOIN {want} AS w ON {equal(self.key, 'g', 'w')} ORDER BY {names(self.key, 'g')}"
        )

    def insert_absent(self, want: str) -> str:
        """Add rows that are missing, sorted by key; in the order of the keys no two sessions deadlock."""
        columns, values = self.insert_lists("w")
        return (
            f"INSERT INTO {self.target.sql} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {want} AS w "
            f"WHERE NOT EXISTS (SELECT FROM {self.target.sql} AS t WHERE {equal(self.key, 't', 'w')}) "
            f"ORDER BY {names(self.key, 'w')} ON CONFLICT ({names(self.key)}) DO NOTHING"
        )

    def insert_lists(self, alias: str) -> tuple[str, str]:
        """Columns and values of an insert: what is yielded, and what is set when a row is made."""
        on_insert = self.compiled[0].definition.on_insert
        columns = ", ".join([c.sql for c in self.compiled[0].outputs] + [quote(name) for name in on_insert])
        values = [f"{alias}.{c.sql}" for c in self.compiled[0].outputs]
        return columns, ", ".join(values + [f"({text}\n)" for text in on_insert.values()])

    def list_conflicts(self, want: str) -> str:
        """List the keys that the application wrote in the new model and that are about to become what the old one says.

        Also those that it only had there, before the old one came to yield them.
        """
        written = " UNION ".join(
            f"SELECT {key_json(self.key, 'w')} FROM {want} AS w JOIN {table} AS o ON {equal(self.key, 'o', 'w')} "
            f"LEFT JOIN {self.target.sql} AS t ON {equal(self.key, 't', 'w')} "
            f"WHERE t.{self.key[0].sql} IS NOT DISTINCT FROM NULL OR {self.differs('t', 'w')}"
            for table in (self.own, self.born)
        )
        return (
            f"INSERT INTO lockgate.conflicts AS f (target_id, key) SELECT {self.target_id}, o.key "
            f"FROM ({written} ORDER BY 1) AS o (key) ON CONFLICT (target_id, key) DO UPDATE SET times = f.times + 1, "
            "last_at = pg_catalog.clock_timestamp()"
        )

    def forget_born(self, want: str) -> str:
        """A key that a mapping yields is not born in the new model; the row that is about to be replaced is kept."""
        listed = ", ".join(literal(c.name) for c in self.stored)
        values = ", ".join(f"t.{c.sql}::text" for c in self.stored)
        return (
            f"WITH g AS (DELETE FROM {self.born} AS b USING {want} AS w WHERE {equal(self.key, 'b', 'w')} "
            f"RETURNING {names(self.key, 'b')}) INSERT INTO {self.replaced} ({names(self.key)}, lockgate_image) "
            f"SELECT {names(self.key, 't')}, pg_catalog.jsonb_object(ARRAY[{listed}], ARRAY[{values}]) "
            f"FROM {self.target.sql} AS t JOIN g ON {equal(self.key, 't', 'g')} "
            f"ON CONFLICT ({names(self.key)}) DO UPDATE SET lockgate_image = excluded.lockgate_image"
        )

    def forget_replaced(self) -> str:
        """A row that the application itself has removed since is not put back."""
        return (
            f"DELETE FROM {self.replaced} AS r USING {self.own} AS o WHERE {equal(self.key, 'r', 'o')} "
            f"AND NOT EXISTS (SELECT FROM {self.target.sql} AS t WHERE {equal(self.key, 't', 'r')})"
        )

    def keep_once(self) -> str:
        """Leave each candidate once, under its first number."""
        first = f"SELECT min(lockgate_n) FROM {self.candidates} GROUP BY {names(self.key)}"
        return f"DELETE FROM {self.candidates} WHERE lockgate_n NOT IN ({first})"

    def put_off(self, recheck: str, number: int, fences: Sequence[str]) -> list[str]:
        """Leave candidates from a number on to later batches, which find them in the table of keys to look at again."""
        key = names(self.key)
        rest = f"FROM {self.candidates} WHERE lockgate_n >= {number}"
        into = f"INSERT INTO {recheck} ({key}, lockgate_fence)"
        keep = [f"{into} SELECT {key}, '{fence}'::xid8 {rest}" for fence in fences]
        return [*keep, f"DELETE {rest}"]


def _bare(table: str) -> str:
    return table.removeprefix("pg_temp.")


def key_json(key: Sequence[Column], alias: str) -> str:
    """A key as a JSON object."""
    pairs = ", ".join(f"'{c.name.replace(chr(39), chr(39) * 2)}', {alias}.{c.sql}::text" for c in key)
    return f"pg_catalog.jsonb_build_object({pairs})"
