"""What was found, and the kinds of it."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.safety.finding import Severity
from lockgate.safety.probes.asking import Rows

_HIGH, _MEDIUM, _LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding.

    :param code: stable, such as ``DB201``.
    :param severity: ``HIGH``: something fails, or is lost, or open to anybody. ``MEDIUM``: data or server suffer.
        ``LOW``: worth knowing.
    """

    code: str
    name: str
    severity: Severity
    title: str


KINDS = {
    kind.code: kind
    for kind in (
        Kind("DB101", "never-analyzed", _MEDIUM, "The planner knows nothing of the rows"),
        Kind("DB102", "stale-statistics", _MEDIUM, "The planner's figures are not true any more"),
        Kind("DB111", "bloat", _MEDIUM, "The table is much larger than its rows need"),
        Kind("DB201", "duplicates", _HIGH, "Rows that are alike in what looks like a key"),
        Kind("DB202", "duplicates-but-for-case", _MEDIUM, "Values of what looks like a key that differ in case only"),
        Kind("DB203", "key-not-kept", _LOW, "What looks like a key, and nothing keeps it unique"),
        Kind("DB204", "no-primary-key", _LOW, "Nothing names a row"),
        Kind("DB301", "invalid-index", _HIGH, "Writes pay for the index and no query uses it"),
        Kind("DB302", "redundant-index", _LOW, "Another index does all that this one does"),
        Kind("DB303", "unused-index", _LOW, "No query has used the index"),
        Kind("DB304", "foreign-key-without-index", _MEDIUM, "Each delete in the referenced table reads this one"),
        Kind("DB401", "foreign-key-missing", _MEDIUM, "A column refers to another table, and nothing keeps it so"),
        Kind("DB402", "orphans", _HIGH, "Rows refer to a row that is not there"),
        Kind("DB403", "reference-of-another-type", _MEDIUM, "A column has another type than what it refers to"),
        Kind("DB404", "constraint-not-validated", _MEDIUM, "Nobody knows whether old rows keep the constraint"),
        Kind("DB405", "reference-table-missing", _MEDIUM, "A column points at a table that is not there"),
        Kind("DB501", "format-broken", _MEDIUM, "Values break the format that nearly all others have"),
        Kind("DB502", "never-populated", _LOW, "No row has a value"),
        Kind("DB503", "nullable-without-need", _LOW, "No row lacks a value, and a NULL is allowed"),
        Kind("DB504", "kept-as-text", _LOW, "All values would fit another type than text"),
        Kind("DB601", "sequence-near-its-end", _HIGH, "Inserts will fail when the numbers are used up"),
        Kind("DB602", "sequence-behind", _HIGH, "The sequence will give out numbers that are taken"),
        Kind("DB701", "table-not-used", _LOW, "Nobody has read or written the table"),
        Kind("DB801", "public-may-write", _HIGH, "Every role may change rows"),
        Kind("DB802", "row-security-without-policy", _MEDIUM, "Nobody but the owner sees a row"),
        Kind("DB803", "policies-without-row-security", _HIGH, "The policies do nothing"),
        Kind("DB804", "definer-without-search-path", _MEDIUM, "Whoever calls the function may choose what it calls"),
        Kind("DB805", "public-may-create", _MEDIUM, "Every role may put objects into the schema"),
        Kind("DB901", "code-names-missing-table", _HIGH, "The code uses a table that is not there"),
        Kind("DB902", "code-names-missing-column", _HIGH, "The code uses a column that is not there"),
    )
}


@dataclass(frozen=True, slots=True)
class Mend:
    """What mends a finding: a step of a plan where there is one for it.

    :param said: what to do, for people.
    :param index: CREATE INDEX, as one writes it. ``constraint``: ALTER TABLE, as one writes it.
    :param dedupe: a table, the columns that make rows alike, and the items of ORDER BY by which the first stays.
    :param analyze: a table. Names are as SQL writes them.
    :param first: what a person has to do before the step can succeed; empty if nothing.
    :param parent: the table that the column refers to, of a reference that no foreign key keeps, and ``hinders`` why
        rows of that cannot be put aside even if the constraint is there; empty if they can.
    """

    said: str
    index: str = ""
    constraint: str = ""
    dedupe: tuple[str, tuple[str, ...], tuple[str, ...]] | None = None
    analyze: str = ""
    first: str = ""
    parent: str = ""
    hinders: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    :param table: ``schema.name``, or the object itself where it is of no table.
    :param what: one sentence or two, with the figures.
    :param count: how many rows (of DB111 bytes) it is about, ``of`` how many; None where nothing is counted.
    :param exact: whether all was looked at; else ``basis`` says what was.
    :param query: what was asked, to be run again.
    :param subject: the index, constraint or sequence that it is about, as ``schema.name``; empty if none.
    :param examples: keys of some rows, where they were asked for: they may be personal data.
    """

    code: str
    table: str
    columns: tuple[str, ...]
    what: str
    query: str
    mend: Mend
    count: int | None = None
    of: int | None = None
    exact: bool = True
    basis: str = "the catalog"
    examples: Rows = ()
    severity: Severity | None = None
    subject: str = ""

    @property
    def kind(self) -> Kind:
        """What kind it is."""
        return KINDS[self.code]

    @property
    def weight(self) -> Severity:
        """How bad it is: as its kind, unless it says otherwise."""
        return self.severity or self.kind.severity
