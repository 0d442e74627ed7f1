"""The old model: everything about a person hangs on core.entities."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from ..service.payload import Address, Email, Payload, Phone
from ..service.provider import PROVIDER
from .replacement import replacement

Cursor = AsyncCursor[TupleRow]


async def store(cursor: Cursor, cpf: str, payload: Payload, lead_id: str) -> UUID:
    """Store the person; the entity's id."""
    await cursor.execute(
        "INSERT INTO core.entities AS e (national_id, entity_type, name, metadata, is_enriched, enriched_at)"
        " VALUES (%(cpf)s, 'person', %(name)s, %(lead)s, true, now())"
        " ON CONFLICT (national_id) DO UPDATE SET name = EXCLUDED.name,"
        " metadata = coalesce(e.metadata, '{}') || EXCLUDED.metadata,"
        " is_enriched = true, enriched_at = now(), updated_at = now()"
        " RETURNING entity_id",
        {"cpf": cpf, "name": payload.name, "lead": Jsonb({"c2s_lead_id": lead_id})},
    )
    row = await cursor.fetchone()
    assert row is not None
    entity_id: UUID = row[0]
    if payload.emails is not None:
        await _store_emails(cursor, entity_id, payload.emails)
    if payload.phones is not None:
        await _store_phones(cursor, entity_id, payload.phones)
    if payload.addresses is not None:
        await _store_addresses(cursor, entity_id, payload.addresses)
    if payload.profile is not None:
        await cursor.execute(
            "INSERT INTO core.entity_profiles (entity_id, provider, payload) VALUES (%s, %s, %s)"
            " ON CONFLICT (entity_id, provider) DO UPDATE SET payload = EXCLUDED.payload, updated_at = now()",
            [entity_id, PROVIDER, Jsonb(payload.profile)],
        )
    return entity_id


async def erase(cursor: Cursor, cpf: str) -> bool:
    """Remove the person and all that hangs on it; whether there was one."""
    await cursor.execute("DELETE FROM core.entities WHERE national_id = %s", [cpf])
    return cursor.rowcount > 0


async def _store_emails(cursor: Cursor, entity_id: UUID, emails: Sequence[Email]) -> None:
    await cursor.execute(
        "SELECT id, email, is_primary FROM core.entity_emails WHERE entity_id = %s ORDER BY id", [entity_id]
    )
    stored = [(row[0], Email(row[1], row[2])) for row in await cursor.fetchall()]
    todo = replacement(stored, emails, lambda email: email.address)
    if todo.delete:
        await cursor.execute("DELETE FROM core.entity_emails WHERE id = ANY (%s)", [todo.delete])
    # Rows that cease to be primary go first, so that at no time two are.
    for row_id, email in sorted(todo.change.items(), key=lambda item: item[1].primary):
        await cursor.execute(
            "UPDATE core.entity_emails SET email = %s, is_primary = %s WHERE id = %s",
            [email.address, email.primary, row_id],
        )
    for email in todo.add:
        await cursor.execute(
            "INSERT INTO core.entity_emails (entity_id, email, is_primary) VALUES (%s, %s, %s)",
            [entity_id, email.address, email.primary],
        )


async def _store_phones(cursor: Cursor, entity_id: UUID, phones: Sequence[Phone]) -> None:
    await cursor.execute(
        "SELECT id, phone, is_whatsapp FROM core.entity_phones WHERE entity_id = %s ORDER BY id", [entity_id]
    )
    stored = [(row[0], Phone(row[1], row[2])) for row in await cursor.fetchall()]
    todo = replacement(stored, phones, lambda phone: phone.number)
    if todo.delete:
        await cursor.execute("DELETE FROM core.entity_phones WHERE id = ANY (%s)", [todo.delete])
    for row_id, phone in todo.change.items():
        await cursor.execute(
            "UPDATE core.entity_phones SET phone = %s, is_whatsapp = %s WHERE id = %s",
            [phone.number, phone.whatsapp, row_id],
        )
    for phone in todo.add:
        await cursor.execute(
            "INSERT INTO core.entity_phones (entity_id, phone, is_whatsapp) VALUES (%s, %s, %s)",
            [entity_id, phone.number, phone.whatsapp],
        )


async def _store_addresses(cursor: Cursor, entity_id: UUID, addresses: Sequence[Address]) -> None:
    await cursor.execute(
        "DELETE FROM core.entity_addresses WHERE entity_id = %s AND address_id <> ALL (%s)",
        [entity_id, [address.id for address in addresses]],
    )
    # As with the e-mails: first those that are not primary. What a lead says is trusted less where it is not.
    for address in sorted(addresses, key=lambda each: each.primary):
        await cursor.execute(
            "INSERT INTO core.entity_addresses (entity_id, address_id, address_type, is_primary, confidence_score)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (entity_id, address_id)"
            " DO UPDATE SET address_type = EXCLUDED.address_type, is_primary = EXCLUDED.is_primary,"
            " confidence_score = EXCLUDED.confidence_score",
            [entity_id, address.id, address.kind, address.primary, "0.90" if address.primary else "0.75"],
        )
