"""Checks that nothing which the application acknowledged was lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from .journal import Entry

QUERIES = Path(__file__).parent / "queries"


@dataclass(slots=True)
class Wanted:
    """What must be there of a lead, by the journal.

    :ivar values: columns of "Lead"; those that no write named are missing.
    :ivar uncertain: a write about it failed, so that nobody knows.
    """

    values: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    jobs: set[str] = field(default_factory=set)
    forgotten: bool = False
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A lead of which not all is there that was acknowledged."""

    lead: str
    what: str


def wanted(entries: Iterable[Entry]) -> dict[str, Wanted]:
    """Lead -> what must be there, from a journal in which no two writes about a lead overlap."""
    found: dict[str, Wanted] = {}
    for entry in entries:
        lead = found.setdefault(entry.lead, Wanted())
        if not entry.ok:
            lead.uncertain = True
        elif entry.kind == "say":
            lead.messages.append(entry.values["content"])
        elif entry.kind == "job":
            lead.jobs.add(entry.values["id"])
        elif entry.kind == "forget":
            lead.forgotten = True
        else:
            lead.values |= entry.values
    return found


def verify(entries: Iterable[Entry], conn: psycopg.Connection[Any]) -> list[Lost]:
    """Compare what was acknowledged with the database, once all changes have been applied.

    Messages of a lead must be in its conversation in the order in which they were said.
    """
    leads = {name: lead for name, lead in wanted(entries).items() if not lead.uncertain}
    query = (QUERIES / "stored.sql").read_text(encoding="utf-8").encode()
    with conn.cursor(row_factory=dict_row) as cursor:
        stored = {row["id"]: row for row in cursor.execute(query, {"leads": list(leads)})}
    found = ((name, _missing(lead, stored.get(name))) for name, lead in leads.items())
    return [Lost(name, what) for name, what in found if what]


def _missing(lead: Wanted, stored: dict[str, Any] | None) -> str:
    """What is wrong; empty if nothing is."""
    if stored is None or lead.forgotten:
        return "" if lead.forgotten and stored is None else "still there" if lead.forgotten else "not there"
    different = [name for name, value in lead.values.items() if stored[name] != value]
    if different:
        return f"another {' and '.join(different)}"
    if not stored["right_customer"]:
        return "not its customer's"
    if not stored["right_conversation"]:
        return "its conversation is not its customer's" if stored["right_conversation"] is False else "no conversation"
    if not lead.jobs <= set(stored["jobs"]):
        return "a job is not there, or not its customer's"
    return "" if _in_order(lead.messages, stored["messages"]) else "a message is not there, or not in its place"


def _in_order(said: Sequence[str], stored: Sequence[str]) -> bool:
    rest = iter(stored)
    return all(content in rest for content in said)
