"""A fact, and the query that produced it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact for the ledger: every number of the report comes from one of these.

    :param name: what was asked, such as ``reconcile:party_contacts``.
    :param query: the SQL, or the words, that produced it.
    :param result: JSON values only.
    """

    name: str
    query: str
    result: Mapping[str, Any]
