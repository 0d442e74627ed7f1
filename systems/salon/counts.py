"""How many rows the old service has."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of the old service, a table a field; ``unnormalised`` are clients whose phone is not as it must be."""

    companies: int
    clients: int
    services: int
    staff: int
    staff_schedules: int
    bookings: int
    dialog_contexts: int
    reminders: int
    messages: int
    unnormalised: int


def counts(scale: float = 1.0, messages: int | None = None) -> Counts:
    """The rows at ``scale``; 1.0 is what the salon has, and 100,000 messages. Each kind has at least one company's.

    :param messages: how many messages instead.
    :raises ValueError: if ``scale`` is not above 0, or there are less than no messages.
    """
    if scale <= 0:
        raise ValueError(f"scale {scale} is too small: it must be above 0")
    if messages is not None and messages < 0:
        raise ValueError(f"there cannot be {messages} messages")
    clients = _scaled(1_299, scale)
    bookings = _scaled(38, scale)
    return Counts(
        companies=_scaled(1, scale),
        clients=clients,
        services=_scaled(63, scale),
        staff=_scaled(12, scale),
        staff_schedules=_scaled(56, scale),
        bookings=bookings,
        dialog_contexts=min(clients, _scaled(21, scale)),
        reminders=bookings,
        messages=_scaled(100_000, scale) if messages is None else messages,
        unnormalised=clients // 20,
    )


def _scaled(rows: int, scale: float) -> int:
    return max(1, floor(rows * scale + 0.5))
