"""Whether a copy of the database that is reached by an address is one, and what of it could be compared.

A provider's snapshot or branch is of a moment that nobody here knows: after the mark that it holds was written, and
while the application wrote. A table that is now as it was measured before the mark must be the same in the copy. One
that was written meanwhile can only be looked at: it is there, with the schema that it has, and all of it can be read.
An archived one is written by nobody: the copy holds it as it was, or as an erasure since has left it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from lockgate import sqlfiles
from lockgate.backup.compare import listed
from lockgate.catalog import document, relations
from lockgate.catalog.content import Content, content
from lockgate.catalog.differences import differences
from lockgate.catalog.document import Document
from lockgate.engine.address import describe
from lockgate.engine.context import Progress
from lockgate.engine.evidence import Evidence
from lockgate.engine.recording import evidence
from lockgate.engine.session import Sessions
from lockgate.engine.sqlerrors import message
from lockgate.errors import CheckFailed, LedgerError, LockgateError
from lockgate.ledger import backups, canonical, chain, require_home, schemas
from lockgate.ledger.backups import Mark

As = Literal["mark", "now", "erased", "written"]
"""Equal to what was measured before the mark, to what is here now, or to what an erasure since the mark has left in the
archive; or written meanwhile and not compared."""
_AGAIN = "Mark the database with `lockgate snapshot mark`, have a new snapshot taken and restored, and prove that one."
_QUERY = "count and hash of each table there, compared with those of the mark and, where they differ, of the table now"


@dataclass(frozen=True, slots=True)
class Held:
    """What a copy holds of a table.

    :param compared: with what its content was found equal, if it was.
    """

    rows: int
    hash: str
    compared: As


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was found to be one.

    :param id: its number among the backups.
    :param address: without a password.
    :param tables: ``schema.table`` -> what it holds of it.
    """

    id: int
    address: str
    mark: Mark
    tables: Mapping[str, Held]

    def labels(self, *compared: As) -> list[str]:
        """The tables that were compared so."""
        return [label for label, held in self.tables.items() if held.compared in compared]


def prove(sessions: Sessions, copy: Sessions, plan: str, number: int | None, progress: Progress) -> Copy:
    """Compare a copy with the database, and note it among the backups if it is one.

    :param number: of the mark that it must hold; the newest that it holds without.
    :raises CheckFailed: if it is no copy, is the database itself or follows it, or differs: names what does.
    """
    where = describe(copy.dsn)
    with sessions.open("snapshot") as here, copy.open("snapshot", read_only=True) as there:
        require_home(here)
        known = [each for each in backups.marks(here, plan) if number in {None, each.id}]
        if not known:
            what = f"There is no mark {number} of plan {plan}" if number else f"Plan {plan} has no mark"
            raise LedgerError(what, hint="Write one with `lockgate snapshot mark`, and have the snapshot taken then.")
        held = _held(here, there, known, where)
        _refuse_itself(here, there, held, where)
        _refuse_schema(here, there, held, where)
        progress.event(f"compares {len(held.tables)} tables with those at {where}")
        tables = _tables(here, there, held, where)
        with here.transaction():
            return _keep(here, held, where, _host(copy.dsn), tables)


def _held(here: Connection[Any], there: Connection[Any], known: list[Mark], where: str) -> Mark:
    """The newest of the marks that the copy has.

    :raises CheckFailed: if it has none of them.
    """
    try:
        tokens = {row[0] for row in there.execute(_load("marks"))} if _value(there, "has_marks") else set()
    except psycopg.errors.InsufficientPrivilege as error:
        hint = "Connect there as the role that owns the ledger."
        raise CheckFailed("The ledger there may not be read", where=where, why=message(error), hint=hint) from error
    for each in known:
        if each.token in tokens:
            return each
    one, other = _cluster(here), _cluster(there)
    why = "It has no mark of this database" if not tokens else "It was taken before the mark was written"
    if one is not None and other is not None and one != other:
        why += f", and it is of another cluster: {other}, not {one}"
    newest = f"mark {known[0].id} of {known[0].at:%Y-%m-%d %H:%M:%S} UTC"
    raise CheckFailed(f"The database there does not hold {newest}", where=where, why=f"{why}.", hint=_AGAIN)


def _refuse_itself(here: Connection[Any], there: Connection[Any], held: Mark, where: str) -> None:
    """:raises CheckFailed: if what is written here now is there, too, or soon will be."""
    with here.transaction():
        fact = {"at": where, "mark": held.id}
        asked = chain.evidence(
            here,
            plan=held.plan,
            phase=None,
            step=None,
            name="backup_copy_asked",
            query="SELECT token FROM lockgate.marks",
            result=fact,
        )
    entry = {"seq": asked.seq, "hash": bytes.fromhex(asked.hash)}
    if there.execute(_load("entry"), entry).fetchone() == (True,):
        raise CheckFailed(
            "This is the database itself, not a copy", where=where, why="What is written here is there at once."
        )
    if _value(there, "follows"):
        raise CheckFailed(
            "This server follows another one",
            where=where,
            why="Whatever is deleted in the database will be deleted there.",
            hint="Name the address of a restored snapshot or of a branch.",
        )


