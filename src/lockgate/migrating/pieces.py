"""A migration's SQL in pieces: each is one transaction, or one statement that PostgreSQL forbids in a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from lockgate.errors import PlanError
from lockgate.history.base import Script
from lockgate.script.located import Located, located
from lockgate.script.statements import control
from lockgate.sql.tree import SqlSyntaxError


@dataclass(frozen=True, slots=True)
class Piece:
    """Statements that are done together.

    :param items: without the file's own BEGIN and COMMIT; none, for a file without a statement.
    :param alone: whether it is one statement that cannot be in a transaction.
    """

    items: tuple[Located, ...]
    alone: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of what it runs, hexadecimal; comments between statements do not count."""
        return sha256("\0".join(item.statement.text for item in self.items).encode()).hexdigest()


def pieces(script: Script) -> tuple[Piece, ...]:
    """Cut a script; at least one piece.

    A file's own BEGIN ... COMMIT is a piece: what its author wanted to be one transaction is one. Around it, and where
    there is none, all statements up to one that must stand alone are together; but each is a piece where the tool
    commits each by itself.

    :raises PlanError: with the place, for what is no SQL, or cannot be run so that a kill leaves nothing unclear.
    """
    return _Cutting(script).cut()


class _Cutting:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._found: list[Piece] = []
        self._open: list[Located] = []
        self._begun: Located | None = None

    def cut(self) -> tuple[Piece, ...]:
        for item in self._statements():
            self._take(item)
        if self._begun is not None:
            raise _refused(self._begun, "its COMMIT is missing", "End the transaction with COMMIT, or leave BEGIN out.")
        if self._open or not self._found:
            self._close()
        return tuple(self._found)

    def _statements(self) -> Sequence[Located]:
        try:
            return list(located(self._script.text, self._script.at))
        except SqlSyntaxError as error:
            raise PlanError(
                "This is not PostgreSQL's SQL",
                where=self._script.at(error.offset or 0),
                why=error.what,
                hint="Commands of psql and data behind COPY ... FROM stdin are not SQL; write INSERT.",
            ) from None

    def _take(self, item: Located) -> None:
        match control(item.statement):
            case "begin":
                if self._begun is not None:
                    raise _refused(item, "a transaction is open already", "End the first one with COMMIT.")
                self._close_if_any()
                self._begun = item
            case "commit":
                if self._begun is None:
                    what = "it would end the transaction in which the migration and its history are kept together"
                    raise _refused(item, what, "Write the BEGIN that it ends, or leave it out.")
                self._close_if_any()
                self._begun = None
            case "rollback":
                raise _refused(item, "what it takes back was to be applied", "Leave out what is rolled back.")
            case None:
                self._add(item)

    def _add(self, item: Located) -> None:
        if item.shape.refusal:
            raise _refused(item, item.shape.refusal, "Change the file, if it was not applied anywhere yet.")
        if not item.shape.alone:
            self._open.append(item)
            if self._script.apart and self._begun is None:
                self._close()
            return
        if self._begun is not None:
            raise _refused(
                item,
                "PostgreSQL forbids it in a transaction, and the file begins one",
                "Put it behind the COMMIT.",
            )
        self._close_if_any()
        self._found.append(Piece((item,), alone=True))

    def _close_if_any(self) -> None:
        if self._open:
            self._close()

    def _close(self) -> None:
        self._found.append(Piece(tuple(self._open)))
        self._open = []


def _refused(item: Located, why: str, hint: str) -> PlanError:
    return PlanError(f"{item.name} cannot run here", where=item.where, why=f"{why[0].upper()}{why[1:]}.", hint=hint)
