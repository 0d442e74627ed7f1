"""What a load asks of the service: a mix that follows from the seed, request by request.

A worker has people of its own, so that no two requests that are under way name the same person, and the last
answer about a person says how the person must be stored.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .service import cpf as cpfs


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """Somebody whom the generator made: a load may change the contacts, but neither add nor remove any."""

    cpf: str
    emails: int
    phones: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One request.

    :ivar people: CPF -> what the lead brings; only the CPFs that must be stored.
    :ivar invalid: numbers in the lead that are no CPFs, and must be refused.
    :ivar erased: CPFs that are to be forgotten.
    """

    kind: str
    method: str
    path: str
    lead: str = ""
    body: Mapping[str, Any] | None = None
    people: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    invalid: Sequence[str] = ()
    erased: Sequence[str] = ()
    model: str | None = None


def numbered(worker: int, workers: int, seed: int, known: Sequence[KnownPerson]) -> Iterator[tuple[int, Operation]]:
    """The worker's requests with their numbers in the whole load, without end."""
    own: list[str] = []
    mine = known[worker::workers]
    number = worker
    while True:
        yield number, _operation(number, random.Random(f"{seed} {number}"), own, mine)
        number += workers


def born(seed: int, count: int) -> list[Operation]:
    """A lead each for the people born in the new model: only it is written."""
    return [_post("born", f"B{number}", {cpfs.born(number, seed): {}}, model="new") for number in range(count)]


def _operation(number: int, chance: random.Random, own: list[str], known: Sequence[KnownPerson]) -> Operation:
    dice = chance.random()
    if dice < 0.20 and known:
        person = chance.choice(known)
        return _post("change known", f"K{number}", {person.cpf: _given(person, number, chance)})
    if dice < 0.45 and own:
        return _post("change", f"C{number}", {chance.choice(own): {}})
    if dice < 0.50 and own:
        cpf = own.pop(chance.randrange(len(own)))
        return Operation("erase", "DELETE", f"/api/v1/people/{cpf}", erased=[cpf])
    # Four numbers a request, of which a lead of several people takes two.
    first, second = cpfs.of_load(number * 4), cpfs.of_load(number * 4 + 1)
    own.append(first)
    if dice < 0.60:
        own.append(second)
        wrong = cpfs.of_load(number * 4 + 2)
        wrong = wrong[:-1] + str((int(wrong[-1]) + 1) % 10)
        return _post("several", f"S{number}", {first: {}, second: {}}, invalid=[wrong])
    if dice < 0.75:
        lead = f"G{number}.{first}"
        return Operation("process", "GET", f"/api/v1/leads/process?id={lead}", lead, people={first: {}})
    return _post("new", f"N{number}", {first: {}})


def _given(person: KnownPerson, number: int, chance: random.Random) -> dict[str, Any]:
    """As many e-mails and numbers as the person has, all of them usable and different."""
    primary = chance.randrange(person.emails)
    subscriber = chance.randrange(10**7)
    return {
        "emails": [
            {"address": f"{person.cpf}.{number}.{place}@Mudou.example", "primary": place == primary}
            for place in range(person.emails)
        ],
        "phones": [
            {"number": f"(11) 9{subscriber:07d}{place}", "whatsapp": chance.random() < 0.5}
            for place in range(person.phones)
        ],
    }


def _post(
    kind: str,
    lead: str,
    people: Mapping[str, Mapping[str, Any]],
    *,
    invalid: Sequence[str] = (),
    model: str | None = None,
) -> Operation:
    body = {"people": [{"cpf": cpf, **given} for cpf, given in people.items()] + [{"cpf": cpf} for cpf in invalid]}
    return Operation(kind, "POST", f"/api/v1/c2s/enrich/{lead}", lead, body, people, invalid, model=model)
