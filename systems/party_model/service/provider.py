"""The enrichment provider, simulated: what it says about a person follows from the CPF and the lead alone.

A person has a few addresses, e-mail addresses and numbers; each lead brings another choice of them, in another
spelling, so that storing a second lead adds some, removes some and rewrites some.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import cpf as cpfs
from .payload import Address, Email, Payload, Phone

PROVIDER = "c2s"

_GIVEN = (
    "Alice",
    "Bento",
    "Cecilia",
    "Davi",
    "Elisa",
    "Felipe",
    "Helena",
    "Igor",
    "Joana",
    "Kaique",
    "Livia",
    "Miguel",
)
_FAMILY = ("Araujo", "Borges", "Campos", "Duarte", "Esteves", "Fonseca", "Guimaraes", "Lacerda", "Monteiro", "Pires")
_DOMAINS = ("gmail.com", "hotmail.com", "uol.com.br", "empresa.example")
_PLACES = (("São Paulo", "SP"), ("Curitiba", "PR"), ("Recife", "PE"), ("Belo Horizonte", "MG"))


def enrich(cpf: str, lead: str, given: Mapping[str, Any] | None = None) -> Payload:
    """What is to be stored about the person.

    :param given: ``emails`` and ``phones`` that the lead itself brings, as in the body of a request; they take
        the place of the provider's.
    :raises KeyError, TypeError, ValueError: if ``given`` has another shape.
    """
    person = random.Random(cpf)
    name = f"{person.choice(_GIVEN)} {person.choice(_FAMILY)} {person.choice(_FAMILY)}"
    if cpfs.is_born(cpf):
        return Payload(name)
    chance = random.Random(f"{cpf} {lead}")
    profile = {"lead": lead, "score": chance.randrange(1000), "status": chance.choice(("complete", "partial"))}
    payload = Payload(name, profile=profile)
    if cpfs.is_of_load(cpf):
        payload = replace(
            payload,
            emails=_emails(name, cpf, chance),
            phones=_phones(person, chance),
            addresses=_addresses(cpf, person, chance),
        )
    return _with_given(payload, given or {})


def _with_given(payload: Payload, given: Mapping[str, Any]) -> Payload:
    if "emails" in given:
        emails = tuple(Email(str(each["address"]), bool(each.get("primary", False))) for each in given["emails"])
        payload = replace(payload, emails=emails)
    if "phones" in given:
        phones = tuple(Phone(str(each["number"]), bool(each.get("whatsapp", False))) for each in given["phones"])
        payload = replace(payload, phones=phones)
    return payload


def _emails(name: str, cpf: str, chance: random.Random) -> tuple[Email, ...]:
    local = name.lower().replace(" ", ".")
    known = [f"{local}.{cpf[:9]}.{place}@{_DOMAINS[place]}" for place in range(4)]
    chosen = [_spelled(address, chance) for address in chance.sample(known, chance.choice((0, 1, 1, 2, 3)))]
    if chosen and chance.random() < 0.05:
        chosen.append(chosen[0].swapcase())  # the same once more
    if chance.random() < 0.04:
        chosen.append(chance.choice(("", "sem email")))
    primary = chance.randrange(len(chosen)) if chosen else None
    return tuple(Email(address, place == primary) for place, address in enumerate(chosen))


def _spelled(address: str, chance: random.Random) -> str:
    return chance.choice((address, address, address.upper(), f" {address}  ", address.title()))


def _phones(person: random.Random, chance: random.Random) -> tuple[Phone, ...]:
    known = [(person.choice(("11", "21", "55", "85")), f"9{person.randrange(10**8):08d}") for _ in range(4)]
    chosen = []
    for area, number in chance.sample(known, chance.choice((0, 1, 2, 2, 3))):
        head, tail = number[:5], number[5:]
        spellings = (f"+55 ({area}) {head}-{tail}", f"({area}) {head}-{tail}", area + number, f"0{area} {head} {tail}")
        chosen += [Phone(spelling, chance.random() < 0.4) for spelling in chance.sample(spellings, 1)]
    if chosen and chance.random() < 0.05:
        again = chosen[0]
        chosen.append(Phone(f"{again.number} ", again.whatsapp))
    if chance.random() < 0.03:
        chosen.append(Phone("não informado"))
    return tuple(chosen)


def _addresses(cpf: str, person: random.Random, chance: random.Random) -> tuple[Address, ...]:
    known: list[tuple[str, str, Sequence[str], str]] = [
        (f"Rua {cpf[:6]}", str(person.randrange(1, 3000)), person.choice(_PLACES), f"{person.randrange(10**7, 10**8)}")
        for _ in range(3)
    ]
    chosen = chance.sample(known, chance.choice((0, 0, 1, 2)))
    primary = chance.choice((0, None))
    return tuple(
        Address(
            street,
            number,
            "Centro",
            place[0],
            place[1],
            zip_code,
            chance.choice(("residential", "billing")),
            order == primary,
        )
        for order, (street, number, place, zip_code) in enumerate(chosen)
    )
