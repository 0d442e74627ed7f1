"""How the new model writes contacts; the plan's mappings say the same in SQL."""

from __future__ import annotations

import re

_NOT_NATIONAL = re.compile(r"^0*(55(?=[0-9]{10,11}$))?")


def email(address: str) -> str | None:
    """The address in lower case without spaces around it; None if it is none."""
    return address.strip(" ").lower() if "@" in address else None


def phone(number: str) -> str | None:
    """The national digits; None if there are none.

    Zeros in front go, and the country's 55 where an area code and eight or nine digits follow it.
    """
    if not re.search("[1-9]", number):
        return None
    return _NOT_NATIONAL.sub("", re.sub("[^0-9]", "", number))


def contact_type(whatsapp: bool) -> str:
    """The contact_type of a number."""
    return "whatsapp" if whatsapp else "phone"
