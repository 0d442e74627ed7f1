"""What is wrong with the database before the hardening: the figures that whoever looks at it has to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..party_model.counts import scaled
from .counts import WITH_CONFIDENCE, Planted, counts, planted

NEGLECTED = (
    "core.entities",
    "core.entity_phones",
    "core.entity_emails",
    "core.entity_addresses",
    "core.entity_relationships",
    "core.addresses",
)
"""Tables without autovacuum, that were analyzed when they held a few rows; the six that the plan touches."""

ENTITIES_BYTES = 946 * 1024 * 1024
"""Size of core.entities at scale 1.0, without its indexes."""

ENTITIES_WOULD_DO = 200 * 1024 * 1024
"""About what it would be without old versions of rows."""


@dataclass(frozen=True, slots=True)
class Bloat:
    """A table's size in bytes, without indexes, and about what would do."""

    bytes: int
    would_do: int


@dataclass(frozen=True, slots=True)
class Defects:
    """What there is to be found; rows are counted, before any load.

    :ivar rows: table -> rows.
    :ivar enriched: entities that are enriched.
    :ivar with_confidence: rows of core.entity_addresses that have a confidence_score.
    :ivar stale_statistics: tables whose statistics are of a time when they held a few rows; autovacuum is off there.
    :ivar bloated: table -> its size; both figures are about right.
    :ivar never_filled: columns that are NULL in every row, and should not be.
    :ivar already_unique: table -> columns that have a unique constraint already.
    :ivar missing_tables: tables that the code refers to and that are not there.
    :ivar missing_defaults: columns whose default `now()` is not there.
    """

    scale: float
    rows: Mapping[str, int]
    enriched: int
    with_confidence: int
    planted: Planted
    stale_statistics: tuple[str, ...]
    bloated: Mapping[str, Bloat]
    never_filled: tuple[str, ...]
    already_unique: Mapping[str, str]
    missing_tables: tuple[str, ...]
    missing_defaults: tuple[str, ...]


def defects(scale: float) -> Defects:
    """What is wrong at ``scale``.

    :raises ValueError: if the scale is too small.
    """
    made, wrong = counts(scale), planted(scale)
    return Defects(
        scale=scale,
        rows={
            "core.entities": made.entities,
            "core.entity_phones": made.phones + wrong.surplus_phones,
            "core.entity_emails": made.emails,
            "core.entity_addresses": made.entity_addresses,
            "core.entity_profiles": made.profiles,
            "core.addresses": made.addresses,
            "core.properties": made.properties,
        },
        enriched=made.profiled_entities,
        with_confidence=WITH_CONFIDENCE,
        planted=wrong,
        stale_statistics=NEGLECTED,
        bloated={"core.entities": Bloat(scaled(ENTITIES_BYTES, scale), scaled(ENTITIES_WOULD_DO, scale))},
        never_filled=("core.entity_phones.phone_e164",),
        already_unique={"core.entities": "national_id"},
        missing_tables=("ref.property_types", "ref.street_type_catalog"),
        missing_defaults=(
            "core.entities.updated_at",
            "core.entity_phones.created_at",
            "core.entity_emails.created_at",
            "core.entity_addresses.created_at",
            "core.addresses.created_at",
        ),
    )
