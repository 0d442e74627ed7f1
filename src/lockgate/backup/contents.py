"""What a dump holds, entry by entry, as pg_restore writes it: the SQL of each, and what it depends on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lockgate.backup import clients as programs
from lockgate.backup.clients import Clients
from lockgate.backup.make import DUMP, SCHEMA
from lockgate.errors import LockgateError

PRE, POST = "pre-data", "post-data"

_HEAD = re.compile(
    r"^--\n-- TOC entry (?P<id>\d+) \(class (?P<class>\d+) OID (?P<oid>\d+)\)\n"
    r"(?:-- Dependencies:(?P<needs>[ \d]*)\n)?"
    r"-- (?:Data for )?Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: (?P<schema>.*); Owner: (?P<owner>.*?)"
    r"(?:; Tablespace: .*)?\n(?:-- .*\n)*--\n\n",
    re.M,
)
_END = re.compile(r"(?:^-- Completed on .*\n\n)?^--\n-- PostgreSQL database dump complete\n--\n.*\Z", re.M | re.S)
_SETTING = re.compile(r"^(SET default_table(?:space|_access_method)) = .*;$", re.M)
_SETTINGS = re.compile(rf"(?:{_SETTING.pattern}\n+)+\Z", re.M)
_LISTED = re.compile(
    r"^(?P<id>\d+); (?P<class>\d+) (?P<oid>\d+) (?P<rest>.*)(?:\n;\tdepends on:(?P<needs>[ \d]*))?$", re.M
)
_RELATION = "1259"  # pg_class, whose number is the same in every database
_WORDS = {
    "FK CONSTRAINT": "foreign key",
    "ACL": "grants of",
    "DEFAULT ACL": "default grants of",
    "COMMENT": "comment of",
}
COMPANIONS = {"ACL", "COMMENT", "SECURITY LABEL", "DEFAULT ACL"}
"""What is said of something else, whose kind the name begins with."""
_OF = re.compile(r"(?P<kind>[A-Z ]+) (?P<name>.*)")
_SIGNS = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a dump.

    :param oid: its number in the database that was dumped; 0 for what has none.
    :param needs: numbers of the entries that it depends on.
    :param name: of a part of a table with the table's before it: ``orders orders_pkey``.
    :param schema: empty for what is in none.
    :param sql: what makes it; ``owner_sql`` is what gives it its owner then.
    :param settings: where its rows are put, and by which access method.
    """

    id: int
    oid: int
    needs: frozenset[int]
    name: str
    type: str
    schema: str
    owner: str
    section: str
    sql: str
    owner_sql: str
    settings: str

    @property
    def label(self) -> str:
        """What it is, for people: ``table core.orders``."""
        kind, name = _WORDS.get(self.type, self.type.lower()), self.name
        if self.type in COMPANIONS and (of := _OF.match(name)):
            kind, name = f"{kind} {of['kind'].lower()}", of["name"]
        return f"{kind} {self.schema}.{name}" if self.schema else f"{kind} {name}"

    @property
    def makes_nothing(self) -> bool:
        """Whether it stands for something that is in every database, such as schema public."""
        return all(line.startswith("--") or not line for line in self.sql.splitlines())


@dataclass(frozen=True, slots=True)
class DataEntry:
    """Rows of a table, the value of a sequence, or large objects.

    :param type: ``TABLE DATA``, ``SEQUENCE SET``, or another that belongs to no relation.
    :param relation: number of the table or sequence in the database that was dumped; 0 for large objects.
    """

    id: int
    type: str
    relation: int


@dataclass(frozen=True, slots=True)
class Contents:
    """A backup's folder.

    :param entries: all but rows, in the order in which they are to be made.
    :param partial: whether it holds the rows of some tables only.
    """

    folder: Path
    clients: Clients
    entries: tuple[Entry, ...]
    data: tuple[DataEntry, ...]
    partial: bool

    @property
    def by_id(self) -> dict[int, Entry]:
        """The entries by their numbers."""
        return {entry.id: entry for entry in self.entries}


def sanitized(name: str) -> str:
    """A name as it stands in the head of an entry."""
    return _SIGNS.sub(" ", name)


