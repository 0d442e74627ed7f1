"""Rows that are alike in what looks like a key, and keys that nothing keeps.

A key is guessed from names, and believed only if nearly all rows differ in it. Of two columns together that may be
chance, or may be so by chance alone: so it is asked how many rows would be alike if the values of the one had nothing
to do with those of the other. As many as that are no duplicates, but values that anybody may have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from lockgate.discover import names
from lockgate.discover.finding import Finding, Mend
from lockgate.discover.indexes import free_name
from lockgate.discover.keys import Candidate, candidates
from lockgate.discover.profile import is_text
from lockgate.discover.references import acknowledged, type_name
from lockgate.discover.survey import Survey, Table, Unread
from lockgate.safety.finding import Severity
from lockgate.safety.probes.asking import EXAMPLES, source
from lockgate.safety.records import Column
from lockgate.sql.ddl import ident

_FEWEST = 20  # rows below which nothing is near to a key
_NEAR = 0.05  # of the rows that may be too many, where names say that it is a key
_TELLING = 3.0  # how many times more, or fewer, than by chance tells something
_SPLIT = 16  # of a table that cannot be counted in time the keys of one in so many are looked at
_CROWD = 10  # rows with one value from which on it stands for something else than a row
_MOST = 12  # sets of columns that are tried for one table
_SURE = 100  # rows from which on a key that holds everywhere is worth a word
_OLDEST = (
    "created_at",
    "createdat",
    "inserted_at",
    "created_on",
    "created",
    "date_created",
    "added_at",
    "created_date",
)


@dataclass(frozen=True, slots=True)
class Alike:
    """How many rows are alike.

    :param rows: that have all values; ``extra`` how many too many there are, ``pairs`` of like ones.
    :param crowds: how many values very many rows have, ``crowded`` how many rows too many those are: such a value
        stands for none, as `unknown` does.
    :param part: of how many keys one was looked at; 1 for all.
    """

    rows: int
    extra: int
    pairs: int
    crowds: int
    crowded: int
    part: int
    query: sql.Composed


def found(survey: Survey) -> Iterator[Finding]:
    """All of it."""
    for table in survey.tables:
        if table.unread or table.rows < 2:
            continue
        if survey.facts.primary_key(table.relation.oid) is None and not names.is_beside(table.name):
            yield _nameless(table)
        if names.is_beside(table.name) or table.rows < _FEWEST:
            continue
        yield from _of_table(survey, table)


def _nameless(table: Table) -> Finding:
    return Finding(
        "DB204",
        table.label,
        (),
        f"{table.label} has no primary key: nothing names one of its {table.rows:,} rows, and its updates and deletes "
        "cannot "
        "be replicated by key.",
        f"SELECT conname FROM pg_constraint WHERE conrelid = '{table.sql}'::regclass AND contype = 'p'",
        Mend("Give it one, when no two rows are alike in it."),
        count=table.rows,
        exact=table.counted,
    )


def _of_table(survey: Survey, table: Table) -> Iterator[Finding]:
    settled: list[frozenset[str]] = []
    for candidate in candidates(survey, table)[:_MOST]:
        if any(known <= frozenset(candidate.names) or frozenset(candidate.names) <= known for known in settled):
            continue
        try:
            alike = count(survey, table, candidate)
            near = alike.extra <= max(1, _NEAR * alike.rows) and alike.rows >= _FEWEST
            if not near or (alike.extra and not _is_meant(survey, table, candidate, alike)):
                continue
            if alike.extra and alike.extra == alike.crowded:
                settled.append(frozenset(candidate.names))
                continue
            if len(candidate.columns) == 1 and alike.extra and _of_tenants(survey, table, candidate, alike):
                continue
        except Unread as error:
            survey.skip(f"duplicates of {table.label} ({', '.join(candidate.names)})", error.why)
            continue
        if alike.extra:
            settled.append(frozenset(candidate.names))
            yield _duplicates(survey, table, candidate, alike)
            yield from _folded(survey, table, candidate, alike)
        elif len(candidate.columns) == 1:
            settled.append(frozenset(candidate.names))
            yield from _unkept(survey, table, candidate, alike)
        elif candidate.link and candidate.child and survey.facts.primary_key(table.relation.oid) is None:
            settled.append(frozenset(candidate.names))
            yield _not_kept(survey, table, candidate, alike)


def count(survey: Survey, table: Table, candidate: Candidate) -> Alike:
    """Count rows that are alike; those of a part of the keys, where there is no time for all.

    :raises Unread: when there is no time for that either.
    """
    whole = _query(table, candidate, 1)
    try:
        return _alike(survey, table, candidate, whole, 1)
    except Unread as error:
        if error.why != "timed out":
            raise
    part = _query(table, candidate, _SPLIT)
    return _alike(survey, table, candidate, part, _SPLIT)


def _alike(survey: Survey, table: Table, candidate: Candidate, query: sql.Composed, part: int) -> Alike:
    [counts] = survey.ask(query, [table.relation], candidate.names)
    rows, extra, pairs, crowds, crowded = (number * part for number in counts)
    return Alike(rows, extra, pairs, crowds, crowded, part, query)


def _query(table: Table, candidate: Candidate, part: int) -> sql.Composed:
    crowd = sql.SQL("WHERE n > {}").format(sql.Literal(_CROWD))
    return sql.SQL(
        "SELECT coalesce(sum(n), 0)::bigint, coalesce(sum(n - 1), 0)::bigint, "
        "coalesce(sum(n * (n - 1) / 2), 0)::bigint, count(*) FILTER ({crowd}), "
        "coalesce(sum(n - 1) FILTER ({crowd}), 0)::bigint "
        "FROM (SELECT count(*) AS n FROM {rows} WHERE {where} GROUP BY {columns}) AS alike"
    ).format(crowd=crowd, rows=source(table.relation), where=_where(candidate, part), columns=_listed(candidate))


def _listed(candidate: Candidate) -> sql.Composed:
    folded = sql.SQL("lower(btrim({}::text))")
    parts = [
        folded.format(sql.Identifier(column.name)) if candidate.folds else sql.Identifier(column.name)
        for column in candidate.columns
    ]
    return sql.SQL(", ").join(parts)


def _where(candidate: Candidate, part: int) -> sql.Composed:
    conditions: list[sql.Composable] = [
        sql.SQL("{} IS NOT NULL").format(sql.Identifier(column.name)) for column in candidate.columns
    ]
    # What is left empty is no key, and no duplicate of other rows that are.
    conditions += [sql.SQL("{}::text <> ''").format(sql.Identifier(column.name)) for column in candidate.columns[-1:]]
    if part > 1:
        hashed = sql.SQL(" # ").join(
            sql.SQL("pg_catalog.hashtext({}::text)").format(sql.Identifier(name)) for name in candidate.names
        )
        conditions.append(sql.SQL("(({}) & {}) = 0").format(hashed, sql.Literal(part - 1)))
    return sql.SQL(" AND ").join(conditions)


def _is_meant(survey: Survey, table: Table, candidate: Candidate, alike: Alike) -> bool:
    """Whether the few rows that are alike are against a rule, and not what chance brings anyway."""
    if len(candidate.columns) == 1:
        return True
    expected = _by_chance(survey, table, candidate)
    if alike.pairs * _TELLING < expected:
        return True
    by_name = candidate.child and not candidate.link and names.is_value_of_child(candidate.columns[-1].name)
    more = alike.pairs > max(_TELLING * expected, 0.0)
    return more and (by_name or (candidate.link and _only_links(table, candidate)))


def _only_links(table: Table, candidate: Candidate) -> bool:
    """Whether a table seems to say only that two others belong together."""
    others = [column for column in table.columns if column.name not in candidate.names]
    return len(others) <= 4


def _by_chance(survey: Survey, table: Table, candidate: Candidate) -> float:
    """How many pairs of rows would be alike if which value a row has did not depend on whose row it is.

    :raises Unread: when that cannot be counted in time.
    """
    first, second = (sql.Identifier(name) for name in candidate.names)
    query = sql.SQL(
        "SELECT (SELECT coalesce(sum(n * (n - 1) / 2), 0)::float8 FROM (SELECT count(*) AS n FROM {rows} WHERE {where} "
        "GROUP BY {first}) AS a), "
        "(SELECT coalesce(sum(n::float8 * (n - 1)) / nullif(sum(n)::float8 * (sum(n)::float8 - 1), 0), 0) "
        "FROM (SELECT count(*) AS n FROM {rows} WHERE {where} GROUP BY {second}) AS b)"
    ).format(rows=source(table.relation), where=_where(candidate, 1), first=first, second=second)
    [(pairs, likely)] = survey.ask(query, [table.relation], candidate.names)
    return float(pairs) * float(likely)


def _of_tenants(survey: Survey, table: Table, candidate: Candidate, alike: Alike) -> bool:
    """Whether most of the rows that are alike belong to different tenants, who may have the same value each."""
    for column in table.columns:
        stem = names.referred(column.name)
        if stem is None or not names.is_tenant(stem):
            continue
        within = count(survey, table, Candidate((column, *candidate.columns)))
        if within.extra * 2 < alike.extra:
            return True
    return False


def _duplicates(survey: Survey, table: Table, candidate: Candidate, alike: Alike) -> Finding:
    listed = ", ".join(candidate.names)
    constraint = free_name(survey, table, candidate.names, "key")
    columns = ", ".join(map(ident, candidate.names))
    statement = f"ALTER TABLE {table.sql} ADD CONSTRAINT {ident(constraint)} UNIQUE ({columns});"
    about = "" if alike.part == 1 else "about "
    examples = sql.SQL("SELECT {} FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1 LIMIT {}").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in candidate.names),
        source(table.relation),
        _where(candidate, 1),
        _listed(candidate),
        sql.Literal(EXAMPLES),
    )
    return Finding(
        "DB201",
        table.label,
        candidate.names,
        f"{about}{alike.extra:,} row{'' if alike.extra == 1 else 's'} of {table.label} "
        f"{'is' if alike.extra == 1 else 'are'} too many: there is another one with the same {listed}. "
        f"{alike.rows:,} rows have a value.",
        survey.text(alike.query),
        Mend(
            f"Keep the first of each, and put the others into quarantine (the step `dedupe`); then {statement}",
            dedupe=(table.sql, tuple(map(ident, candidate.names)), tuple(map(ident, _order(survey, table)))),
            constraint=statement,
            first=_before(survey, table, candidate, alike),
        ),
        count=alike.extra,
        of=alike.rows,
        exact=alike.part == 1,
        basis=_basis(alike),
        examples=survey.shown(examples, table, candidate.names),
        severity=Severity.HIGH,
    )


def _before(survey: Survey, table: Table, candidate: Candidate, alike: Alike) -> str:
    """What has to be done before rows can be put aside; empty if nothing."""
    if survey.facts.primary_key(table.relation.oid) is None:
        return f"{table.label} needs a primary key"
    if hanging := _hanging(survey, table):
        return hanging
    try:
        [(blank,)] = survey.ask(_blank(table, candidate), [table.relation], candidate.names)
    except Unread as error:
        return f"look whether several rows have an empty {candidate.names[-1]}, which was not counted: {error.why}"
    if blank:
        return (
            f"{blank:,} row{'' if blank == 1 else 's'} more {'is' if blank == 1 else 'are'} alike in an empty "
            f"{candidate.names[-1]}, which is no value: set it to NULL there"
        )
    if alike.crowds:
        values = f"{alike.crowds:,} value{'' if alike.crowds == 1 else 's'}"
        return f"more than {_CROWD} rows each have {values}: if such a value stands for none, set it to NULL"
    return ""


def _hanging(survey: Survey, table: Table) -> str:
    """What the step `dedupe` refuses, or wants to be acknowledged."""
    facts, oid = survey.facts, table.relation.oid
    if table.relation.kind == "r" and len(list(facts.family(table.relation))) > 1:
        return f"the rows of the tables that inherit from {table.label} are rows of it, too"
    refers = facts.references_to(oid)
    if own := next((each.name for each in refers if each.relation == oid), None):
        return f"foreign key {own} of {table.label}, which refers to itself, has to go for as long"
    nameless = next((each.relation for each in refers if facts.primary_key(each.relation) is None), None)
    if nameless is not None:
        known = facts.relations.get(nameless)
        return f"{known.label if known else 'a table'}, which refers to it, needs a primary key"
    return acknowledged(survey, {oid, *(each.relation for each in refers)})


def _blank(table: Table, candidate: Candidate) -> sql.Composed:
    """How many rows are too many if those without a text are alike, as a constraint takes them."""
    given = [sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in candidate.names]
    last = sql.SQL("{}::text = ''").format(sql.Identifier(candidate.names[-1]))
    return sql.SQL(
        "SELECT coalesce(sum(n - 1), 0)::bigint FROM (SELECT count(*) AS n FROM {} WHERE {} GROUP BY {}) AS blank"
    ).format(source(table.relation), sql.SQL(" AND ").join([*given, last]), _listed(candidate))


def _order(survey: Survey, table: Table) -> tuple[str, ...]:
    """By what the oldest row is known: when it was made, then its key."""
    made = [column.name for column in table.columns if names.plain(column.name).replace("_", "") in _made_words()]
    index = survey.facts.primary_key(table.relation.oid)
    keys = survey.facts.names_of(table.relation.oid, index.sorted_by) if index is not None else ()
    order = tuple(dict.fromkeys([*made[:1], *keys]))
    return order or tuple(column.name for column in table.columns[:1])


def _made_words() -> frozenset[str]:
    return frozenset(word.replace("_", "") for word in _OLDEST)


def _unkept(survey: Survey, table: Table, candidate: Candidate, alike: Alike) -> Iterator[Finding]:
    """A key that holds: rows that differ in case only are told, else that nothing keeps it so."""
    found_ = list(_folded(survey, table, candidate, alike))
    yield from found_
    if alike.rows >= _SURE and not found_:
        yield _not_kept(survey, table, candidate, alike)


def _folded(survey: Survey, table: Table, candidate: Candidate, alike: Alike) -> Iterator[Finding]:
    """Rows that are alike besides if case does not count, of a key that is one column of text."""
    column = candidate.columns[-1]
    if len(candidate.columns) > 1 or not is_text(survey, column) or type_name(survey, column) == "citext":
        return
    try:
        folded = count(survey, table, Candidate(candidate.columns, folds=True))
    except Unread as error:
        survey.skip(f"duplicates of {table.label} ({column.name}) but for case", error.why)
        return
    more = folded.extra - alike.extra
    if 0 < more <= _NEAR * folded.rows:
        yield _case(survey, table, column, folded, more)


def _not_kept(survey: Survey, table: Table, candidate: Candidate, alike: Alike) -> Finding:
    name = ident(free_name(survey, table, candidate.names, "key"))
    columns = ", ".join(map(ident, candidate.names))
    statement = f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} UNIQUE ({columns});"
    return Finding(
        "DB203",
        table.label,
        candidate.names,
        f"All {alike.rows:,} rows of {table.label} that have a value in {', '.join(candidate.names)} differ in it, and "
        "nothing keeps them so.",
        survey.text(alike.query),
        Mend(statement, constraint=statement, first="somebody has to say that it is a key"),
        count=0,
        of=alike.rows,
        exact=alike.part == 1,
        basis=_basis(alike),
    )


def _basis(alike: Alike) -> str:
    return "all rows were counted" if alike.part == 1 else f"one key in {alike.part}"


def _case(survey: Survey, table: Table, column: Column, folded: Alike, more: int) -> Finding:
    are = "row is" if more == 1 else "rows are"
    return Finding(
        "DB202",
        table.label,
        (column.name,),
        f"{more:,} {are} too many in {table.label} besides, if case and blanks around it do not count in "
        f"{column.name}; "
        f"{folded.rows:,} rows have a value.",
        survey.text(folded.query),
        Mend(
            "Decide which stays, merge what refers to the others, and then "
            f"CREATE UNIQUE INDEX CONCURRENTLY ON {table.sql} (lower({ident(column.name)}));"
        ),
        count=more,
        of=folded.rows,
        exact=folded.part == 1,
        basis=_basis(folded),
    )
