"""What is known of one person, as the service stores it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Email:
    address: str
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Phone:
    number: str
    whatsapp: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    street: str
    number: str
    neighborhood: str
    city: str
    state: str
    zip_code: str
    kind: str
    primary: bool

    @property
    def id(self) -> UUID:
        """The same place has the same id, whoever lives there."""
        place = "|".join((self.street, self.number, self.neighborhood, self.city, self.state, self.zip_code))
        return UUID(hashlib.md5(place.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Payload:
    """What a provider and a lead say about a person.

    ``emails``, ``phones`` and ``addresses`` replace what is stored; None leaves it as it is. ``profile`` is the
    provider's answer, None if it has none.
    """

    name: str
    emails: tuple[Email, ...] | None = None
    phones: tuple[Phone, ...] | None = None
    addresses: tuple[Address, ...] | None = None
    profile: Mapping[str, Any] | None = None
