"""From logged changes to the keys that they may touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lockgate.catalog.relations import Column
from lockgate.mapping.changelog import SEGMENTS, ChangeLog
from lockgate.mapping.compiled import Base, Compiled, names, names_as_held


@dataclass(frozen=True, slots=True)
class Window:
    """Which logged rows are meant: those that became visible between two snapshots.

    :param since: text of the ``pg_snapshot`` that was already taken in.
    :param taken: text of the later one, None for the present.
    :param place: a segment and its blocks from, to (exclusive); None: both segments whole.
    :param transactions: only what these have logged; None: whoever has.
    """

    since: str
    taken: str | None = None
    place: tuple[str, int, int] | None = None
    transactions: tuple[int, ...] | None = None

    def condition(self) -> str:
        """SQL over the columns of a segment."""
        parts = [
            f"xid >= pg_catalog.pg_snapshot_xmin('{self.since}'::pg_snapshot)",
            f"NOT pg_catalog.pg_visible_in_snapshot(xid, '{self.since}'::pg_snapshot)",
        ]
        if self.taken is not None:
            parts.append(f"pg_catalog.pg_visible_in_snapshot(xid, '{self.taken}'::pg_snapshot)")
        if self.place is not None:
            _, low, high = self.place
            parts.append(f"ctid >= '({low},0)'::tid AND ctid < '({high},0)'::tid")
        if self.transactions is not None:
            parts.append(f"xid = ANY ('{{{', '.join(map(str, self.transactions))}}}'::xid8[])")
        return " AND ".join(parts)

    def rows(self, log: ChangeLog, columns: str) -> str:
        """A query of the logged rows."""
        segments = [self.place[0]] if self.place else SEGMENTS
        return " UNION ALL ".join(
            f"SELECT {columns} FROM {log.table(segment)} WHERE {self.condition()}" for segment in segments
        )

    def newest(self, log: ChangeLog, limit: int) -> str:
        """A query of the newest transactions that have logged no more than ``limit`` rows between them.

        One that alone has logged more is left out, whatever its age.
        """
        return (
            "SELECT xid::text::bigint FROM (SELECT xid, sum(count(*)) OVER (ORDER BY xid DESC) AS rows "
            f"FROM ({self.rows(log, 'xid')}) AS r GROUP BY xid HAVING count(*) <= {limit}) AS t WHERE rows <= {limit}"
        )


@dataclass(slots=True)
class Images:
    """The temporary table of one log's images: old and new versions of changed rows.

    :param base: the relation and the columns that the mappings of this target read of it.
    """

    log: ChangeLog
    base: Base
    target_id: int

    @property
    def table(self) -> str:
        """The images of the present batch, numbered."""
        return f"pg_temp.lockgate_img_{self.target_id}_{self.log.id}"

    @property
    def others(self) -> str:
        """The images that the terms of other relations join with, where those are more than the present batch's."""
        return f"pg_temp.lockgate_oth_{self.target_id}_{self.log.id}"

    def create(self, table: str) -> str:
        """The statement that makes one of the two tables, once a session.

        Under the relation's own collations: the SELECT must understand an image as it understands the row.
        """
        columns = "".join(f", {c.sql} {c.plain_type}{c.collate}" for c in self.base.columns)
        return (
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {table.removeprefix('pg_temp.')} "
            f"(lockgate_n bigserial{columns}) ON COMMIT DELETE ROWS"
        )

    def fill(self, table: str, window: Window) -> str:
        """Copy both versions of the logged rows of a window.

        Also of updates that changed nothing which is read: the row may have moved in the heap, past a chunk.
        """
        old = ", ".join(f"o{c.number}" for c in self.base.columns)
        new = ", ".join(f"n{c.number}" for c in self.base.columns)
        listed = ", ".join(c.sql for c in self.base.columns)
        rows = window.rows(self.log, f"op{_listed(old)}{_listed(new)}")
        # Many changes of few rows make few images. Where equal is not the same, as with 1.0 and 1.00, all are kept.
        union = "UNION" if listed and all(c.exact_hash for c in self.base.columns) else "UNION ALL"
        return (
            f"WITH r AS MATERIALIZED ({rows}) INSERT INTO {table}{f' ({listed})' if listed else ''} "
            f"SELECT {old} FROM r WHERE op IN ('U', 'D') {union} SELECT {new} FROM r WHERE op IN ('U', 'I')"
        )

    def active(self, low: int, high: int) -> str:
        """A relation of the images with these numbers, in the shape of the base relation."""
        return self.shaped(f"{self.table} WHERE lockgate_n >= {low} AND lockgate_n < {high} LIMIT {high - low}")

    def shaped(self, source: str) -> str:
        """A relation of images in the shape of the base relation."""
        items = [f"({c.expression}){c.collate} AS {c.sql}" if c.generated == "v" else c.sql for c in self._readable()]
        return f"(SELECT {', '.join(items)} FROM {source}{' AS i' if source.startswith('(') else ''})"

    def united(self, table: str) -> str:
        """The base relation as it is, and as it was by the images of a table."""
        rows = self._columns()
        return f"(SELECT {rows} FROM {self.base.relation.sql} UNION ALL {self.shaped(table)[1:-1]})"

    def _columns(self) -> str:
        return ", ".join(c.sql for c in self._readable())

    def _readable(self) -> list[Column]:
        stored = {c.number for c in self.base.columns}
        return [
            c
            for c in self.base.relation.columns
            if c.number in stored or (c.generated == "v" and set(c.inputs) <= stored)
        ]


