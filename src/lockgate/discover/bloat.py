"""How much larger a table is than its rows need.

What they need is found by putting rows of the table, as large as they are, one after the other into pages as the server
does: what is lost to alignment, or because no second row fits a page, is needed. What is kept outside of the rows
(TOAST) is left out on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from lockgate.discover.finding import Finding, Mend
from lockgate.discover.profile import is_whole, sample_of
from lockgate.discover.survey import Survey, Table, Unread
from lockgate.safety.database import amount
from lockgate.safety.finding import Severity
from lockgate.safety.probes.asking import source

_WORTH = 1024**2  # bytes too many from which on it is worth a word
_SHARE = 0.4  # of the table; what updates leave behind between two vacuums is less
_MUCH = 64 * 1024**2
_SAMPLED = 20_000  # rows
_ALL = 2_000_000  # rows, where it has to be exact
_PAGE_HEAD, _POINTER, _ALIGNED = 24, 4, 8
_OUTSIDE = 18  # bytes of what stands in the row for a value that is kept outside of it
_INSIDE = 2032  # bytes of a row that has such values, at most
_CHUNKS_ARE_TOLD = 170_000
ROW = "lockgate_row"


@dataclass(frozen=True, slots=True)
class Need:
    """What the rows of a table need.

    :param size: in bytes, whole pages.
    :param rows: how many rows were measured.
    """

    size: int
    rows: int
    query: sql.Composed


def found(survey: Survey, *, exact: bool) -> Iterator[Finding]:
    """Tables of which a large part holds nothing.

    :param exact: measure all rows, and let the extension pgstattuple read all pages where there is one.
    """
    [block] = survey.known("block")
    schema = next((row.schema for row in survey.known("pgstattuple")), None) if exact else None
    for table in survey.tables:
        if table.unread or table.measured.held or table.measured.heap < _WORTH:
            continue
        try:
            need = needed(survey, table, block.size, exact=exact)
        except Unread as error:
            survey.skip(f"how much space the rows of {table.label} need", error.why)
            continue
        waste = table.measured.heap - need.size
        if waste >= _WORTH and waste >= _SHARE * table.measured.heap:
            pages = _pages(survey, table, schema) if schema else ""
            yield _told(table, need, waste, survey.text(need.query), pages)


def needed(survey: Survey, table: Table, block: int, *, exact: bool) -> Need:
    """Find out what the rows need.

    :raises Unread: when they cannot be read.
    """
    most = _ALL if exact else _SAMPLED
    rows = source(table.relation) if exact or is_whole(table) else sample_of(table)
    query = sql.SQL(
        "SELECT coalesce(array_agg(size), '{{}}') FROM (SELECT {}::int AS size FROM {} LIMIT {}) AS measured"
    ).format(_size(survey, table), _aliased(rows, table, sampled=not (exact or is_whole(table))), sql.Literal(most))
    [(sizes,)] = survey.ask(query, [table.relation], [column.name for column in table.columns])
    if not sizes:
        return Need(0 if table.counted and not table.rows else block, 0, query)
    pages = packed(sizes, block, table.measured.fillfactor)
    return Need(round(pages * table.rows / len(sizes)) * block, len(sizes), query)


def packed(sizes: Sequence[int], block: int = 8192, fillfactor: int = 100) -> float:
    """How many pages rows need that are put in one after the other; the last one counts as far as it is filled.

    :param sizes: in bytes, with their heads.
    """
    spare = block * (100 - fillfactor) // 100
    room = block - _PAGE_HEAD
    pages, free = 0, 0
    for size in sizes:
        takes = -(-size // _ALIGNED) * _ALIGNED + _POINTER
        if not pages or takes + spare > free:
            pages, free = pages + 1, room
        free -= takes
    return pages - max(0, free - spare) / room if pages else 0.0


def _aliased(rows: sql.Composed, table: Table, *, sampled: bool) -> sql.Composed:
    alias = source(table.relation, ROW)
    if not sampled:
        return alias
    tail = rows.as_string(None).partition(" TABLESAMPLE ")[2]
    return sql.Composed([alias, sql.SQL(" TABLESAMPLE "), sql.SQL(tail)])


def _size(survey: Survey, table: Table) -> sql.Composable:
    """The bytes of a row, without what is kept outside of it."""
    whole = sql.SQL("pg_catalog.pg_column_size({}.*)").format(sql.Identifier(ROW))
    if not table.measured.toast:
        return whole
    outside = {row.name for row in survey.known("storage", oid=table.relation.oid) if row.outside}
    inside = [sql.Identifier(ROW, column.name) for column in table.columns if column.name not in outside]
    parts: list[sql.Composable] = [sql.SQL("pg_catalog.pg_column_size(ROW({}))").format(sql.SQL(", ").join(inside))]
    for name in (column.name for column in table.columns if column.name in outside):
        value = sql.Identifier(ROW, name)
        size = sql.SQL("pg_catalog.pg_column_size({})").format(value)
        kept = sql.SQL("{} > {}").format(size, sql.Literal(_INSIDE))
        if survey.facts.version >= _CHUNKS_ARE_TOLD:
            kept = sql.SQL("pg_catalog.pg_column_toast_chunk_id({}) IS NOT NULL").format(value)
        parts.append(sql.SQL("coalesce(CASE WHEN {} THEN {} ELSE {} END, 0)").format(kept, sql.Literal(_OUTSIDE), size))
    return sql.SQL("least({}, {})").format(sql.SQL(" + ").join(parts), sql.Literal(_INSIDE))


def _told(table: Table, need: Need, waste: int, query: str, pages: str) -> Finding:
    heap = table.measured.heap
    dead = f" About {table.measured.dead:,} dead rows wait for vacuum." if table.measured.dead else ""
    known = table.counted and need.rows >= table.rows
    return Finding(
        "DB111",
        table.label,
        (),
        f"{table.label} takes {amount(heap)}, and its {table.rows:,} rows need about {amount(need.size)}: "
        f"{waste / heap:.0%} "
        f"hold nothing.{dead}{pages}",
        query,
        Mend(
            f"Rewrite it while it is used: a step `rewrite` with `table: {table.label}`, and `close` when the table of "
            "before may go; there must be room for both until then. VACUUM only stops its growth."
        ),
        count=waste,
        of=heap,
        exact=known,
        basis="all rows were measured" if known else f"{need.rows:,} rows were measured",
        severity=Severity.MEDIUM if waste >= _MUCH or waste >= 0.5 * heap else Severity.LOW,
    )


def _pages(survey: Survey, table: Table, schema: str) -> str:
    """What pgstattuple says of all pages."""
    parts = [part for part in survey.facts.family(table.relation) if part.kind == "r"]
    dead = free = 0
    for part in parts:
        query = sql.SQL("SELECT dead_tuple_len, free_space FROM {}({}::regclass)").format(
            sql.Identifier(schema, "pgstattuple"), sql.Literal(part.sql)
        )
        try:
            [(dead_here, free_here)] = survey.ask(query)
        except Unread as error:
            survey.skip(f"the pages of {part.label} with pgstattuple", error.why)
            return ""
        dead, free = dead + dead_here, free + free_here
    return f" pgstattuple: {amount(dead)} of dead rows, {amount(free)} free."
