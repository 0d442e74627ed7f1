"""What another migration tool's folder and history are, for all tools alike.

A tool is a module with one class, a ``Tool``, and an entry in ``lockgate.history.detect.TOOLS``. It reads the folder as
the tool reads it, and reads and writes its history table so that the tool itself cannot tell who wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, LiteralString, Protocol, TypeVar, runtime_checkable

from lockgate.textfile import Source

if TYPE_CHECKING:
    from psycopg import Connection, sql

T = TypeVar("T")

Late = Literal["applied", "refused", "never"]
"""What a tool does with a migration that sorts before one which is applied: takes it, refuses it, never looks at it."""


@dataclass(frozen=True, slots=True)
class Script:
    """What one direction of a migration runs.

    :param source: the file, with the places of its characters.
    :param text: the SQL, a part of the file or all of it.
    :param start: the character of the file at which ``text`` begins.
    :param transaction: whether the tool runs it in a transaction of its own.
    :param apart: whether the tool commits each statement by itself, so that one may need that another is committed.
    """

    source: Source = field(compare=False)
    text: str
    start: int = 0
    transaction: bool = True
    apart: bool = False

    def at(self, offset: int = 0) -> str:
        """``file:line:column`` of a character of ``text``."""
        return self.source.where(self.start + offset)


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration of a folder.

    :param version: what the history knows it by, as its table holds it, as text.
    :param name: as the file calls it, for people: ``0009_party_addresses``.
    :param path: of its file, below the folder.
    :param up: None for one that only the tool's own program can run: the tool is a ``Program``.
    :param down: None if it has none, or only the program can run it.
    :param reversible: whether it can be taken back by what the folder holds.
    :param checksum: as the history holds it, in the tool's own form; None where the tool keeps none.
    :param accepts: further checksums that the tool takes for the same, such as that of other line ends.
    :param other_ends: the checksums of the same text with other line ends, where the tool calls that a change.
    :param repeatable: whether it is run again whenever it changes.
    :param facts: whatever else the tool's own module needs of it.
    """

    version: str
    name: str
    path: Path
    up: Script | None
    down: Script | None = None
    reversible: bool = False
    checksum: str | None = None
    accepts: frozenset[str] = frozenset()
    other_ends: frozenset[str] = frozenset()
    repeatable: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def same(self, checksum: str | None) -> bool:
        """Whether a checksum in the history is that of this file."""
        return checksum is None or self.checksum is None or checksum == self.checksum or checksum in self.accepts


@dataclass(frozen=True, slots=True)
class Row:
    """A migration, as a history tells of it.

    :param state: ``half``: begun, and neither ended nor taken back, so that the tool refuses to go on.
    :param at: when it was applied; None where the history does not say.
    :param why: what the history says went wrong.
    """

    version: str
    name: str = ""
    checksum: str | None = None
    at: datetime | None = None
    state: Literal["applied", "half"] = "applied"
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """The history's table.

    :param exists: whether it is there yet.
    """

    schema: str
    table: str
    exists: bool

    @property
    def named(self) -> sql.Identifier:
        """For composing."""
        from psycopg import sql  # not where it is only told whose a folder is

        return sql.Identifier(self.schema, self.table)

    def query(self, text: LiteralString, **others: sql.Composable) -> sql.Composed:
        """SQL with the table's name in place of ``{}`` or of each ``{table}``, and others by their names."""
        from psycopg import sql

        return sql.SQL(text).format(self.named, table=self.named, **others)

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a migration ran: when it began by the database's clock, and how long its statements took."""

    began: datetime
    took: timedelta


class Tool(Protocol):
    """One folder of one tool, and its history in whichever database it is asked of.

    The methods that write are called in an open transaction, with ``search_path`` pinned to ``pg_catalog``: every name
    in them is qualified.
    """

    @property
    def name(self) -> str:
        """Of the tool, as plans write it."""

    @property
    def folder(self) -> Path:
        """Of the migrations."""

    @property
    def late(self) -> Late:
        """What becomes of a migration that sorts before an applied one."""

    def migrations(self) -> Sequence[Migration]:
        """What the folder holds, in the order in which the tool applies it.

        :raises FolderError: with everything that is wrong with the folder.
        """

    def home(self, conn: Connection[Any]) -> Home:
        """Where the history is, or will be: as ``conn``'s own search_path says, where the tool goes by that."""

    def create(self, conn: Connection[Any], home: Home) -> None:
        """Make the table as the tool makes it."""

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """What the history says was applied, in no order; of a home that exists.

        :param known: the folder's migrations, for a history that holds only the last one.
        :raises HistoryError: if the table is not one of this tool, or of a newer version of it.
        """

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """Mark a migration as half done, so that the tool refuses to go on: it will be run in several transactions.

        Does nothing where the history has no word for it. May be called again for one that is half done.
        """

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """Record it, also over a mark of ``begin``; in the transaction of its (last) statements."""

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """Record that it was taken back; in the transaction of its (last) statements.

        :param before: the newest migration that stays applied.
        """

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """The keys of the advisory locks that the tool holds while it works; empty where it takes none."""


@runtime_checkable
class Checksummed(Protocol):
    """A tool that keeps a checksum of each file."""

    def correct(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """Set the checksum of an applied migration to that of its file, in an open transaction."""


Note = Callable[[Migration], None]
"""Called in the transaction of each migration that a program runs, behind its line in the history."""


@runtime_checkable
class Program(Protocol):
    """A tool whose migrations are programs, which it runs itself."""

    def perform(
        self,
        conn: Connection[Any],
        home: Home,
        wanted: Sequence[Migration],
        *,
        up: bool,
        note: Note,
        stop: Callable[[], bool],
    ) -> None:
        """Run migrations in this order, each with its line in the history in one transaction.

        :param conn: with the database's own search_path; is used and closed.
        :param stop: asked before each.
        :raises MigrationFailed: with file and line.
        """


@runtime_checkable
class Rehearsing(Protocol):
    """A program that can take migrations back for a trial, so that what they would destroy is seen before."""

    def rehearse(self, conn: Connection[Any], home: Home, wanted: Sequence[Migration], seen: Callable[[], T]) -> T:
        """Take migrations back in this order, in one transaction that is rolled back; what ``seen`` says at its end.

        :param conn: with the database's own search_path; is used and closed.
        :raises MigrationFailed: with file and line; also for one that would commit on its way.
        """
