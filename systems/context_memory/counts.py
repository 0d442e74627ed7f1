"""How many rows of each kind there are at a scale, and how many must come out of the migration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BLOCK = 1_000
"""Leads of a block: ``legacy/load.sql`` gives each place of it its part to play."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must become of one mapping's source; ``source`` = ``migrated`` + ``merged`` + the rejected.

    :ivar rejected: reason -> rows.
    """

    source: int
    migrated: int
    merged: int
    rejected: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Expected:
    """What is there and what must come out, rows of a load apart.

    :ivar messages: elements of all arrays; ``messages_migrated`` of them are of leads that have a customer.
    :ivar customers: rows of "Customer".
    :ivar conflicts: e-mail addresses that several customers share.
    :ivar mappings: by name.
    """

    leads: int
    jobs: int
    audits: int
    messages: int
    messages_migrated: int
    customers: int
    conflicts: int
    mappings: Mapping[str, Outcome]


def expected(scale: float) -> Expected:
    """The figures at ``scale``, of which 1.0 is 1,000,000 leads with 5,000,000 messages.

    :raises ValueError: if it is less than one block of leads.
    """
    blocks = round(BLOCK * scale)
    if blocks < 1:
        raise ValueError(f"scale {scale:g} is too small: it needs at least {1 / BLOCK:g}")
    leads, jobs, audits, talks = (blocks * each for each in (BLOCK, 200, 2235, 1035))
    nobody = "neither phone nor e-mail"
    return Expected(
        leads=leads,
        jobs=jobs,
        audits=audits,
        messages=blocks * 5_000,
        messages_migrated=blocks * 4_980,
        customers=blocks * 885,
        conflicts=blocks * 15,
        mappings={
            "customers": Outcome(leads, blocks * 885, blocks * 105, {nobody: blocks * 10}),
            "conversations": Outcome(
                audits,
                blocks * 970,
                blocks * 50,
                {"something else": audits - talks, "no lead": blocks * 5, "no customer": blocks * 10},
            ),
            "messages": Outcome(leads, blocks * 970, 0, {"no message": blocks * 20, "no customer": blocks * 10}),
            "lead_customers": Outcome(leads, blocks * 990, 0, {nobody: blocks * 10}),
            "job_customers": Outcome(jobs, jobs, 0, {}),
        },
    )
