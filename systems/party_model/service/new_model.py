"""The new model: parties, people, and normalised contacts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from psycopg import AsyncCursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from . import normalise
from .payload import Address, Email, Payload, Phone
from .provider import PROVIDER

Cursor = AsyncCursor[TupleRow]


def contacts_of_emails(emails: Sequence[Email]) -> dict[tuple[str, str], bool]:
    """(contact_type, value) -> is_primary, of the addresses that can be used."""
    contacts: dict[tuple[str, str], bool] = {}
    for email in emails:
        if value := normalise.email(email.address):
            contacts["email", value] = contacts.get(("email", value), False) or email.primary
    return contacts


def contacts_of_phones(phones: Sequence[Phone]) -> dict[tuple[str, str], bool]:
    """(contact_type, value) -> is_primary, of the numbers that can be used."""
    values = ((normalise.contact_type(phone.whatsapp), normalise.phone(phone.number)) for phone in phones)
    return {(kind, value): False for kind, value in values if value}


async def store(cursor: Cursor, cpf: str, payload: Payload, lead_id: str, entity_id: UUID | None) -> UUID:
    """Store the person; the party's id.

    :param entity_id: the person's entity, whose id is then the party's; None if only the new model is written.
    """
    party_id = entity_id or await _find(cursor, cpf) or uuid4()
    await cursor.execute(
        "INSERT INTO core.parties AS p (id, cpf_cnpj, party_type, display_name, metadata)"
        " VALUES (%(id)s, %(cpf)s, 'person', %(name)s, %(lead)s)"
        " ON CONFLICT (id) DO UPDATE SET display_name = EXCLUDED.display_name,"
        " metadata = coalesce(p.metadata, '{}') || EXCLUDED.metadata, updated_at = now()",
        {"id": party_id, "cpf": cpf, "name": payload.name, "lead": Jsonb({"c2s_lead_id": lead_id})},
    )
    await cursor.execute(
        "INSERT INTO core.people (party_id, cpf, full_name) VALUES (%s, %s, %s)"
        " ON CONFLICT (party_id) DO UPDATE SET full_name = EXCLUDED.full_name",
        [party_id, cpf, payload.name],
    )
    if payload.emails is not None:
        await store_party_emails(cursor, party_id, payload.emails)
    if payload.phones is not None:
        await store_party_phones(cursor, party_id, payload.phones)
    if payload.addresses is not None:
        await _store_addresses(cursor, party_id, payload.addresses)
    if payload.profile is not None:
        await cursor.execute(
            "INSERT INTO core.party_enrichments (party_id, provider, raw_data) VALUES (%s, %s, %s)"
            " ON CONFLICT (party_id, provider) DO UPDATE SET raw_data = EXCLUDED.raw_data, enriched_at = now()",
            [party_id, PROVIDER, Jsonb(payload.profile)],
        )
    return party_id


async def store_party_emails(cursor: Cursor, party_id: UUID, emails: Sequence[Email]) -> None:
    """Make these the party's e-mail addresses."""
    await _store_contacts(cursor, party_id, ["email"], contacts_of_emails(emails))


async def store_party_phones(cursor: Cursor, party_id: UUID, phones: Sequence[Phone]) -> None:
    """Make these the party's phone and WhatsApp numbers."""
    await _store_contacts(cursor, party_id, ["phone", "whatsapp"], contacts_of_phones(phones))


async def _find(cursor: Cursor, cpf: str) -> UUID | None:
    await cursor.execute("SELECT id FROM core.parties WHERE cpf_cnpj = %s ORDER BY created_at, id LIMIT 1", [cpf])
    row = await cursor.fetchone()
    return row[0] if row else None


async def _store_contacts(
    cursor: Cursor, party_id: UUID, kinds: list[str], contacts: dict[tuple[str, str], bool]
) -> None:
    ordered = sorted(contacts.items())
    await cursor.execute(
        "DELETE FROM core.party_contacts c WHERE c.party_id = %s AND c.contact_type = ANY (%s) AND NOT EXISTS ("
        "SELECT FROM unnest(%s::text[], %s::text[]) AS w(contact_type, value)"
        " WHERE w.contact_type = c.contact_type AND w.value = c.value)",
        [party_id, kinds, [kind for (kind, _), _ in ordered], [value for (_, value), _ in ordered]],
    )
    for (kind, value), primary in ordered:
        await cursor.execute(
            "INSERT INTO core.party_contacts (party_id, contact_type, value, is_primary) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (party_id, contact_type, value) DO UPDATE SET is_primary = EXCLUDED.is_primary",
            [party_id, kind, value, primary],
        )


async def _store_addresses(cursor: Cursor, party_id: UUID, addresses: Sequence[Address]) -> None:
    await cursor.execute(
        "DELETE FROM core.party_addresses WHERE party_id = %s AND address_id <> ALL (%s)",
        [party_id, [address.id for address in addresses]],
    )
    # The index lets one address be primary: first those that are not.
    for address in sorted(addresses, key=lambda each: each.primary):
        await cursor.execute(
            "INSERT INTO core.party_addresses (party_id, address_id, address_type, is_primary, confidence_score)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (party_id, address_id) DO UPDATE"
            " SET address_type = EXCLUDED.address_type, is_primary = EXCLUDED.is_primary,"
            " confidence_score = EXCLUDED.confidence_score",
            [party_id, address.id, address.kind, address.primary, 0.9 if address.primary else 0.75],
        )
