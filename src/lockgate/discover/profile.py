"""What one scan of a table tells of its columns: how many values they have, and of which formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg import sql

from lockgate.discover.formats import BLANK, Format, suggested
from lockgate.discover.survey import Survey, Table
from lockgate.safety.probes.asking import source
from lockgate.safety.records import Column

_TEXTS = frozenset({"text", "varchar", "bpchar", "citext"})
_WHOLE = 8 * 1024**2  # bytes up to which a table is read as a whole at once
SAMPLED = 2 * 1024**2  # bytes that a sample of a larger one is about as large as
_AT_ONCE = 800  # outputs of one query


@dataclass(slots=True)
class Profile:
    """What was counted of a table.

    :ivar rows: how many rows were looked at; ``exact`` if these are all.
    :ivar values: of each column, how many rows have a value.
    :ivar formats: of each text column, how many values have a format; ``blanks`` how many are empty.
    :ivar query: the first of the queries that counted.
    """

    rows: int = 0
    exact: bool = False
    values: dict[str, int] = field(default_factory=dict)
    formats: dict[str, dict[Format, int]] = field(default_factory=dict)
    blanks: dict[str, int] = field(default_factory=dict)
    query: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """One thing that is counted in the scan."""

    column: Column
    format: Format | None

    @property
    def sql(self) -> sql.Composable:
        """The output that counts it."""
        name = sql.Identifier(self.column.name)
        if self.format is None:
            return sql.SQL("count({})").format(name)
        return sql.SQL("count(*) FILTER (WHERE {})").format(self.format.holds(as_text(name)))


def as_text(column: sql.Composable) -> sql.Composable:
    """A column of any kind of text as the type that regular expressions are for."""
    return sql.SQL("{}::text").format(column)


def is_text(survey: Survey, column: Column) -> bool:
    """Whether a column holds texts."""
    known = survey.facts.types.get(survey.facts.base_type(column.type))
    return known is not None and known.name in _TEXTS


def all_of(survey: Survey, table: Table) -> list[Counted]:
    """All that may be worth counting."""
    wanted = []
    for column in table.columns:
        wanted.append(Counted(column, None))
        if is_text(survey, column):
            wanted += [Counted(column, each) for each in (BLANK, *suggested(column.name))]
    return wanted


def sample_of(table: Table) -> sql.Composed:
    """What stands in FROM so that about 8 MB are read: the whole table if it is no larger."""
    size = table.measured.heap
    if size <= _WHOLE:
        return source(table.relation)
    return source(table.relation, "", 100 * SAMPLED / size)


def is_whole(table: Table) -> bool:
    """Whether ``sample_of`` is the whole table."""
    return table.measured.heap <= _WHOLE


def first_look(survey: Survey, table: Table) -> Profile:
    """Count all that may be worth it, in a sample where the table is large.

    :raises Unread: when the table cannot be read.
    """
    return count(survey, table, all_of(survey, table), sample_of(table), exact=is_whole(table))


def count(survey: Survey, table: Table, wanted: Sequence[Counted], rows: sql.Composable, *, exact: bool) -> Profile:
    """Count things in one scan (in more, where they are very many).

    :raises Unread: when the table cannot be read.
    """
    found = Profile(exact=exact)
    for start in range(0, max(1, len(wanted)), _AT_ONCE):
        asked = wanted[start : start + _AT_ONCE]
        outputs = sql.SQL(", ").join([sql.SQL("count(*)"), *(each.sql for each in asked)])
        query = sql.SQL("SELECT {} FROM {}").format(outputs, rows)
        [(total, *counts)] = survey.ask(query, [table.relation], [each.column.name for each in asked])
        found.rows = total
        found.query = found.query or survey.text(query)
        for each, number in zip(asked, counts, strict=True):
            if each.format is None:
                found.values[each.column.name] = number
            elif each.format is BLANK:
                found.blanks[each.column.name] = number
            else:
                found.formats.setdefault(each.column.name, {})[each.format] = number
    return found


def whole(survey: Survey, table: Table, wanted: Sequence[Counted]) -> Profile:
    """Count things in all rows.

    :raises Unread: when that takes too long.
    """
    return count(survey, table, wanted, source(table.relation), exact=True)
