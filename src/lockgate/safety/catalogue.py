"""The catalogue of hazards of PostgreSQL migrations: each has a rule, or a reason why the text has none."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.safety.live.answers import FAMILIES, RULES
from lockgate.safety.rule import Rule

HAZARDS: Mapping[int, str] = {
    1: "Blocking index build",
    2: "Blocking index drop",
    3: "CONCURRENTLY inside a transaction",
    4: "Concurrent builds of 14.0 to 14.3 corrupt",
    5: "REINDEX without CONCURRENTLY",
    6: "VACUUM FULL, CLUSTER",
    7: "New column with a volatile default",
    8: "New column with a constant or stable default",
    9: "New serial column",
    10: "New identity column",
    11: "New stored generated column",
    12: "Another expression of a generated column",
    13: "New column of a domain with constraints",
    14: "New column with a CHECK",
    15: "New column with a foreign key",
    16: "New column with UNIQUE",
    17: "New NOT NULL column without a default",
    18: "The type json",
    19: "Type change that rewrites the table",
    20: "Type change that rebuilds indexes",
    21: "Type change that tests CHECKs again",
    22: "Type change that loses",
    23: "Type change that fails on rows",
    24: "Type change that depends on the session",
    25: "Type change that views stand in the way of",
    26: "Type change that drops statistics",
    27: "Another collation",
    28: "SET NOT NULL reads the table",
    29: "SET NOT NULL where there are NULLs",
    30: "Primary key from an index over nullable columns",
    31: "Primary key builds its index",
    32: "UNIQUE builds its index",
    33: "UNIQUE over duplicates",
    34: "UNIQUE takes many NULLs",
    35: "Exclusion constraint",
    36: "Exclusion constraint without its operator class",
    37: "CHECK tested under lock",
    38: "CHECK that rows fail",
    39: "NOT VALID CHECK blocks updates of bad rows",
    40: "Foreign key tested under lock",
    41: "Rows without a parent",
    42: "Foreign key between types without an =",
    43: "Foreign key between sizes of a type",
    44: "Foreign key to columns that are not unique",
    45: "Foreign key without an index",
    46: "Several foreign keys in one transaction",
    47: "New table with a foreign key",
    48: "Dropping a foreign key locks the other table",
    49: "ON DELETE CASCADE",
    50: "NOT VALID and VALIDATE in one transaction",
    51: "NOT VALID that is never validated",
    52: "DROP COLUMN",
    53: "DROP TABLE",
    54: "DROP ... CASCADE",
    55: "Dropping what a function's body names",
    56: "Renaming",
    57: "SET SCHEMA",
    58: "Dropping a view loses its grants",
    59: "Replacing a view or function",
    60: "Replacing a function that an index uses",
    61: "TRUNCATE",
    62: "UPDATE and DELETE in bulk",
    63: "New enum value used at once",
    64: "Order of enum values",
    65: "Constraint of a domain",
    66: "DETACH PARTITION",
    67: "ATTACH PARTITION",
    68: "CREATE TABLE ... PARTITION OF",
    69: "DEFAULT partition holds rows of a new one",
    70: "Concurrent index on a partitioned table",
    71: "NOT VALID foreign key of a partitioned table",
    72: "Key without the partition key",
    73: "REFRESH MATERIALIZED VIEW",
    74: "Triggers",
    75: "Row security",
    76: "Grants",
    77: "Replica identity",
    78: "Another storage",
    79: "Waiting for locks",
    80: "Names, types and habits",
}
"""Number -> hazard."""

WITHOUT_TEXT: Mapping[int, str] = {
    8: "No hazard: such a default is kept in the catalog, and no row is written. LG201 leaves it alone.",
    29: "The rows tell whether there is a NULL; LG401 says that it was not looked at.",
    33: "The rows tell whether there are duplicates; LG403 says so for constraints.",
    34: "The catalog tells whether the columns may be NULL, and the text does not say whether many NULLs are meant.",
    38: "The rows tell; LG406 says that they were not looked at.",
    39: "The rows tell: NOT VALID is right where none is bad.",
    41: "The rows tell; LG501 says that they were not looked at.",
    44: "The catalog tells which keys the other table has.",
    51: "The catalog tells: a later text may validate it.",
    59: "CREATE OR REPLACE is right more often than not; the catalog tells who uses it.",
    60: "The catalog tells whether an index, a generated column or a CHECK uses the function.",
}
"""Number -> why the text alone has no rule for it."""


def rules_of(number: int) -> list[Rule]:
    """The rules that look for a hazard."""
    return [rule for rule in RULES.values() if number in rule.rows]


def render() -> str:
    """``docs/rules.md``."""
    parts = [_HEAD]
    for title, rules in FAMILIES.items():
        parts.append(f"## {title}\n")
        parts += [_section(rule) for rule in rules]
    parts.append(_CATALOGUE)
    parts += [f"| {number} | {hazard} | {_answer(number)} |" for number, hazard in HAZARDS.items()]
    return "\n".join(parts) + "\n"


_HEAD = """\
# Rules

Written by `scripts/write_rules_docs.py` from the rules themselves; a test fails when the two differ. How they are used
is in [lint.md](lint.md). `lockgate lint --explain LG101` tells the same of one.
"""
_CATALOGUE = """\
## The catalogue of hazards

Each known hazard of a migration, and what looks for it: `lockgate lint` by its text, `lockgate check` with the catalog
and the rows as well.

| | hazard | rule, or why there is none |
| --- | --- | --- |"""


def _section(rule: Rule) -> str:
    lines = [f"### {rule.code} {rule.name}", "", f"**{rule.title}.** Severity: {rule.severity}.", "", rule.hazard, ""]
    lines += [f"Do: {rule.instead}", ""]
    lines += [f"Looked at by the {tier}: {text}." for tier, text in rule.looks.items()]
    return "\n".join(lines).rstrip() + "\n"


def _answer(number: int) -> str:
    codes = ", ".join(rule.code for rule in rules_of(number))
    return ": ".join(part for part in (codes, WITHOUT_TEXT.get(number, "")) if part)
