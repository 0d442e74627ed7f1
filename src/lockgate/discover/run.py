"""The pass: what is quick first, then one scan a table, then what needs others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.discover import (
    bloat,
    duplicates,
    expected,
    indexes,
    permissions,
    references,
    sequences,
    statistics,
    unproved,
    values,
)
from lockgate.discover.code import Code
from lockgate.discover.code import read as read_code
from lockgate.discover.finding import Finding
from lockgate.discover.profile import SAMPLED, Profile, first_look, whole
from lockgate.discover.survey import Measured, Survey, Table, Unread
from lockgate.errors import LockgateError
from lockgate.safety.facts import Facts
from lockgate.safety.finding import Severity
from lockgate.safety.probes.asking import Prober
from lockgate.safety.records import Relation
from lockgate.safety.snapshot import read

_ORDER = {severity: number for number, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted.

    :param limit: how long all of it may take.
    :param exact: measure all rows for bloat, and ask pgstattuple where it is installed.
    :param examples: show keys of rows: they may be personal data.
    :param unused_for: how long the server must have counted before "not used" means something.
    :param code: a folder of the application's code.
    """

    limit: timedelta = timedelta(minutes=5)
    exact: bool = False
    examples: bool = False
    unused_for: timedelta = timedelta(days=14)
    code: Path | None = None


@dataclass(frozen=True, slots=True)
class Sized:
    """A table as it was found.

    :param exact: whether the rows were counted.
    :param values: how many rows have a value in each column that may be NULL, where all rows were counted.
    :param heap: bytes of the table itself, ``toast`` of what is kept outside of its rows.
    """

    table: str
    rows: int
    exact: bool
    heap: int
    indexes: int
    toast: int
    values: dict[str, int]


@dataclass(slots=True)
class Outcome:
    """What was found.

    :ivar findings: the worst first.
    :ivar tables: by name.
    :ivar skipped: what was not looked at, for people.
    :ivar seconds: how long it took.
    """

    database: str
    version: str
    findings: list[Finding] = field(default_factory=list)
    tables: list[Sized] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def fails(self, at: Severity | None) -> bool:
        """Whether a finding is as bad as ``at``, or worse; never for None."""
        return at is not None and any(_ORDER[finding.weight] <= _ORDER[at] for finding in self.findings)


def discover(conn: Connection[Any], wishes: Wishes, clock: Callable[[], float]) -> Outcome:
    """Look at a database; nothing is changed, and no lock is taken that a SELECT does not take.

    :param conn: an autocommit connection with the search_path of the application.
    :param clock: seconds that go on only.
    :raises psycopg.errors.LockNotAvailable: if a table is locked that the catalog has to be asked about.
    :raises LockgateError: if there is no time for the catalog.
    """
    begun = clock()
    try:
        facts = read(conn)
    except psycopg.errors.QueryCanceled:
        raise LockgateError(
            "There was no time to read the catalog",
            where=f"database {conn.info.dbname}",
            hint="Give more time: --limit 20m",
        ) from None
    prober = Prober(conn, facts, wishes.limit, examples=wishes.examples)
    survey = Survey(conn, facts, prober, clock, begun + wishes.limit.total_seconds(), wishes.examples)
    outcome = Outcome(conn.info.dbname, f"{facts.version // 10000}.{facts.version % 10000}", skipped=survey.skipped)
    try:
        members = frozenset(row.oid for row in survey.known("members"))
        survey.tables = sorted(_tables(survey, members), key=lambda table: table.measured.heap)
    except Unread as error:
        survey.skip("anything", error.why)
    else:
        for look in _looks(survey, wishes, members):
            outcome.findings += look
    outcome.findings.sort(key=lambda found: (_ORDER[found.weight], found.code, found.table, found.columns))
    outcome.tables = sorted((_sized(table) for table in survey.tables), key=lambda each: each.table)
    outcome.seconds = clock() - begun
    return outcome


def _looks(survey: Survey, wishes: Wishes, members: frozenset[int]) -> Iterator[list[Finding]]:
    """What each part of the pass finds, in order."""
    yield _took(survey, "invalid indexes", lambda: indexes.invalid(survey))
    redundant = _took(survey, "redundant indexes", lambda: indexes.redundant(survey))
    yield redundant
    yield _took(survey, "rights and row security", lambda: permissions.found(survey, members))
    profiles = _profiles(survey)
    yield [found for table, sample, best in profiles for found in values.found(survey, table, sample, best)]
    yield _took(survey, "statistics", lambda: statistics.stale(survey))
    yield _took(survey, "foreign keys without index", lambda: indexes.under_foreign_keys(survey))
    yield _took(survey, "sequences", lambda: sequences.found(survey, members))
    yield _used(survey, wishes, redundant)
    yield _took(survey, "constraints", lambda: unproved.found(survey))
    yield _took(survey, "types of foreign keys", lambda: references.mismatched(survey))
    yield _took(survey, "foreign keys", lambda: references.missing(survey))
    yield _took(survey, "duplicates", lambda: duplicates.found(survey))
    code = read_code(wishes.code) if wishes.code is not None else None
    if code is not None:
        _say_blind(survey, code)
    yield _took(survey, "what is expected and not there", lambda: expected.found(survey, code))
    yield _took(survey, "bloat", lambda: bloat.found(survey, exact=wishes.exact))


