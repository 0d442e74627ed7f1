"""Storing one person of a lead: one transaction, in the old model, in the new one, or in both."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow

from ..old_model import store as old_model
from . import cpf as cpfs
from . import new_model
from .payload import Address, Payload

Connection = AsyncConnection[TupleRow]
Cursor = AsyncCursor[TupleRow]


class Model(StrEnum):
    """Which tables the service writes."""

    OLD = "old"
    NEW = "new"
    BOTH = "both"


class InvalidCpfError(ValueError):
    """The lead names somebody by a number that is not a CPF."""


async def store_enriched_person_with_lead(
    conn: Connection, cpf: str, payload: Payload, lead_id: str, model: Model
) -> UUID:
    """Make what is stored about the person what the payload says, and keep the lead's id with it.

    In the new model alone, the person must have no entity: what an entity yields is its mapping's business.

    :return: the id of the entity, and where only the new model is written, of the party.
    :raises InvalidCpfError: if the CPF is none; nothing is stored.
    :raises psycopg.Error: if the database refuses something; nothing is stored.
    """
    if not cpfs.is_valid(cpf):
        raise InvalidCpfError("not a CPF")
    async with conn.transaction(), conn.cursor() as cursor:
        await _one_at_a_time(cursor, cpf)
        if payload.addresses:
            await _store_places(cursor, payload.addresses)
        entity_id = None
        if model is not Model.NEW:
            entity_id = await old_model.store(cursor, cpf, payload, lead_id)
        if model is not Model.OLD:
            return await new_model.store(cursor, cpf, payload, lead_id, entity_id)
        assert entity_id is not None
        return entity_id


async def erase_person(conn: Connection, cpf: str, model: Model) -> bool:
    """Remove the person and all that hangs on it; whether there was one.

    :raises psycopg.Error: if the database refuses; nothing is removed.
    """
    found = False
    async with conn.transaction(), conn.cursor() as cursor:
        await _one_at_a_time(cursor, cpf)
        if model is not Model.NEW:
            await cursor.execute("DELETE FROM core.entities WHERE national_id = %s", [cpf])
            found = cursor.rowcount > 0
        if model is not Model.OLD:
            await cursor.execute("DELETE FROM core.parties WHERE cpf_cnpj = %s", [cpf])
            found = found or cursor.rowcount > 0
    return found


async def _one_at_a_time(cursor: Cursor, cpf: str) -> None:
    """Let no other lead store the same person until this transaction ends: cpf_cnpj is not unique."""
    await cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [cpf])


async def _store_places(cursor: Cursor, addresses: tuple[Address, ...]) -> None:
    rows: list[tuple[Any, ...]] = sorted(
        (place.id, place.street, place.number, place.neighborhood, place.city, place.state, place.zip_code)
        for place in addresses
    )
    await cursor.executemany(
        "INSERT INTO core.addresses (id, street, number, neighborhood, city, state, zip_code)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING",
        rows,
    )
