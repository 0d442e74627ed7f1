"""Storing one person of a lead: one transaction, in the old model, in the new one, in both, or not at all.

Which one is in use is a setting in the database, looked up in each transaction. What writes the old model is a part
of the releases until nobody goes back to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from importlib import import_module
from typing import Any, TypeVar
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor, DatabaseError
from psycopg.rows import TupleRow

from . import cpf as cpfs
from . import new_model
from .payload import Address, Payload

Connection = AsyncConnection[TupleRow]
Cursor = AsyncCursor[TupleRow]
T = TypeVar("T")


class Model(StrEnum):
    """Which tables the service writes; NONE: storing is switched off."""

    IN_USE = "in use"
    OLD = "old"
    NEW = "new"
    BOTH = "both"
    NONE = "none"


class InvalidCpfError(ValueError):
    """The lead names somebody by a number that is not a CPF."""


_CLOSED = "LG001"
"""SQLSTATE of a write to the model that has just ceased to be the one in use."""


async def store_enriched_person_with_lead(
    conn: Connection, cpf: str, payload: Payload, lead_id: str, model: Model
) -> tuple[UUID | None, Model]:
    """Make what is stored about the person what the payload says, and keep the lead's id with it.

    In the new model alone, before it is in use, the person must have no entity: what an entity yields is its mapping's
    business.

    :return: the id of the entity, where only the new model is written, of the party, and None if nothing is stored; and
        which model was written.
    :raises InvalidCpfError: if the CPF is none; nothing is stored.
    :raises psycopg.Error: if the database refuses something; nothing is stored.
    """
    if not cpfs.is_valid(cpf):
        raise InvalidCpfError("not a CPF")

    async def store(cursor: Cursor, written: Model) -> UUID | None:
        if written is Model.NONE:
            return None
        await _one_at_a_time(cursor, cpf)
        if payload.addresses:
            await _store_places(cursor, payload.addresses)
        entity_id: UUID | None = None
        if written is not Model.NEW:
            entity_id = await _old_model().store(cursor, cpf, payload, lead_id)
        if written is not Model.OLD:
            return await new_model.store(cursor, cpf, payload, lead_id, entity_id)
        return entity_id

    return await _in_model(conn, model, store)


async def erase_person(conn: Connection, cpf: str, model: Model) -> tuple[bool, Model]:
    """Remove the person and all that hangs on it; whether there was one, and which model was written.

    :raises psycopg.Error: if the database refuses; nothing is removed.
    """

    async def erase(cursor: Cursor, written: Model) -> bool:
        found = False
        if written is Model.NONE:
            return found
        await _one_at_a_time(cursor, cpf)
        if written is not Model.NEW:
            found = await _old_model().erase(cursor, cpf)
        if written is not Model.OLD:
            await cursor.execute("DELETE FROM core.parties WHERE cpf_cnpj = %s", [cpf])
            found = found or cursor.rowcount > 0
        return found

    return await _in_model(conn, model, erase)


async def _in_model(conn: Connection, model: Model, work: Callable[[Cursor, Model], Awaitable[T]]) -> tuple[T, Model]:
    """Do ``work`` in a transaction; once more, after another look, if the model in use has just changed."""
    try:
        return await _once(conn, model, work)
    except DatabaseError as error:
        if error.sqlstate != _CLOSED:
            raise
    return await _once(conn, model, work)


async def _once(conn: Connection, model: Model, work: Callable[[Cursor, Model], Awaitable[T]]) -> tuple[T, Model]:
    async with conn.transaction(), conn.cursor() as cursor:
        if model is Model.IN_USE:
            await cursor.execute("SELECT value FROM core.service_settings WHERE name = 'model'")
            row = await cursor.fetchone()
            model = Model(row[0]) if row else Model.OLD
        return await work(cursor, model), model


def _old_model() -> Any:
    """What writes the old model; only while somebody asks for it."""
    return import_module("..old_model.store", __package__)


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