def read(folder: Path, clients: Clients) -> Contents:
    """Read all but the rows.

    :raises LockgateError: if pg_restore cannot read it, or writes what is not understood here.
    """
    partial = (folder / SCHEMA).exists()
    archive = folder / (SCHEMA if partial else DUMP)  # a dump of some tables lacks the types that they need
    entries = [entry for section in (PRE, POST) for entry in _section(clients, archive, section)]
    if len({entry.id for entry in entries}) != len(entries):
        raise _not_understood(archive, "An entry is there twice: a text in the database looks like the head of one.")
    return Contents(folder, clients, tuple(entries), tuple(_data(clients, folder / DUMP)), partial)


def _not_understood(archive: Path, why: str) -> LockgateError:
    return LockgateError(
        "What pg_restore wrote is not understood", where=str(archive), why=why, hint="Restore it with pg_restore."
    )


def _section(clients: Clients, archive: Path, section: str) -> Iterator[Entry]:
    shared = ("--verbose", "--schema-only", f"--section={section}", str(archive))
    with_owner, without = _script(clients, shared), _script(clients, ("--no-owner", *shared))
    # They stand before the entry that they are for, and hold until they are set again.
    settings = _set_in(with_owner[: head.start()] if (head := _HEAD.search(with_owner)) else "")
    for found, sql, plain in _pieces(with_owner, without):
        kept = _SETTINGS.search(sql)
        own = sql[: kept.start()] if kept else sql
        without_owner = _SETTINGS.sub("", plain).rstrip("\n")
        if not own.startswith(without_owner):
            raise _not_understood(
                archive, f"{found['type']} {found['name']} is one thing with its owner, another without."
            )
        yield Entry(
            id=int(found["id"]),
            oid=int(found["oid"]),
            needs=_numbers(found["needs"]),
            name=found["name"],
            type=found["type"],
            schema=found["schema"] if found["schema"] != "-" else "",
            owner=found["owner"],
            section=section,
            sql=without_owner,
            owner_sql=own.removeprefix(without_owner).strip("\n"),
            settings="\n".join(settings.values()),
        )
        settings |= _set_in(kept[0] if kept else "")


def _set_in(text: str) -> dict[str, str]:
    return {found[1]: found[0] for found in _SETTING.finditer(text)}


def _pieces(with_owner: str, without: str) -> Iterator[tuple[re.Match[str], str, str]]:
    """The head of each entry, its SQL, and its SQL without the owner."""
    heads, plain = list(_HEAD.finditer(with_owner)), list(_HEAD.finditer(without))
    for number, (found, other) in enumerate(zip(heads, plain, strict=True)):
        last = number + 1 == len(heads)
        yield (
            found,
            with_owner[found.end() : len(with_owner) if last else heads[number + 1].start()],
            without[other.end() : len(without) if last else plain[number + 1].start()],
        )


def _script(clients: Clients, arguments: Sequence[str]) -> str:
    with programs.reading(clients, arguments) as output:
        return _END.sub("", output.read().decode("utf-8", "surrogateescape"))


def _data(clients: Clients, archive: Path) -> Iterator[DataEntry]:
    with programs.reading(clients, ("--list", "--verbose", str(archive))) as output:
        lines = list(_LISTED.finditer(output.read().decode("utf-8", "surrogateescape")))
    relations = {int(found["id"]): int(found["oid"]) for found in lines if found["class"] == _RELATION}
    for found in lines:
        if found["class"] == "0" and found["rest"].startswith("TABLE DATA "):
            yield DataEntry(int(found["id"]), "TABLE DATA", int(found["oid"]))
        elif found["class"] == "0" and found["rest"].startswith("SEQUENCE SET "):
            [sequence] = _numbers(found["needs"])
            yield DataEntry(int(found["id"]), "SEQUENCE SET", relations[sequence])
        elif found["rest"].startswith(("BLOB ", "BLOBS ", "BLOB METADATA ")):
            yield DataEntry(int(found["id"]), "BLOBS", 0)


def _numbers(text: str | None) -> frozenset[int]:
    return frozenset(int(number) for number in (text or "").split())
