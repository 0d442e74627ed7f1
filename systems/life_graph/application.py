"""The application, simulated: its two releases store documents, and remember what was acknowledged."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import psycopg

_BEFORE = "INSERT INTO documents (id, owner_id, title, content) VALUES (%(id)s, %(owner)s, %(title)s, %(content)s)"
_AFTER = """
INSERT INTO documents (id, owner_id, title, content, sha256, source, mime_type, file_size, storage_uri)
SELECT d.id, %(owner)s, %(title)s, d.content, d.hash, 'email', 'text/plain', octet_length(d.content),
       'local://data/documents/' || d.hash
FROM (SELECT %(id)s::uuid AS id, %(content)s::text AS content,
             encode(sha256(convert_to(%(content)s, 'UTF8')), 'hex') AS hash) AS d
"""
_LOST = """
SELECT count(*) FROM unnest(%s::uuid[], %s::text[]) AS w (id, content)
WHERE NOT EXISTS (SELECT FROM documents d WHERE d.id = w.id AND d.content = w.content
    AND (NOT %s OR d.storage_uri = 'local://data/documents/' || encode(sha256(convert_to(w.content, 'UTF8')), 'hex')))
"""
_OWNER = "SELECT id FROM users ORDER BY id LIMIT 1"


@dataclass(slots=True)
class Application:
    """Stores a document each time it is told to wait no longer.

    :param conn: an autocommit connection that nobody else uses.
    :ivar next_release: set, and what it stores names its source, type and place.
    :ivar stored_since: how many documents the next release has stored.
    :ivar acknowledged: id -> content of each document that the server has taken.
    :ivar failures: what the server said where it did not.
    """

    conn: psycopg.Connection[Any]
    every: float = 0.02
    next_release: threading.Event = field(default_factory=threading.Event)
    stored_since: int = 0
    acknowledged: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Store documents until ``stop`` is set."""
        row = self.conn.execute(_OWNER).fetchone()
        owner = row[0] if row else None
        number = 0
        while not stop.wait(self.every):
            number += 1
            self._store(number, owner)

    def _store(self, number: int, owner: object) -> None:
        content = f"What arrived as number {number} while the plan ran."
        row = self.conn.execute("SELECT gen_random_uuid()::text").fetchone()
        assert row is not None
        given = {"id": row[0], "owner": owner, "title": f"Arrival {number}", "content": content}
        is_next = self.next_release.is_set()
        try:
            self.conn.execute(_AFTER if is_next else _BEFORE, given)
        except psycopg.Error as error:
            self.failures.append(str(error))
        else:
            self.acknowledged[str(row[0])] = content
            self.stored_since += is_next

    def lost(self, conn: psycopg.Connection[Any], *, stored: bool) -> int:
        """How many acknowledged documents are not there as they were sent.

        :param conn: any connection to the database.
        :param stored: whether they must have a place, too.
        """
        ids, contents = list(self.acknowledged), list(self.acknowledged.values())
        row = conn.execute(_LOST, (ids, contents, stored)).fetchone()
        assert row is not None
        return int(row[0])