def _refuse_schema(here: Connection[Any], there: Connection[Any], held: Mark, where: str) -> None:
    """:raises CheckFailed: if its schema is neither that of the mark nor the present one."""
    found = document.read(there, passing=False)
    if found.digest in {held.schema, document.read(here, passing=False).digest}:
        return
    kept = schemas.find(here, held.schema)
    assert kept is not None, "it is kept with the mark"
    differs = [str(each) for each in differences(Document.from_json(kept), found) if not each.note]
    what = "The copy has another schema than the database"
    raise CheckFailed(what, where=where, why=listed(differs), hint=_AGAIN)


def _tables(here: Connection[Any], there: Connection[Any], held: Mark, where: str) -> dict[str, Held]:
    """:raises CheckFailed: with every table that is not what it must be."""
    found: dict[str, Held] = {}
    faults: list[str] = []
    for label, was in held.tables.items():
        try:
            one = _compared(here, there, label, was)
        except CheckFailed as error:
            faults.append(error.what)
        else:
            if one is not None:
                found[label] = one
    if faults:
        hint = f"A table that was changed, and changed back since the mark, looks the same. {_AGAIN}"
        raise CheckFailed("The copy is not what the database was", where=where, why=listed(faults), hint=hint)
    return found


def _compared(here: Connection[Any], there: Connection[Any], label: str, was: Mapping[str, Any]) -> Held | None:
    """What the copy holds of a table; None if it was dropped, here and there.

    :raises CheckFailed: if it is not there, cannot be read, or is not what it must be.
    """
    copied = _find(there, was)
    oid = _find(here, was)
    if copied is None:
        if oid is None:
            return None
        raise CheckFailed(f"table {label} is missing")
    try:
        held = content(there, copied, was["way"])
    except psycopg.Error as error:
        raise CheckFailed(f"table {label} cannot be read: {message(error)}") from error
    if _same(held, was):
        return Held(held.rows, held.hash, "mark")
    if was["archived"] is not None:
        if (held.rows, f"{held.way}:{held.hash}") in _left(here, was):
            return Held(held.rows, held.hash, "erased")
        raise _differs(label, held, was, "is archived, no erasure since the mark has left it so, and it ")
    now = content(here, oid, was["way"]) if oid is not None else None
    if now is not None and (now.rows, now.hash) == (held.rows, held.hash):
        return Held(held.rows, held.hash, "now")
    if now is not None and _same(now, was):
        raise _differs(label, held, was)
    if held.rows == 0 and was["rows"] and (now is None or now.rows):
        raise CheckFailed(f"table {label} is empty")
    return Held(held.rows, held.hash, "written")


def _find(conn: Connection[Any], was: Mapping[str, Any]) -> int | None:
    """The table of this name; a view may answer there since the table was archived."""
    oid = relations.find(conn, was["schema"], was["name"])
    return oid if oid is not None and relations.read(conn, oid).kind in {"r", "p"} else None


def _left(here: Connection[Any], was: Mapping[str, Any]) -> set[tuple[int, str]]:
    """Rows and content that erasures have left of an archived table, one after the other, since it was as measured."""
    left: set[tuple[int, str]] = set()
    reached = (was["rows"], f"{was['way']}:{was['hash']}")
    for rows_before, before, rows_after, after in here.execute(_load("erasures"), {"archived": was["archived"]}):
        if (rows_before, before) == reached:
            reached = (rows_after, after)
            left.add(reached)
    return left


def _differs(label: str, held: Content, was: Mapping[str, Any], so: str = "") -> CheckFailed:
    if held.rows != was["rows"]:
        return CheckFailed(f"table {label} {so}has {held.rows} rows instead of {was['rows']}")
    return CheckFailed(f"table {label} {so}has other content in its {held.rows} rows")


def _same(found: Content, was: Mapping[str, Any]) -> bool:
    return (found.rows, found.hash) == (was["rows"], was["hash"])


def _keep(conn: Connection[Any], held: Mark, where: str, host: str, tables: Mapping[str, Held]) -> Copy:
    facts = {label: {"rows": each.rows, "hash": each.hash, "compared": each.compared} for label, each in tables.items()}
    digest = sha256(canonical.encode(canonical.plain({"mark": str(held.token), "tables": facts}))).hexdigest()
    number = backups.keep_copy(conn, held, host=host, address=where, digest=digest, tables=facts)
    made = Copy(number, where, held, tables)
    result = {
        "mark": held.id,
        "snapshot_at": held.at,
        "address": where,
        "chosen": held.chosen,
        "manifest_sha256": digest,
        "compared": len(made.labels("mark", "now", "erased")),
        "written_meanwhile": len(made.labels("written")),
        "tables": facts,
    }
    evidence(conn, held.plan, None, None, [Evidence(f"backup_copy:{number}", _QUERY, result)], run_id=None)
    return made


def _cluster(conn: Connection[Any]) -> int | None:
    with contextlib.suppress(psycopg.Error, LockgateError):
        return int(_value(conn, "cluster"))
    return None


def _host(dsn: str) -> str:
    parts = conninfo_to_dict(dsn)
    return str(parts.get("host") or parts.get("hostaddr") or "local socket")


def _value(conn: Connection[Any], query: str) -> Any:
    row = conn.execute(_load(query)).fetchone()
    assert row is not None
    return row[0]


def _load(name: str) -> bytes:
    return sqlfiles.load("lockgate.backup", f"copy.{name}")
