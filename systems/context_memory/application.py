"""The quoting service's writes: one transaction each, with the memory or without it, as the flag says.

The flag is looked up in each transaction. One that was under way when the flag went on may come to a column that by
now must have a value; it is done once more, and then knows better.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import Connection

FLAG = "CONTEXT_MEMORY_ENABLED"

_TOO_OLD = (psycopg.errors.CheckViolation, psycopg.errors.NotNullViolation)
_CUSTOMER = """
INSERT INTO "Customer" (id, name, phone, email, "createdAt")
SELECT customer_of(l.phone, l.email), l.name, normalised_phone(l.phone), normalised_email(l.email), l."createdAt"
FROM "Lead" l WHERE l.id = %s AND customer_of(l.phone, l.email) IS NOT NULL
ON CONFLICT (id) DO NOTHING
"""
_CONVERSATION = """
INSERT INTO "Conversation" (id, customer_id, lead_id, channel, "startedAt")
SELECT l.id, l.customer_id, l.id, %s, %s FROM "Lead" l WHERE l.id = %s AND l.customer_id IS NOT NULL
"""
# Behind the messages of the state, too, which may be on their way.
_MESSAGE = """
INSERT INTO "Message" (id, conversation_id, position, role, content, "createdAt")
SELECT message_of(v.id, p.next), v.id, p.next, %(role)s, %(content)s, %(at)s
FROM "Conversation" v JOIN "Lead" l ON l.id = v.lead_id
CROSS JOIN LATERAL (
    SELECT 1 + greatest(
        CASE jsonb_typeof(l."stateMetadata") WHEN 'array' THEN jsonb_array_length(l."stateMetadata") ELSE 0 END,
        (SELECT max(m.position) FROM "Message" m WHERE m.conversation_id = v.id)) AS next) AS p
WHERE v.id = %(lead)s
"""
_SAID = """
UPDATE "Lead" SET "stateMetadata" = "stateMetadata" || %s::jsonb, "updatedAt" = CURRENT_TIMESTAMP WHERE id = %s
"""
_AUDIT = 'INSERT INTO "Audit" (action, entity, "entityId", data, "createdAt") VALUES (%s, %s, %s, %s, %s)'
_LEAD = 'INSERT INTO "Lead" (id, name, phone, email, source, "createdAt") VALUES (%s, %s, %s, %s, %s, %s)'
_WHOSE = 'UPDATE "Lead" SET customer_id = customer_of(phone, email) WHERE id = %s'
_JOB = 'INSERT INTO "Job" (id, "leadId", title, "createdAt") VALUES (%s, %s, %s, %s)'
_JOB_OF_CUSTOMER = """
INSERT INTO "Job" (id, "leadId", title, "createdAt", customer_id)
SELECT %s, l.id, %s, %s, l.customer_id FROM "Lead" l WHERE l.id = %s
"""
_EVENT = 'INSERT INTO "JobEvent" (job_id, kind, "occurredAt") VALUES (%s, %s, %s)'


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody said: ``role`` is one of "MessageRole"; ``at`` in whole milliseconds, UTC without a time zone."""

    role: str
    content: str
    at: datetime


class Application:
    """One connection of the service; its role may use the tables and nothing else.

    Each method is a transaction, and returns whether the memory was used.
    """

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn

    def add_lead(self, lead: UUID, name: str, phone: str | None, email: str | None, at: datetime) -> bool:
        """Take a lead in, and begin a conversation with it."""

        def write(memory: bool) -> None:
            self._do(_LEAD, lead, name, phone, email, "site", at)
            self._do(_AUDIT, "lead.created", "Lead", lead, "{}", at)
            self._do(_AUDIT, "conversation.started", "Lead", lead, json.dumps({"channel": "site"}), at)
            if memory:
                self._do(_CUSTOMER, lead)
                self._do(_WHOSE, lead)
                self._do(_CONVERSATION, "site", at, lead)

        return self._transact(write)

    def say(self, lead: UUID, message: Message) -> bool:
        """Keep a message: as an element of the lead's state, or as a row of the lead's conversation if it has one."""

        def write(memory: bool) -> None:
            self._do('SELECT FROM "Lead" WHERE id = %s FOR UPDATE', lead)
            if memory and self._do(_MESSAGE, role=message.role, content=message.content, at=message.at, lead=lead):
                return
            milliseconds = round((message.at - datetime(1970, 1, 1)).total_seconds() * 1000)
            element = {"role": message.role, "content": message.content, "at": milliseconds}
            self._do(_SAID, json.dumps([element]), lead)

        return self._transact(write)

    def make_job(self, lead: UUID, job: UUID, title: str, at: datetime) -> bool:
        """Make a job of a lead."""

        def write(memory: bool) -> None:
            if memory:
                self._do(_JOB_OF_CUSTOMER, job, title, at, lead)
                self._do(_EVENT, job, "created", at)
            else:
                self._do(_JOB, job, lead, title, at)
            self._do(_AUDIT, "job.created", "Job", job, "{}", at)

        return self._transact(write)

    def forget(self, lead: UUID) -> bool:
        """Remove a lead that has no job, with its conversation."""
        return self._transact(lambda memory: self._do('DELETE FROM "Lead" WHERE id = %s', lead))

    def _transact(self, write: Callable[[bool], object]) -> bool:
        try:
            return self._once(write)
        except _TOO_OLD:
            return self._once(write)

    def _once(self, write: Callable[[bool], object]) -> bool:
        with self._conn.transaction():
            row = self._conn.execute("SELECT value = 'true' FROM \"Setting\" WHERE name = %s", (FLAG,)).fetchone()
            memory = row is not None and bool(row[0])
            write(memory)
        return memory

    def _do(self, statement: LiteralString, *values: object, **named: object) -> int:
        return self._conn.execute(statement, named or values).rowcount
