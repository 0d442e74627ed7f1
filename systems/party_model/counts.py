"""How many rows of each kind there are at a scale, and how many must come out of the migration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import floor

MINIMUM_SCALE = 0.001
"""Below it the fixed counts (11,530 addresses, 250 financials) would not fit on the entities there are."""

BORN = 26
"""Parties that the service created in the new model only, at every scale."""

_REJECTED_AT_ONE = {
    ("contacts_from_emails", "empty"): 150,
    ("contacts_from_emails", "no at sign"): 100,
    ("contacts_from_phones", "empty"): 260,
    ("contacts_from_phones", "no digits"): 140,
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of the legacy tables, before any load; of each ``profile_stride`` entities one may have profiles."""

    entities: int
    companies: int
    emails: int
    emails_merged: int
    emails_empty: int
    emails_no_at: int
    phones: int
    phones_merged: int
    phones_empty: int
    phones_no_digits: int
    addresses: int
    entity_addresses: int
    primary_addresses: int
    profiles: int
    profiled_entities: int
    profile_stride: int
    financials: int
    properties: int
    transactions: int
    relationships: int
    family_relationships: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come out, apart from rows that a load created. All but ``scale`` count rows.

    ``contact_sources`` = ``contacts`` + ``merged`` + ``rejected``, and ``parties`` = ``people`` + ``companies``
    = the entities + ``born``. ``rejected_by_reason`` is mapping -> reason -> rows.
    """

    scale: float
    parties: int
    people: int
    companies: int
    born: int
    contact_sources: int
    contacts: int
    merged: int
    merged_by_mapping: Mapping[str, int]
    rejected: int
    rejected_by_reason: Mapping[str, Mapping[str, int]]
    addresses: int
    primary_addresses: int
    enrichments: int
    financials: int
    transactions: int


def scaled(rows: int, scale: float) -> int:
    """``rows`` at ``scale``, rounded half up."""
    return floor(rows * scale + 0.5)


def _rejected(scale: float) -> dict[tuple[str, str], int]:
    """The rejected rows by mapping and reason; rounded so that their sum is the rounded sum."""
    ends = [scaled(end, scale) for end in accumulate(_REJECTED_AT_ONE.values())]
    return {name: end - start for name, start, end in zip(_REJECTED_AT_ONE, [0, *ends], ends, strict=False)}


def counts(scale: float) -> Counts:
    """The legacy rows at ``scale``.

    :raises ValueError: if ``scale`` is below :data:`MINIMUM_SCALE`.
    """
    if scale < MINIMUM_SCALE:
        raise ValueError(f"scale {scale} is too small: the fixed counts need at least {MINIMUM_SCALE}")
    rejected = _rejected(scale)
    profiles = scaled(695_310, scale)
    emails_merged = scaled(806, scale)
    return Counts(
        entities=scaled(1_536_763, scale),
        companies=scaled(412_528, scale),
        emails=scaled(872_939, scale),
        emails_merged=emails_merged,
        emails_empty=rejected["contacts_from_emails", "empty"],
        emails_no_at=rejected["contacts_from_emails", "no at sign"],
        phones=scaled(1_724_852, scale),
        phones_merged=scaled(1_906, scale) - emails_merged,
        phones_empty=rejected["contacts_from_phones", "empty"],
        phones_no_digits=rejected["contacts_from_phones", "no digits"],
        addresses=scaled(1_416_411, scale),
        entity_addresses=11_530,
        primary_addresses=1_054,
        profiles=profiles,
        # Ten rows are six entities: four with one row, one with two, one with four (profiles.sql).
        profiled_entities=(profiles - 1) // 10 * 6 + (1, 2, 3, 4, 5, 5, 6, 6, 6, 6)[(profiles - 1) % 10],
        profile_stride=3,
        financials=250,
        properties=scaled(1_447_983, scale),
        transactions=scaled(60_000, scale),
        relationships=scaled(300_000, scale),
        family_relationships=scaled(350_000, scale),
    )


def expected(scale: float) -> Expected:
    """What the migration must make of the legacy rows at ``scale``, the born parties included.

    :raises ValueError: if ``scale`` is below :data:`MINIMUM_SCALE`.
    """
    legacy = counts(scale)
    by_reason: dict[str, dict[str, int]] = {}
    for (mapping, reason), rows in _rejected(scale).items():
        by_reason.setdefault(mapping, {})[reason] = rows
    sources = legacy.emails + legacy.phones
    merged = legacy.emails_merged + legacy.phones_merged
    rejected = sum(_rejected(scale).values())
    return Expected(
        scale=scale,
        parties=legacy.entities + BORN,
        people=legacy.entities - legacy.companies + BORN,
        companies=legacy.companies,
        born=BORN,
        contact_sources=sources,
        contacts=sources - merged - rejected,
        merged=merged,
        merged_by_mapping={"contacts_from_emails": legacy.emails_merged, "contacts_from_phones": legacy.phones_merged},
        rejected=rejected,
        rejected_by_reason=by_reason,
        addresses=legacy.entity_addresses,
        primary_addresses=legacy.primary_addresses,
        enrichments=legacy.profiles,
        financials=legacy.financials,
        transactions=legacy.transactions,
    )
