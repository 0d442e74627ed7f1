"""How many rows of each kind there are at a scale before the hardening, and what must come of it.

The tables are those of the party model, on the day before.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..party_model.counts import Counts, scaled

MINIMUM_SCALE = 0.001
"""Below it there would be fewer rows than are planted."""

LEAST_PLANTED = 4
"""Of each kind of planted rows there are at least so many, at any scale."""

WITH_CONFIDENCE = 3
"""Addresses of entities with a confidence score, at every scale."""


@dataclass(frozen=True, slots=True)
class Planted:
    """Rows that are not as they must be.

    :ivar surplus_phones: rows of core.entity_phones whose entity has the number in an older row.
    :ivar states_to_normalise: states that have a form of two capitals: `sp`, ` SP `, `São Paulo`.
    :ivar states_unusable: states that have none.
    :ivar zip_codes_to_normalise: zip codes that are not eight digits, and hold eight: `01310-100`.
    :ivar zip_codes_unusable: zip codes that hold fewer or more.
    """

    surplus_phones: int
    states_to_normalise: int
    states_unusable: int
    zip_codes_to_normalise: int
    zip_codes_unusable: int

    @property
    def states(self) -> int:
        """States that are not two capitals."""
        return self.states_to_normalise + self.states_unusable

    @property
    def zip_codes(self) -> int:
        """Zip codes that are not eight digits."""
        return self.zip_codes_to_normalise + self.zip_codes_unusable


def planted(scale: float) -> Planted:
    """What is planted at ``scale``."""
    return Planted(
        surplus_phones=_planted(1_522, scale),
        states_to_normalise=_planted(21_246, scale),
        states_unusable=_planted(312, scale),
        zip_codes_to_normalise=_planted(48_903, scale),
        zip_codes_unusable=_planted(1_177, scale),
    )


def _planted(rows: int, scale: float) -> int:
    return max(scaled(rows, scale), LEAST_PLANTED)


def counts(scale: float) -> Counts:
    """The rows at ``scale``, without the surplus phones, which come on top of these.

    :raises ValueError: if ``scale`` is below :data:`MINIMUM_SCALE`.
    """
    if scale < MINIMUM_SCALE:
        raise ValueError(f"scale {scale} is too small: what is planted needs at least {MINIMUM_SCALE}")
    return of_any_size(scale)


def of_any_size(scale: float) -> Counts:
    """As :func:`counts`, however small: what the tables held when they were analyzed for the last time."""
    enriched = scaled(695_288, scale)
    entity_addresses = max(scaled(11_529, scale), 2 * WITH_CONFIDENCE)
    return Counts(
        entities=scaled(1_536_771, scale),
        companies=scaled(412_530, scale),
        emails=scaled(872_939, scale),
        emails_merged=scaled(806, scale),
        emails_empty=scaled(150, scale),
        emails_no_at=scaled(100, scale),
        phones=scaled(1_724_852, scale),
        phones_merged=scaled(1_100, scale),
        phones_empty=max(scaled(260, scale), LEAST_PLANTED),
        phones_no_digits=scaled(140, scale),
        addresses=scaled(1_416_411, scale),
        entity_addresses=entity_addresses,
        primary_addresses=min(max(scaled(1_054, scale), 1), entity_addresses),
        # An entity that is enriched has one profile, or two.
        profiles=scaled(1_375_986, scale),
        profiled_entities=enriched,
        profile_stride=2,
        financials=min(250, enriched),
        properties=scaled(1_447_983, scale),
        transactions=scaled(60_000, scale),
        relationships=scaled(300_000, scale),
        family_relationships=scaled(350_000, scale),
    )