@dataclass(slots=True)
class Candidates:
    """The queries that turn images into keys, for all mappings of one target.

    :param images: log id -> its images, for every base relation.
    """

    compiled: Sequence[Compiled]
    images: Mapping[int, Images]
    table: str
    _cache: dict[tuple[int, frozenset[tuple[int, str]], bool], list[tuple[str, Compiled]]] = field(default_factory=dict)

    def insert(self, log_id: int, united: Mapping[int, str], active: str) -> str | None:
        """The statement that adds the keys which the ``active`` images of one log may touch, each once.

        A changed row is asked alone for its key where that is possible, also where the SELECT would not yield it.

        :param united: logs whose relations are read as they are and as they were, with the tables of their images.
        """
        queries = self._queries(log_id, united, active, alone=True)
        return self._into(queries) if queries else None

    def each(self, log_id: int, united: Mapping[int, str], active: str) -> list[str]:
        """The same as a statement for each query, all of them joined as the SELECT says."""
        return [self._into([query]) for query in self._queries(log_id, united, active, alone=False)]

    def _into(self, queries: Sequence[str]) -> str:
        once = " UNION ".join(queries) if len(queries) > 1 else f"SELECT DISTINCT * FROM ({queries[0]}) AS c"
        return f"INSERT INTO {self.table} ({names(self.compiled[0].key)}) {once}"

    def _queries(self, log_id: int, united: Mapping[int, str], active: str, *, alone: bool) -> list[str]:
        return [
            f"SELECT {names_as_held(mapping.key, 'y')} FROM {mapping.keyed(term.replace(_HOLE, active), 'y')}"
            for term, mapping in self._terms(log_id, united, alone)
        ]

    def meets(self, log_id: int) -> frozenset[int]:
        """The logs whose images the changes of one log meet: those of relations that are joined to find the keys."""
        tables = {other: images.others for other, images in self.images.items()}
        text = " ".join(term for term, _ in self._terms(log_id, tables, True))
        return frozenset(other for other, table in tables.items() if f"{table.removeprefix('pg_temp.')})" in text)

    def _terms(self, log_id: int, united: Mapping[int, str], alone: bool) -> list[tuple[str, Compiled]]:
        place = (log_id, frozenset(united.items()), alone)
        known = self._cache.get(place)
        if known is None:
            known = [
                (term, mapping)
                for mapping in self.compiled
                for term in self._of_mapping(mapping, log_id, united, alone)
            ]
            self._cache[place] = known
        return known

    def _of_mapping(self, mapping: Compiled, log_id: int, united: Mapping[int, str], alone: bool) -> list[str]:
        relation = self.images[log_id].base.relation.oid
        others = {
            index: self.images[other].united(table)
            for other, table in united.items()
            for base in mapping.bases
            if base.relation.oid == self.images[other].base.relation.oid
            for index in base.occurrences
        }
        terms = []
        key = [column.name for column in mapping.key]
        for base in mapping.bases:
            if base.relation.oid == relation:
                for index in base.occurrences:
                    terms += mapping.select.candidate_terms(index, _HOLE, others, key, kinds=mapping.kinds, alone=alone)
        return terms


def _listed(columns: str) -> str:
    return f", {columns}" if columns else ""


# Stands for the images while the tree is rewritten; the numbers of the images change with each batch.
_HOLE = 'lockgate."images of the batch"'
