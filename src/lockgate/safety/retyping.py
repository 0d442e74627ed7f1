"""What a change of a column's type costs, by the types alone: measured on PostgreSQL 15 and 18, which agree."""

from __future__ import annotations

import re
from typing import Literal

Cost = Literal["nothing", "indexes", "rewrite"]

_PARTS = re.compile(r"(?P<base>[^(\[]+)(?:\((?P<numbers>[\d,]+)\))?(?P<rest>[^(\[]*)(?P<array>(?:\[\])*)")

# Neither the rows nor the indexes change.
_NOTHING = {
    ("character varying", "text"),
    ("text", "character varying"),
    ("cidr", "inet"),
    ("xml", "text"),
}
# The rows stay, the indexes are built anew.
_INDEXES = {
    ("citext", "text"),
    ("text", "citext"),
    ("citext", "character varying"),
    ("character varying", "citext"),
    ("bit", "bit varying"),
    ("integer", "oid"),
    ("oid", "integer"),
}
_LENGTHS = frozenset({"character varying", "bit varying"})
_PRECISIONS = frozenset(
    {"timestamp without time zone", "timestamp with time zone", "time without time zone", "time with time zone"}
)
_FULL_PRECISION = 6


def _taken_apart(name: str) -> tuple[str, tuple[int, ...], bool]:
    found = _PARTS.fullmatch(name)
    if found is None:
        return name, (), False
    numbers = tuple(int(each) for each in found["numbers"].split(",")) if found["numbers"] else ()
    return (found["base"] + found["rest"]).strip(), numbers, bool(found["array"])


def cost(old: str, new: str) -> Cost:
    """What ALTER COLUMN ... TYPE does to a table, without USING and collation.

    :param old: as ``lockgate.sql.ddl.type_of`` writes it.
    """
    if old == new:
        return "nothing"
    (old_base, before, old_array), (new_base, after, new_array) = _taken_apart(old), _taken_apart(new)
    if old_array or new_array:
        return "rewrite"
    if old_base == new_base:
        return "nothing" if _widens(old_base, before, after) else "rewrite"
    if after and not (new_base in _LENGTHS and old_base == "bit"):
        return "rewrite"
    if (old_base, new_base) in _NOTHING:
        return "nothing"
    return "indexes" if (old_base, new_base) in _INDEXES else "rewrite"


def _widens(base: str, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    if base in _LENGTHS:
        return not after or (bool(before) and after[0] >= before[0])
    if base == "numeric":
        if not after:
            return True
        scales = [each[1] if len(each) > 1 else 0 for each in (before, after)]
        return bool(before) and after[0] >= before[0] and scales[0] == scales[1]
    if base in _PRECISIONS:
        old, new = (each[0] if each else _FULL_PRECISION for each in (before, after))
        return new >= old
    return base == "interval" and not after


def loses(old: str, new: str) -> bool:
    """Whether values that fit the old type may come out as other ones, without an error."""
    (old_base, before, _), (new_base, after, _) = _taken_apart(old), _taken_apart(new)
    if new_base == "numeric" and after:
        scale = after[1] if len(after) > 1 else 0
        return old_base in {"real", "double precision"} or (
            old_base == "numeric" and (not before or (before[1] if len(before) > 1 else 0) > scale)
        )
    if old_base in _PRECISIONS and new_base == old_base:
        old_digits, new_digits = (each[0] if each else _FULL_PRECISION for each in (before, after))
        return new_digits < old_digits
    return (old_base, new_base) in _LOSES


_WHOLE = ("smallint", "integer", "bigint")
_LOSES = {
    *((old, new) for old in ("numeric", "real", "double precision") for new in _WHOLE),
    *(("timestamp" + zone, "date") for zone in (" without time zone", " with time zone")),
    *(("timestamp" + zone, "time without time zone") for zone in (" without time zone", " with time zone")),
    ("double precision", "real"),
    ("numeric", "real"),
    ("numeric", "double precision"),
    ("bigint", "real"),
    ("bigint", "double precision"),
    ("integer", "real"),
    ("inet", "cidr"),
    ("json", "jsonb"),
}
