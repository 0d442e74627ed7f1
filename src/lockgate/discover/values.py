"""What the values of columns tell: formats that are broken, columns without any value, NULLs that nobody needs."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from lockgate.discover import names
from lockgate.discover.finding import Finding, Mend
from lockgate.discover.formats import BLANK, Format, evident
from lockgate.discover.indexes import free_name
from lockgate.discover.profile import Counted, Profile, as_text, is_text
from lockgate.discover.survey import Survey, Table
from lockgate.safety.finding import Severity
from lockgate.safety.probes.asking import source
from lockgate.safety.records import Column
from lockgate.sql.ddl import ident

_ENOUGH = 20  # values from which on most of them tell what all should be
_ROWS = 100  # rows from which on it is telling that none has a value
_BIG = 10_000  # rows from which on a NULL that is not needed is worth a word
_INTERNATIONAL = 0.9  # how many must have the format where a country stands beside it
_NEEDED = frozenset({"created_at", "updated_at", "created_on", "inserted_at", "status", "type", "kind", "quantity"})
_BY_COUNTRY = frozenset({"cep", "cep-dash", "zip", "uf", "us-state", "phone-digits"})


def again(survey: Survey, table: Table, profile: Profile) -> list[Counted]:
    """What is to be counted in all rows, after a sample was looked at."""
    wanted: list[Counted] = []
    for column in table.columns:
        if not column.not_null:
            wanted.append(Counted(column, None))
        chosen = evident_format(survey, table, column, profile)
        if chosen is not None:
            wanted += [Counted(column, None), Counted(column, BLANK), Counted(column, chosen)]
    return list(dict.fromkeys(wanted))


def evident_format(survey: Survey, table: Table, column: Column, profile: Profile) -> Format | None:
    """The format that the values of a column evidently have."""
    counts, of = profile.formats.get(column.name), _given(profile, column)
    if not counts or of < _ENOUGH:
        return None
    found = evident(counts, of)
    if found is not None and found.name in _BY_COUNTRY and _several_countries(table):
        return found if counts[found] >= _INTERNATIONAL * of else None
    return found


def _given(profile: Profile, column: Column) -> int:
    """How many values there are that are not empty."""
    return profile.values.get(column.name, 0) - profile.blanks.get(column.name, 0)


def _several_countries(table: Table) -> bool:
    return any(names.plain(column.name).startswith(("country", "pais")) for column in table.columns)


def found(survey: Survey, table: Table, sample: Profile, exact: Profile | None) -> Iterator[Finding]:
    """All of it, of one table.

    :param sample: the first look; ``exact`` the second, None if there was none or it was not needed.
    """
    best = sample if sample.exact else exact
    for column in table.columns:
        yield from _format(survey, table, column, sample, best)
    if best is not None:
        yield from _empty(survey, table, best)
        yield from _needless(survey, table, best)


def _format(survey: Survey, table: Table, column: Column, sample: Profile, best: Profile | None) -> Iterator[Finding]:
    chosen = evident_format(survey, table, column, sample)
    if chosen is None:
        return
    known = best or sample
    of, blanks = _given(known, column), known.blanks[column.name]
    broken = of - known.formats[column.name][chosen]
    text = as_text(sql.Identifier(column.name))
    condition = sql.SQL("NOT ({})").format(chosen.holds(text))
    if blanks:
        condition = sql.SQL("{} <> '' AND {}").format(text, condition)
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(source(table.relation), condition)
    if broken:
        total, basis = broken, "all rows were counted"
        if best is None:
            total = round(broken * table.rows / max(1, sample.rows))
            basis = f"a sample of {sample.rows:,} rows"
            of = round(of * table.rows / max(1, sample.rows))
        said = f"{'About ' if best is None else ''}{total:,} of {of:,} values of {table.label}.{column.name}"
        yield Finding(
            "DB501",
            table.label,
            (column.name,),
            f"{said} are not what the others are: {chosen.said}.",
            survey.text(query),
            _checking(survey, table, column, chosen, blanks=bool(blanks)),
            count=total,
            of=of,
            exact=best is not None,
            basis=basis,
            examples=survey.keys(table, condition, [column.name]),
        )
    elif chosen.instead and best is not None and not names.of_another_system(names.referred(column.name) or ""):
        yield Finding(
            "DB504",
            table.label,
            (column.name,),
            f"All {of:,} values of {table.label}.{column.name} are {chosen.said}, and its type is {column.type_name}.",
            survey.text(query),
            Mend(f"Give it type {chosen.instead}: a new column, filled by a transform, and a cutover."),
            count=of,
            of=of,
            basis="all rows were counted",
        )


def _checking(survey: Survey, table: Table, column: Column, chosen: Format, *, blanks: bool) -> Mend:
    name = free_name(survey, table, (column.name,), "check")
    text = ident(column.name) if is_plain(column) else f"({ident(column.name)})::text"
    check = f"{text} = '' OR {chosen.check(text)}" if blanks else chosen.check(text)
    statement = f"ALTER TABLE {table.sql} ADD CONSTRAINT {ident(name)} CHECK ({check});"
    return Mend(
        f"Mend the values, then let a CHECK keep it so: {statement}",
        constraint=statement,
        first=f"the values of {table.label}.{column.name} that break it have to be mended, or set to NULL",
    )


def is_plain(column: Column) -> bool:
    """Whether its type is the server's own for texts of any length."""
    return column.type_name == "text" or column.type_name.startswith("character varying")


