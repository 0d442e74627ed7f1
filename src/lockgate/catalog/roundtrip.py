"""Up, down, and up again: whether a change can be taken back, and leaves the schema as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import document
from lockgate.catalog.destroyed import Destroyed, destroyed_by
from lockgate.catalog.differences import Difference, differences
from lockgate.catalog.document import Document


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What became of a schema.

    :param destroyed: what was there when it went down, and could not stay.
    """

    before: Document
    up: Document
    down: Document
    again: Document
    destroyed: tuple[Destroyed, ...]

    @property
    def left(self) -> list[Difference]:
        """In what the schema is not what it was before, with types and the like that are left behind."""
        return differences(self.before, self.down)

    @property
    def unlike(self) -> list[Difference]:
        """In what going up again led to another schema than the first time."""
        return differences(self.up, self.again)

    @property
    def whole(self) -> bool:
        """Whether both are as they must be; notes do not count."""
        return not any(not difference.note for difference in (*self.left, *self.unlike))


def round_trip(
    conn: Connection[Any],
    up: Callable[[], object],
    down: Callable[[], object],
    *,
    before_down: Callable[[Sequence[Destroyed]], object] = lambda destroyed: None,
) -> RoundTrip:
    """Go up, down and up again on a database, and describe its schema before, between and after.

    :param conn: reads what ``up`` and ``down`` have committed, each on a connection of its own or on this one; in no
        transaction.
    :param before_down: is told what going down will destroy, and may raise to have it left undone.
    """
    before = document.read(conn)
    up()
    first = document.read(conn)
    destroyed = destroyed_by(conn, before, first)
    before_down(destroyed)
    down()
    after = document.read(conn)
    up()
    return RoundTrip(before, first, after, document.read(conn), tuple(destroyed))
