"""The rules about CPFs, contacts, row replacement and what a load asks for."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.party_model.old_model.replacement import replacement
from systems.party_model.operations import KnownPerson, Operation, born, numbered
from systems.party_model.service import cpf as cpfs
from systems.party_model.service import normalise
from systems.party_model.service.payload import Payload
from systems.party_model.service.provider import enrich

KNOWN = [KnownPerson(f"{number:011d}", 1 + number % 3, 1 + number % 5) for number in range(20)]


def test_check_digits() -> None:
    assert cpfs.is_valid("52998224725")
    assert not cpfs.is_valid("52998224726")
    assert not cpfs.is_valid("5299822472")
    assert not cpfs.is_valid("5299822472x")
    assert not cpfs.is_valid("٥٢٩٩٨٢٢٤٧٢٥")


def test_the_ranges_of_cpfs_do_not_meet() -> None:
    assert cpfs.of_load(0).startswith("900000000")
    assert cpfs.is_of_load(cpfs.of_load(89_999_999))
    assert not cpfs.is_born(cpfs.of_load(89_999_999))
    assert cpfs.is_born(cpfs.born(25, 123_456_789))
    assert not cpfs.is_of_load(cpfs.born(0, 0))
    with pytest.raises(ValueError, match="no person number 90000000"):
        cpfs.of_load(90_000_000)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("+55 (11) 98765-4321", "11987654321"),
        ("5511987654321", "11987654321"),
        ("011 98765 4321", "11987654321"),
        ("(11) 3765-4321", "1137654321"),
        ("55 98765-4321", "55987654321"),  # 55 is an area code too
        ("55 55 98765-4321", "55987654321"),
        ("não informado", None),
        ("", None),
        ("000", None),
    ],
)
def test_numbers_become_national_digits(written: str, value: str | None) -> None:
    assert normalise.phone(written) == value


def test_addresses_become_lower_case() -> None:
    assert normalise.email("  Ana@X.Example ") == "ana@x.example"
    assert normalise.email("sem email") is None


@given(
    stored=st.lists(st.tuples(st.text("abcdef", max_size=1), st.booleans()), unique_by=lambda item: item[0]),
    wanted=st.lists(st.tuples(st.text("abcdef", max_size=1), st.booleans()), unique_by=lambda item: item[0]),
)
def test_replacing_rows_makes_the_stored_the_wanted(
    stored: list[tuple[str, bool]], wanted: list[tuple[str, bool]]
) -> None:
    rows = dict(enumerate(stored))
    todo = replacement(rows.items(), wanted, lambda item: item[0])
    for row in todo.delete:
        del rows[row]
    for row, item in todo.change.items():
        rows[row] = item
        assert len({value for value, _ in rows.values()}) == len(rows)  # no two alike in between
    assert sorted([*rows.values(), *todo.add]) == sorted(wanted)
    assert not todo.delete or not todo.add


def test_the_provider_says_the_same_of_the_same_lead() -> None:
    cpf = cpfs.of_load(1)
    assert enrich(cpf, "L1") == enrich(cpf, "L1")
    assert len({repr(enrich(cpf, f"L{number}")) for number in range(20)}) == 20
    assert enrich(cpf, "L1").name == enrich(cpf, "L2").name


def test_the_provider_leaves_contacts_of_other_people_alone() -> None:
    assert enrich("52998224725", "L1").emails is None
    assert enrich(cpfs.born(1, 1), "L1") == Payload(enrich(cpfs.born(1, 1), "L2").name)


def test_the_provider_brings_every_kind_of_contact() -> None:
    payloads = [enrich(cpfs.of_load(number), "L1") for number in range(300)]
    emails = [email for payload in payloads for email in payload.emails or ()]
    phones = [phone for payload in payloads for phone in payload.phones or ()]
    assert any(normalise.email(email.address) is None for email in emails)
    assert any(normalise.phone(phone.number) is None for phone in phones)
    assert any(email.address != email.address.strip() for email in emails)
    assert {phone.whatsapp for phone in phones} == {True, False}
    for payload in payloads:
        assert sum(email.primary for email in payload.emails or ()) <= 1
        assert sum(address.primary for address in payload.addresses or ()) <= 1


def _operations(worker: int, workers: int, count: int) -> list[tuple[int, Operation]]:
    return list(islice(numbered(worker, workers, 1, KNOWN), count))


def test_a_load_asks_the_same_for_the_same_seed() -> None:
    assert _operations(1, 4, 200) == _operations(1, 4, 200)
    assert [number for number, _ in _operations(1, 4, 3)] == [1, 5, 9]


def test_no_two_workers_name_the_same_person() -> None:
    named = [
        {cpf for _, operation in _operations(worker, 4, 500) for cpf in (*operation.people, *operation.erased)}
        for worker in range(4)
    ]
    assert sum(map(len, named)) == len(set().union(*named))


def test_a_load_mixes_everything() -> None:
    operations = [operation for _, operation in _operations(0, 1, 1_000)]
    kinds = {operation.kind for operation in operations}
    assert kinds == {"change known", "change", "erase", "several", "process", "new"}
    several = next(operation for operation in operations if operation.kind == "several")
    assert len(several.people) == 2
    assert not cpfs.is_valid(several.invalid[0])
    for operation in operations:
        if operation.kind == "change known":
            ((cpf, lead),) = operation.people.items()
            person = next(each for each in KNOWN if each.cpf == cpf)
            assert len({email["address"] for email in lead["emails"]}) == person.emails
            assert len({phone["number"] for phone in lead["phones"]}) == person.phones


def test_erased_people_are_not_named_again_until_they_come_anew() -> None:
    there: set[str] = set()
    for _, operation in _operations(0, 1, 2_000):
        if operation.kind == "change":
            assert set(operation.people) <= there
        if operation.kind in {"new", "process", "several"}:
            there |= set(operation.people)
        assert set(operation.erased) <= there
        there -= set(operation.erased)


def test_the_born_follow_from_the_seed() -> None:
    people = [next(iter(operation.people)) for operation in born(3, 26)]
    assert len(set(people)) == 26
    assert all(cpfs.is_valid(cpf) and cpfs.is_born(cpf) for cpf in people)
    assert {operation.model for operation in born(3, 26)} == {"new"}
    assert people != [next(iter(operation.people)) for operation in born(4, 26)]
