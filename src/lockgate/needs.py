"""Which owners' rights a plan needs: the triggers of a table can be made by its owner only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from lockgate.plan.models import CutoverStep, MapStep, Plan, ReplacingStep, TransformStep
from lockgate.plan.values import split_name
from lockgate.sql.select import Select
from lockgate.sql.shape import ShapeRefused
from lockgate.sql.tree import SqlSyntaxError

_OWNERS = b"""
SELECT r.rolname::text, r.rolsuper, array_agg(n.nspname || '.' || c.relname ORDER BY w.position)
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS w (schema, name, position)
JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
GROUP BY 1, 2
ORDER BY 1
"""


def tables(plan: Plan) -> list[tuple[str, str]]:
    """Schema and name of every table that the plan's mappings read or fill, or that it closes or replaces, once."""
    found: dict[tuple[str, str], None] = {}
    for step in (step for phase in plan.phases for step in phase.steps):
        if isinstance(step, CutoverStep):
            found.update(dict.fromkeys(_names(step.old)))
        if isinstance(step, ReplacingStep):
            found.update(dict.fromkeys(_names([step.table])))
        for mapping in step.back if isinstance(step, CutoverStep) else (step,):
            if isinstance(mapping, MapStep | TransformStep):
                found.update(dict.fromkeys(_read(mapping)))
                found.update(dict.fromkeys(_names([mapping.into if isinstance(mapping, MapStep) else mapping.table])))
    return list(found)


def _names(written: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in written:
        parts = split_name(name)
        if parts and len(parts) == 2:
            yield parts[0], parts[1]


def _read(step: MapStep | TransformStep) -> Iterable[tuple[str, str]]:
    """What a SELECT reads; nothing for one that is refused anyway, with its place, when the plan is looked at.

    Nor for one that is copied whole: it needs no triggers.
    """
    try:
        return [(occurrence.schema, occurrence.name) for occurrence in Select.of(step.select).occurrences]
    except (ShapeRefused, SqlSyntaxError):
        return []


@dataclass(frozen=True, slots=True)
class Owner:
    """A role that owns some of the plan's tables, ``schema.table`` each."""

    role: str
    superuser: bool
    tables: Sequence[str]


def owners(conn: Connection[Any], plan: Plan) -> list[Owner]:
    """Who owns the plan's tables; tables that are not there yet are left out."""
    wanted = tables(plan)
    names = [schema for schema, _ in wanted], [name for _, name in wanted]
    return [Owner(role, superuser, owned) for role, superuser, owned in conn.execute(_OWNERS, names)]


def memberships(found: Sequence[Owner], operator: str) -> str:
    """SQL that makes the operator a member of the roles that own the plan's tables."""
    return "\n".join(_membership(owner, operator) for owner in found if owner.role != operator)


def _membership(owner: Owner, operator: str) -> str:
    what = " ".join(f"{owner.role} owns {', '.join(owner.tables)}".split())
    if owner.superuser:
        return (
            f"-- {what}, and is a superuser, which {' '.join(operator.split())} must not become: "
            "give them to a role of their own, and grant that.\n"
        )
    grant = sql.SQL("GRANT {} TO {};").format(sql.Identifier(owner.role), sql.Identifier(operator))
    return f"-- {what}; only an owner may make the triggers that log.\n{grant.as_string(None)}\n"
