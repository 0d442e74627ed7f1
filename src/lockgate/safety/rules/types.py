"""LG3xx: changing the type of a column."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.altering import IN_BATCHES, beside, lines, name_for
from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key_of
from lockgate.safety.retyping import cost, loses
from lockgate.safety.rule import Found, rule
from lockgate.sql import tree
from lockgate.sql.ddl import ident, type_of
from lockgate.sql.tree import Node, strings, unwrap

_RETYPE = ("AT_AlterColumnType",)
_STATISTICS = "The column's statistics are dropped, too: ANALYZE the table afterwards, or plans go wrong."


def _definition(c: Context) -> Node:
    return getattr(c.part, "def").column_def


def _types(c: Context) -> tuple[str, str]:
    """The type that the column has, empty if the texts do not tell, and the one that it gets."""
    known = c.known.column(c.key, c.part.name)
    return known.type if known else "", type_of(_definition(c).type_name)


def _converts(c: Context) -> bool:
    """Whether USING is more than a cast of the column."""
    using = unwrap(_definition(c).raw_default) if _definition(c).HasField("raw_default") else None
    while using is not None and using.DESCRIPTOR.name in {"TypeCast", "CollateClause"}:
        using = unwrap(using.arg)
    if using is None:
        return False
    return using.DESCRIPTOR.name != "ColumnRef" or strings(using.fields)[-1:] != (c.part.name,)


@rule(
    "LG301",
    "type-change",
    Severity.HIGH,
    "Changing a column's type rewrites the table or its indexes",
    on=_RETYPE,
    hazard="Unless the new type only allows more of the same (a longer varchar, a numeric of higher precision), the "
    "table and its indexes are rewritten under ACCESS EXCLUSIVE; for a few pairs (timestamp and timestamptz in "
    "UTC, citext and text) only the indexes. CHECK constraints on the column are tested again, and its "
    "statistics dropped. Views and functions that use the column stand in the way.",
    instead="Add a second column of the new type, keep it by a trigger, fill it in batches, then change the names.",
    rows=(19, 20, 21, 25, 26),
    catalog="which type the column has now, which indexes and CHECKs are on it, which views stand in the way, and how "
    "large the table is",
    data="whether each value can be cast",
)
def type_change(c: Context) -> Iterator[Found]:
    if c.is_new:
        return
    old, new = _types(c)
    price = "rewrite" if _converts(c) else cost(old, new) if old else ""
    if price == "nothing" or _definition(c).HasField("coll_clause"):
        return
    name = ident(c.part.name)
    if price == "indexes":
        yield c.found(
            f"All indexes on {c.table}.{name} are built anew while nobody can read or write the table.",
            f"{old} and {new} sort differently, so the rows stay and the indexes do not. {_STATISTICS}",
            _by_copy(c, new),
        )
        return
    lenient = not old and not _converts(c) and new in {"text", "character varying"}
    became = f"{old} to {new}" if old else new
    yield c.found(
        f"Changing {name} to {new} rewrites {c.table} while nobody can read or write it."
        if price
        else f"Changing {name} to {new} rewrites {c.table} while nobody can read or write it, unless the type that it "
        "has only becomes wider.",
        f"A change of {became} converts each row and rebuilds each index under ACCESS EXCLUSIVE. {_STATISTICS}",
        _by_copy(c, new),
        severity=Severity.MEDIUM if lenient else None,
    )


def _by_copy(c: Context, new: str) -> str:
    """A second column that is kept by a trigger and takes the name at the end; where USING says no more than a cast."""
    if _converts(c):
        return ""
    name, other, past = ident(c.part.name), ident(_suffixed(c, "new")), ident(_suffixed(c, "old"))
    sync = beside(c, name_for(c, (c.part.name,), "sync"))
    trigger = ident(name_for(c, (c.part.name,), "sync"))
    return lines(
        f"ALTER TABLE {c.table} ADD COLUMN {other} {new};",
        f"CREATE FUNCTION {sync}() RETURNS trigger LANGUAGE plpgsql AS\n"
        f"  $$BEGIN NEW.{other} := NEW.{name}::{new}; RETURN NEW; END$$;",
        f"CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {c.table} FOR EACH ROW EXECUTE FUNCTION {sync}();",
        IN_BATCHES,
        f"UPDATE {c.table} SET {other} = {name}::{new} WHERE {other} IS NULL AND {name} IS NOT NULL AND ctid = ANY\n"
        f"  (ARRAY(SELECT ctid FROM {c.table} WHERE {other} IS NULL AND {name} IS NOT NULL LIMIT 5000));",
        "-- Make the column's indexes, constraints and default for the new one. Then change the names:",
        "BEGIN;",
        f"DROP TRIGGER {trigger} ON {c.table};",
        f"ALTER TABLE {c.table} RENAME COLUMN {name} TO {past};",
        f"ALTER TABLE {c.table} RENAME COLUMN {other} TO {name};",
        f"ALTER TABLE {c.table} ALTER COLUMN {past} DROP NOT NULL;",
        "COMMIT;",
        f"DROP FUNCTION {sync}();",
        "-- A `transform` step of Lockgate does all of this, and can be taken back.",
    )


def _suffixed(c: Context, word: str) -> str:
    return f"{c.part.name.encode()[:58].decode(errors='ignore')}_{word}"


@rule(
    "LG302",
    "lossy-type-change",
    Severity.HIGH,
    "A type change rounds or cuts values without an error",
    on=_RETYPE,
    hazard="From numeric to one of fewer decimals or to an integer, from timestamp to date, from double precision to "
    "real: each value is rounded or cut silently, and the old one is gone.",
    instead="Keep the old column until it is known that nothing of it is missed: add a second column instead.",
    rows=(22,),
    catalog="which type the column has now",
    data="how many values would come out as other ones",
)
def lossy_type_change(c: Context) -> Iterator[Found]:
    old, new = _types(c)
    if old and not c.is_new and loses(old, new):
        yield c.found(
            f"Values of {c.table}.{ident(c.part.name)} are rounded or cut without an error.",
            f"Not every {old} is a {new}, and the cast takes the nearest one.",
            "" if _converts(c) else _by_copy(c, new),
        )


@rule(
    "LG303",
    "statistics-lost",
    Severity.LOW,
    "A type change drops the column's statistics",
    on=_RETYPE,
    hazard="ALTER COLUMN ... TYPE removes what the planner knows of the column, even where it costs nothing else. "
    "Until autovacuum analyzes the table, queries on it may get plans that are far too slow.",
    instead="ANALYZE the table right afterwards.",
    rows=(26,),
)
def statistics_lost(c: Context) -> Iterator[Found]:
    old, new = _types(c)
    if not old or c.is_new or cost(old, new) != "nothing" or _converts(c) or old == new or _analyzed_later(c):
        return
    yield c.found(
        f"The planner knows nothing of {c.table}.{ident(c.part.name)} until the table is analyzed.",
        "A change of the type drops the column's statistics.",
        f"ANALYZE {c.table} ({ident(c.part.name)});",
        settled=True,
    )


def _analyzed_later(c: Context) -> bool:
    for statement in c.subject.statements[c.statement.index + 1 :]:
        if statement.kind == "VacuumStmt":
            rels = statement.node.rels
            named = [key_of((r.vacuum_relation.relation.schemaname, r.vacuum_relation.relation.relname)) for r in rels]
            if not rels or c.key in named:
                return True
    return False


_ZONED = "timestamp with time zone"
_UNZONED = "timestamp without time zone"


@rule(
    "LG304",
    "session-dependent-type-change",
    Severity.MEDIUM,
    "The session's time zone decides what the values become",
    on=_RETYPE,
    hazard="Between timestamp and timestamptz the cast goes by the TimeZone of the session that runs it. In another "
    "zone than the one that the values were written in, all of them shift silently.",
    instead="Say in which zone the values are: USING column AT TIME ZONE 'UTC'.",
    rows=(24,),
    catalog="which type the column has now",
)
def session_dependent_type_change(c: Context) -> Iterator[Found]:
    old, new = _types(c)
    pair = {_UNZONED, _ZONED, "date"}
    if c.is_new or _converts(c) or new not in {_ZONED, _UNZONED} or (old and old not in pair - {new}):
        return
    if not old and new != _ZONED:
        return
    name = ident(c.part.name)
    doubt = "" if old else " if the column is a timestamp without one now"
    yield c.found(
        f"What {c.table}.{name} becomes depends on the TimeZone of the session that runs this{doubt}.",
        "The cast takes the session's time zone for that of the values.",
        f"ALTER TABLE {c.table} ALTER COLUMN {name} TYPE {new} USING {name} AT TIME ZONE 'UTC';\n"
        "-- In place of UTC: the zone in which the values were written. It rewrites the table; see LG301.",
        severity=Severity.HIGH if old else None,
    )


@rule(
    "LG305",
    "collation-change",
    Severity.HIGH,
    "Another collation rebuilds the indexes of the column",
    on=_RETYPE,
    hazard="TYPE ... COLLATE sorts the values anew: each index on the column is rebuilt, and each CHECK tested, under "
    "ACCESS EXCLUSIVE. Queries that compare or sort may give other results.",
    instead="Add a second column of the new collation, or an index with COLLATE for the queries that need it.",
    rows=(27,),
    catalog="which indexes are on the column",
)
def collation_change(c: Context) -> Iterator[Found]:
    if _definition(c).HasField("coll_clause") and not c.is_new:
        old, new = _types(c)
        whole = "" if old and cost(old, new) == "nothing" else " (and the table, if the type changes, too)"
        yield c.found(
            f"All indexes on {c.table}.{ident(c.part.name)}{whole} are built anew while nobody can read or write it.",
            f"Values sort differently in another collation. {_STATISTICS}",
        )


@rule(
    "LG306",
    "type-change-fails",
    Severity.HIGH,
    "Rows that the new type does not take make it fail",
    on=_RETYPE,
    hazard="A text that is no number, a number out of range, a text that is too long: one such row makes the whole "
    "statement fail (22P02, 22003, 22001), after the table was locked and read.",
    instead="Look for such rows first, and mend them.",
    rows=(23,),
    catalog="which type the column has now",
    data="which values the new type does not take",
)
def type_change_fails(c: Context) -> Iterator[Found]:
    old, new = _types(c)
    if not old or c.is_new or _converts(c) or not _may_fail(old, new):
        return
    yield c.found(
        f"One value of {c.table}.{ident(c.part.name)} that is no {new} makes this fail.",
        f"Not every {old} can become a {new}; the table is locked and read before that is known.",
        f"SELECT count(*) FROM {c.table} WHERE NOT pg_input_is_valid({ident(c.part.name)}::text, "
        f"{tree.literal(new)});\n-- Mend those rows first (pg_input_is_valid is there from PostgreSQL 16 on)."
        if c.major >= 16
        else "",
    )


_WORDS = frozenset({"text", "character varying", "character", "citext"})
_RANGES = ("smallint", "integer", "bigint")


def _may_fail(old: str, new: str) -> bool:
    old_base, new_base = old.partition("(")[0], new.partition("(")[0]
    if old_base in _WORDS and new_base in _WORDS:
        return "(" in new and cost(old, new) == "rewrite"
    if old_base in _WORDS:
        return True
    return old_base in _RANGES and new_base in _RANGES and _RANGES.index(new_base) < _RANGES.index(old_base)


RULES = (
    type_change,
    lossy_type_change,
    statistics_lost,
    session_dependent_type_change,
    collation_change,
    type_change_fails,
)