def _say_blind(survey: Survey, code: Code) -> None:
    """Say what of the code could not be read."""
    for said in code.blind:
        what, _, why = said.rpartition(": ")
        survey.skip(what, why)
    if code.unread:
        survey.skip(f"{code.unread:,} texts of the code that look like SQL", "they are put together when they run")


def _took(survey: Survey, what: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a look finds until something is in its way, which is said."""
    found: list[Finding] = []
    try:
        for each in look():
            found.append(each)
    except Unread as error:
        survey.skip(what, error.why)
    return found


def _used(survey: Survey, wishes: Wishes, redundant: Iterable[Finding]) -> list[Finding]:
    """Indexes and tables without use, where the server has counted for long enough."""
    try:
        since = next(iter(survey.known("since")), None)
    except Unread:
        since = None
    if since is None or since.seconds < wishes.unused_for.total_seconds():
        when = f" since {since.since[:16]} only" if since is not None else ""
        survey.skip("which indexes and tables nobody uses", f"the server has counted{when}")
        return []
    gone = frozenset(found.subject for found in redundant)
    return [
        *_took(survey, "unused indexes", lambda: indexes.unused(survey, since.since[:16], gone)),
        *_took(survey, "unused tables", lambda: statistics.not_used(survey, since.since[:16])),
    ]


def _profiles(survey: Survey) -> list[tuple[Table, Profile, Profile | None]]:
    """The first look at each table, the smallest first, and the second one where that was a sample."""
    looked: list[tuple[Table, Profile, Profile | None]] = []
    sampled: list[tuple[Table, Profile]] = []
    for table in survey.tables:
        try:
            if table.measured.held:
                raise Unread("somebody holds a lock on the table")
            sample = first_look(survey, table)
        except Unread as error:
            table.unread = error.why
            table.rows = _believed(survey.facts, table.relation)
            survey.skip(f"the rows of {table.label}", error.why)
            continue
        if sample.exact:
            _is_counted(table, sample)
            looked.append((table, sample, None))
        else:
            table.rows = round(sample.rows * table.measured.heap / _sampled_bytes(table))
            sampled.append((table, sample))
    for table, sample in sampled:
        best: Profile | None = None
        try:
            best = whole(survey, table, values.again(survey, table, sample))
            _is_counted(table, best)
        except Unread as error:
            survey.skip(f"all rows of {table.label} (a sample was)", error.why)
        looked.append((table, sample, best))
    return looked


def _is_counted(table: Table, exact: Profile) -> None:
    table.rows, table.counted = exact.rows, True
    nullable = {column.name for column in table.columns if not column.not_null}
    table.values = {name: count for name, count in exact.values.items() if name in nullable}


def _sampled_bytes(table: Table) -> int:
    return min(SAMPLED, table.measured.heap)


def _believed(facts: Facts, relation: Relation) -> int:
    return round(facts.rows_of(relation) or 0)


def _tables(survey: Survey, members: frozenset[int]) -> Iterator[Table]:
    """Every table of the application, with its partitions; foreign ones and those of extensions are left out."""
    known = {row.oid: row for row in survey.known("tables")}
    foreign = [relation.label for relation in survey.facts.relations.values() if relation.kind == "f"]
    if foreign:
        some = f"{len(foreign)} foreign table{'' if len(foreign) == 1 else 's'}"
        survey.skip(some, "their rows are elsewhere")
    for relation in survey.facts.relations.values():
        if (
            relation.kind not in {"r", "p"}
            or relation.partition
            or relation.oid in members
            or relation.oid not in known
        ):
            continue
        family = [relation]
        if relation.kind == "p":
            family = list(survey.facts.family(relation))
        rows = [known[part.oid] for part in family if part.oid in known]
        columns = survey.facts.columns.get(relation.oid, ())
        if not columns:
            continue
        table = Table(relation, columns, _measured(rows, partitioned=relation.kind == "p"))
        if survey.prober.refusal([relation]):
            readable = tuple(one for one in columns if not survey.prober.refusal([relation], [one.name]))
            if readable:
                left = ", ".join(one.name for one in columns if one not in readable)
                survey.skip(f"columns {left} of {table.label}", "the role may not read them")
                table.columns = readable
        yield table


def _measured(rows: list[Any], *, partitioned: bool) -> Measured:
    leaves = [row for row in rows[1:] if row.heap] if partitioned else rows
    return Measured(
        held=any(row.held for row in rows),
        heap=sum(row.heap or 0 for row in rows),
        indexes=sum(row.indexes or 0 for row in rows),
        toast=sum(row.toast or 0 for row in rows),
        fillfactor=min((row.fillfactor for row in leaves), default=100),
        analyzed=min((row.analyzed for row in leaves), default=""),
        described=all(row.described for row in leaves),
        modified=sum(row.modified for row in leaves),
        dead=sum(row.dead for row in leaves),
        updated=sum(row.updated for row in leaves),
        reads=sum(row.reads for row in rows),
        writes=sum(row.writes for row in rows),
    )


def _sized(table: Table) -> Sized:
    size = table.measured
    return Sized(table.label, table.rows, table.counted, size.heap, size.indexes, size.toast, table.values)