def _empty(survey: Survey, table: Table, best: Profile) -> Iterator[Finding]:
    if best.rows < _ROWS:
        return
    for column in table.columns:
        if best.values.get(column.name) != 0 or column.generated or names.comes_later(column.name):
            continue
        query = sql.SQL("SELECT count({}) FROM {}").format(sql.Identifier(column.name), source(table.relation))
        yield Finding(
            "DB502",
            table.label,
            (column.name,),
            f"None of the {best.rows:,} rows of {table.label} has a value in {column.name}.",
            survey.text(query),
            Mend("Fill it with a transform if it is needed; else a plan drops it when nothing uses it."),
            count=0,
            of=best.rows,
            basis="all rows were counted",
        )


def _needless(survey: Survey, table: Table, best: Profile) -> Iterator[Finding]:
    """One finding a table, because it is about the table's definition."""
    if best.rows < _BIG:
        return
    found_ = [
        column.name
        for column in table.columns
        if not column.not_null
        and not column.generated
        and best.values.get(column.name) == best.rows
        and _is_needed(survey, table, column)
    ]
    if not found_:
        return
    counts = sql.SQL(", ").join(sql.SQL("count(*) - count({})").format(sql.Identifier(name)) for name in found_)
    alters = "\n".join(f"ALTER TABLE {table.sql} ALTER COLUMN {ident(name)} SET NOT NULL;" for name in found_)
    yield Finding(
        "DB503",
        table.label,
        tuple(found_),
        f"All {best.rows:,} rows of {table.label} have a value in {', '.join(found_)}, and NULL is allowed.",
        survey.text(sql.SQL("SELECT {} FROM {}").format(counts, source(table.relation))),
        Mend(f"If each row needs one: {alters}", constraint=alters, first="the application must always give one"),
        count=0,
        of=best.rows,
        basis="all rows were counted",
        severity=Severity.LOW,
    )


def _is_needed(survey: Survey, table: Table, column: Column) -> bool:
    if names.plain(column.name) in _NEEDED:
        return True
    keys = [each for each in survey.facts.constraints_of(table.relation.oid) if each.type == "f"]
    if any(each.columns == (column.number,) for each in keys):
        return names.belongs_to(table.name, [names.referred(column.name) or ""]) is not None
    return is_text(survey, column) and names.is_key(column.name, table.name)
