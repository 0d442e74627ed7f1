"""Checks that nothing which the service acknowledged was lost, in either model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg

from .journal import NOT_STORED, Entry
from .service.new_model import contacts_of_emails, contacts_of_phones
from .service.payload import Email, Payload, Phone
from .service.provider import PROVIDER, enrich

QUERIES = Path(__file__).parent / "queries"
BATCH = 1_000

Shape = Mapping[str, Any]
"""What is stored of one person, in a form that can be compared; empty if nothing is."""


@dataclass(frozen=True, slots=True)
class Write:
    """The last thing that was asked for about a person; ``payload`` None if it was to forget them.

    ``born`` if it went to the new model when that was not yet in use, so that the old one needs not know.
    """

    model: str
    lead: str
    payload: Payload | None
    born: bool


@dataclass(slots=True)
class Person:
    """What may be stored of a person: the last acknowledged write, or one whose end is unknown since."""

    acknowledged: Write | None = None
    uncertain: list[Write] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lost:
    """A person of whom a model does not hold what was acknowledged."""

    cpf: str
    model: str
    what: str


def last_writes(entries: Iterable[Entry]) -> dict[str, Person]:
    """CPF -> what must be stored, from a journal in which no two requests about a person overlap."""
    people: dict[str, Person] = {}
    for entry in entries:
        if entry.model == NOT_STORED:
            continue
        writes = {
            cpf: Write(entry.model, entry.lead, enrich(cpf, entry.lead, given), entry.kind == "born")
            for cpf, given in entry.people.items()
        }
        writes |= {cpf: Write(entry.model, entry.lead, None, entry.kind == "born") for cpf in entry.erased}
        for cpf, write in writes.items():
            person = people.setdefault(cpf, Person())
            if entry.ok:
                person.acknowledged, person.uncertain = write, []
            else:
                person.uncertain.append(write)
    return people


def verify(
    entries: Iterable[Entry], conn: psycopg.Connection[Any], *, models: Sequence[str] = ("old", "new")
) -> list[Lost]:
    """Compare each person's last acknowledged write with both models.

    A write to the one must be in the other one too; of those to the new one the old one holds the contacts as they are
    there.

    :param conn: sync must have caught up; an autocommit connection.
    :param models: those that are there.
    """
    people = {cpf: person for cpf, person in last_writes(entries).items() if person.acknowledged}
    found: list[Lost] = []
    for model in models:
        for cpfs in _batches(people):
            stored = _stored(conn, model, cpfs)
            for cpf in cpfs:
                what = _difference(cpf, people[cpf], stored.get(cpf, []), model)
                if what:
                    found.append(Lost(cpf, model, what))
    return found


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _stored(conn: psycopg.Connection[Any], model: str, cpfs: list[str]) -> dict[str, list[Shape]]:
    query = (QUERIES / f"stored_{model}.sql").read_text(encoding="utf-8")
    stored: dict[str, list[Shape]] = {}
    for cpf, name, lead, emails, phones, addresses, profile, *person in conn.execute(
        query, {"cpfs": cpfs, "provider": PROVIDER}
    ):
        shape = {"name": name, "lead": lead, "profile": profile}
        shape |= {"emails": sorted(emails), "phones": sorted(phones), "addresses": sorted(addresses)}
        if person:
            shape["person"] = person[0]
        stored.setdefault(cpf, []).append(shape)
    return stored


def _difference(cpf: str, person: Person, stored: list[Shape], model: str) -> str:
    """What is wrong in this model; empty if nothing is."""
    assert person.acknowledged is not None
    if len(stored) > 1:
        return f"{len(stored)} rows"
    is_there: Shape = stored[0] if stored else {}
    complaints = []
    for write in (person.acknowledged, *person.uncertain):
        if write.born and model == "old":
            return ""
        if write.payload is None:
            if not is_there:
                return ""
            complaints.append("still there")
        elif not is_there:
            complaints.append("not there")
        else:
            wanted = _expected(cpf, write, model)
            held = _normalised(is_there) if write.model == "new" and model == "old" else is_there
            different = [name for name, value in wanted.items() if held[name] != value]
            if not different:
                return ""
            complaints.append("different " + ", ".join(different))
    return complaints[0]


def _expected(cpf: str, write: Write, model: str) -> dict[str, Any]:
    """What a write must have left; names that it leaves as they were are missing."""
    payload = write.payload
    assert payload is not None
    shape: dict[str, Any] = {"name": payload.name, "lead": write.lead}
    if model == "new":
        shape["person"] = [cpf, payload.name]
    if payload.profile is not None:
        shape["profile"] = dict(payload.profile)
    if payload.emails is not None:
        shape["emails"] = (
            _rows({email.address: email.primary for email in payload.emails})
            if model == "old" and write.model != "new"
            else _contacts(contacts_of_emails(payload.emails))
        )
    if payload.phones is not None:
        shape["phones"] = (
            _rows({phone.number: phone.whatsapp for phone in payload.phones})
            if model == "old" and write.model != "new"
            else _contacts(contacts_of_phones(payload.phones))
        )
    if payload.addresses is not None:
        rows: list[list[Any]] = [[str(each.id), each.kind, each.primary] for each in payload.addresses]
        if model == "new":
            rows = [[*row, "0.90" if row[2] else "0.75"] for row in rows]
        shape["addresses"] = sorted(rows)
    return shape


def _normalised(stored: Shape) -> Shape:
    """What the old model holds, with its contacts as the new one has them."""
    emails = [Email(address, primary) for address, primary in stored["emails"]]
    phones = [Phone(number, whatsapp) for number, whatsapp in stored["phones"]]
    contacts = {"emails": contacts_of_emails(emails), "phones": contacts_of_phones(phones)}
    return {**stored, **{name: _contacts(found) for name, found in contacts.items()}}


def _rows(values: Mapping[str, bool]) -> list[list[Any]]:
    return sorted([value, flag] for value, flag in values.items())


def _contacts(contacts: Mapping[tuple[str, str], bool]) -> list[list[Any]]:
    return sorted([kind, value, primary] for (kind, value), primary in contacts.items())
