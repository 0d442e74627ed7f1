"""All rules, by family."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from lockgate.safety.rule import Rule
from lockgate.safety.rules import (
    columns,
    computed,
    constraints,
    dropping,
    foreign_keys,
    indexes,
    keys,
    naming,
    objects,
    partitions,
    reading,
    renaming,
    rows,
    security,
    transactions,
    types,
)


def _sorted(*modules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(sorted((rule for rules in modules for rule in rules), key=lambda rule: rule.code))


FAMILIES: Mapping[str, tuple[Rule, ...]] = {
    "Reading": reading.RULES,
    "Indexes": indexes.RULES,
    "Adding columns": _sorted(columns.RULES, computed.RULES),
    "Changing types": types.RULES,
    "Constraints": _sorted(constraints.RULES, keys.RULES),
    "Foreign keys": foreign_keys.RULES,
    "Dropping and renaming": (*dropping.RULES, *renaming.RULES),
    "Partitions, types, views, functions and security": (*partitions.RULES, *objects.RULES, *security.RULES),
    "Rows and storage": rows.RULES,
    "Transactions, names and types": (*transactions.RULES, *naming.RULES),
}
"""Title of a family -> its rules. The first digit of a code is that of its family."""

RULES: Mapping[str, Rule] = {rule.code: rule for rules in FAMILIES.values() for rule in rules}
"""Code -> rule."""
ALL = frozenset(RULES)


@cache
def by_event(wanted: frozenset[str]) -> Mapping[str, tuple[Rule, ...]]:
    """The rules that each event is to be shown to.

    :param wanted: codes.
    """
    found: dict[str, list[Rule]] = {}
    for rule in (rule for rule in RULES.values() if rule.code in wanted):
        for event in rule.on:
            found.setdefault(event, []).append(rule)
    return {event: tuple(rules) for event, rules in found.items()}
