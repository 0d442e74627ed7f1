"""Rows of a DEFAULT partition that belong into a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from lockgate.safety.facts import Facts
from lockgate.safety.probes.asking import Probe
from lockgate.safety.probes.rows import matching, raw
from lockgate.safety.records import Relation

MINIMUM, MAXIMUM = object(), object()
"""MINVALUE and MAXVALUE in a bound."""
Datum = str | object


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a partition is for: a list of values (None is NULL), or from one value of the key to before another.

    Values are SQL.
    """

    values: Sequence[str | None] = ()
    lower: Sequence[Datum] = ()
    upper: Sequence[Datum] = ()


def belonging(facts: Facts, default: Relation, key: Sequence[str], bounds: Bounds) -> Probe:
    """Rows of the default partition that a new one is for.

    :param key: the partition key: columns or expressions, as SQL.
    """
    parts = [sql.SQL("({}\n)").format(raw(part)) for part in key]
    if bounds.lower:
        conditions: list[sql.Composable] = [sql.SQL("{} IS NOT NULL").format(part) for part in parts]
        conditions += _edge(parts, bounds.lower, lower=True) + _edge(parts, bounds.upper, lower=False)
        return matching(facts, default, sql.SQL(" AND ").join(conditions))
    values = [raw(value) for value in bounds.values if value is not None]
    either: list[sql.Composable] = [sql.SQL("{} IS NULL").format(parts[0])] if None in bounds.values else []
    if values:
        either.append(sql.SQL("{} IN ({})").format(parts[0], sql.SQL(", ").join(values)))
    return matching(facts, default, sql.SQL("({})").format(sql.SQL(" OR ").join(either)))


def _edge(parts: Sequence[sql.Composable], edge: Sequence[Datum], *, lower: bool) -> list[sql.Composable]:
    """The comparison with one edge; what stands behind MINVALUE or MAXVALUE is not looked at."""
    at = next((place for place, datum in enumerate(edge) if not isinstance(datum, str)), None)
    beyond = at is not None and edge[at] is MAXIMUM  # what stands behind it does not count, however large
    operator = (">" if beyond else ">=") if lower else ("<=" if beyond else "<")
    known = list(zip(parts, edge, strict=True))[:at]
    if not known:
        nothing = (edge[0] is MAXIMUM) if lower else (edge[0] is MINIMUM)
        return [sql.SQL("false")] if nothing else []
    left = sql.SQL(", ").join(part for part, _ in known)
    right = sql.SQL(", ").join(raw(str(datum)) for _, datum in known)
    return [sql.SQL("ROW({}) {} ROW({})").format(left, sql.SQL(operator), right)]
