"""What of the ledger may be shown: numbers, names and verdicts always, values of rows only when asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(a value; --show-values shows it)"

# Text under these names was written by Lockgate or by the plan's author. Any other text may come from a row.
_WORDS = frozenset(
    {
        "approved_by",
        "address",
        "archived_at",
        "basis",
        "by_column",
        "chunks_digest",
        "column",
        "constraint",
        "definition",
        "digest",
        "dropped_at",
        "ended_at",
        "erased_at",
        "erased_because",
        "erased_by",
        "fingerprint",
        "held_at",
        "held_because",
        "held_by",
        "index",
        "kept in",
        "last_scan",
        "manifest_sha256",
        "not_looked_at",
        "now",
        "old_name_answered_by",
        "problems",
        "proven_at",
        "purpose",
        "referenced",
        "refers to",
        "released_at",
        "released_because",
        "released_by",
        "retain_until",
        "snapshot_at",
        "skipped_because",
        "state",
        "table",
        "wanted",
    }
)
_ROWS = frozenset({"examples"})  # nothing of these is shown, numbers neither: they are keys of rows
_VALUES = frozenset({"value", "expected"})  # of a document that a query yielded, the names are the application's, too
_PLANS = frozenset({"plan", "plans"})  # query plans: conditions hold parameters
_NUMBER = re.compile(r"(at (least|most) )?-?\d+(\.\d+)?(e[+-]?\d+)?|NULL|True|False", re.I)
_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$.])\d[\w.]*")


def result(value: Mapping[str, Any], *, show_values: bool) -> dict[str, Any]:
    """The result of a fact as it may stand in the report."""
    return dict(value) if show_values else {key: _shown(key, item) for key, item in value.items()}


def hides(value: Mapping[str, Any]) -> bool:
    """Whether a fact has something that is shown only when it is asked for."""
    return result(value, show_values=False) != dict(value)


def _shown(key: str, value: Any) -> Any:
    if (key in _ROWS and value) or (key in _VALUES and isinstance(value, Mapping | list)):
        return HIDDEN
    if key in _PLANS:
        return _without_literals(value)
    if isinstance(value, Mapping):
        return {name: _shown(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shown(key, item) for item in value]
    return HIDDEN if isinstance(value, str) and key not in _WORDS and not _NUMBER.fullmatch(value) else value


def _without_literals(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_literals(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_literals(item) for item in value]
    return _LITERAL.sub("?", value) if isinstance(value, str) else value
