"""The hash that an approval pins: equal for plans that do the same, whatever their files look like."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

from lockgate.plan.models import Plan

_LARGEST_EXACT = 2**53 - 1


def plan_digest(plan: Plan, migrations: Mapping[str, str]) -> str:
    """SHA-256, in hexadecimal, over the canonical JSON (RFC 8785) of a plan whose SQL is in place.

    :param migrations: the files of another tool that it applies, each with the hash of its content.

    What a plan leaves out and what it says as the default is the same; comments, layout, the order of keys
    and whether SQL is inline or in a file do not count. Nor do standing checks, which change nothing: an approval
    stands when a threshold is set anew.
    """
    document = plan.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"standing"})
    if migrations:
        document["migrations"]["files"] = dict(migrations)
    return hashlib.sha256(rfc8785.dumps(_exact(document))).hexdigest()


def _exact(value: Any) -> Any:
    """Canonical JSON holds whole numbers to 2^53 only; larger ones become text, marked as numbers."""
    if isinstance(value, dict):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    if isinstance(value, int) and abs(value) > _LARGEST_EXACT:
        return {"integer": str(value)}
    return value
