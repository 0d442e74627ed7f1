"""The ledger's place: schema ``lockgate``, installed and upgraded in place, or removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, errors, sql
from psycopg.rows import class_row, scalar_row

from lockgate import __version__
from lockgate.errors import LeaseHeld, LedgerError, PrivilegeMissing
from lockgate.ledger import home, lease
from lockgate.ledger.queries import load
from lockgate.ledger.schemafiles import SchemaFile, shipped
from lockgate.ledger.transactions import joined

_PATIENCE = "60s"


@dataclass(frozen=True, slots=True)
class Applied:
    """A schema file that was applied to this database."""

    number: int
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class _Schema:
    oid: int
    owner: str
    ours: bool
    readable: bool
    has_meta: bool
    has_objects: bool


def install(conn: Connection[Any], files: Sequence[SchemaFile] | None = None) -> int:
    """Make the ledger, or bring it up to this Lockgate's version; returns the version.

    All in one transaction, one installer at a time. What it makes is readable by its owner only.

    :param files: other schema files than those shipped, for tests of upgrades.
    :raises LedgerError: when the ledger is newer than this Lockgate or was copied from another database, or the
        schema is not a ledger.
    :raises PrivilegeMissing: when the role may not make the schema, or does not own it.
    """
    files = shipped() if files is None else files
    missing = _missing(conn, files)
    if len(missing) < len(files):
        home.refuse_copied(conn)
    if not missing:
        return files[-1].number
    with joined(conn):
        _alone(conn)
        schema = _schema(conn) or _create_schema(conn)
        _refuse_foreign(conn, schema)
        with _as_owner(conn, schema.owner):
            old = _column(conn, "store.relations", schema=schema.oid)
            for file in _missing(conn, files):
                conn.execute(file.text.encode())
                conn.execute(
                    load("store.record"),
                    {"number": file.number, "name": file.name, "sha256": file.sha256, "version": __version__},
                )
            _seal(conn, schema.oid, old)
    return files[-1].number


def _alone(conn: Connection[Any]) -> None:
    """Wait until nobody else makes, upgrades or removes the ledger; nobody of the application's stands behind.

    :raises LedgerError: if that takes longer than any of it can.
    """
    row = conn.execute("SELECT pg_catalog.current_setting('lock_timeout')").fetchone()
    conn.execute("SELECT pg_catalog.set_config('lock_timeout', %s, true)", (_PATIENCE,))
    try:
        conn.execute(load("store.lock"))
    except errors.LockNotAvailable as error:
        raise LedgerError(
            "Another process makes, upgrades or removes the ledger",
            where=f"database {conn.info.dbname}",
            why=f"It has not ended within {_PATIENCE}.",
            hint="Look for its session in pg_stat_activity, then try again.",
        ) from error
    conn.execute("SELECT pg_catalog.set_config('lock_timeout', %s, true)", row)


def version(conn: Connection[Any]) -> int | None:
    """The highest number of a schema file that was applied; None where there is no ledger.

    :raises PrivilegeMissing: when the role may not look.
    """
    found = applied(conn)
    return found[-1].number if found else None


def require(conn: Connection[Any]) -> int:
    """The version of the ledger, which is exactly what this Lockgate works with.

    :raises LedgerError: when it is absent, older or newer, with what to do.
    :raises PrivilegeMissing: when the role may not look.
    """
    if version(conn) is None:
        raise LedgerError(
            "There is no ledger in this database",
            where=f"database {conn.info.dbname}",
            why="Schema lockgate is not there: no plan was ever applied here.",
            hint="Check the address (--database); `lockgate apply` makes the ledger.",
        )
    if missing := _missing(conn, shipped()):
        numbers = ", ".join(f"{file.number:03}" for file in missing)
        raise LedgerError(
            f"The ledger is older than this Lockgate: {numbers} is missing",
            where=f"database {conn.info.dbname}",
            hint="`lockgate apply` upgrades it in place.",
        )
    return shipped()[-1].number


def require_home(conn: Connection[Any]) -> int:
    """The same for whoever writes: the ledger must also have been written in this database.

    :raises LedgerError: when it was copied here from another one.
    """
    found = require(conn)
    home.refuse_copied(conn)
    return found


def applied(conn: Connection[Any]) -> list[Applied]:
    """The schema files that were applied here, by number; none where there is no ledger.

    :raises PrivilegeMissing: when the role may not look.
    """
    schema = _schema(conn)
    if schema is None or not schema.has_meta:
        return []
    if not schema.readable:
        raise _not_owner(conn, schema)
    return conn.cursor(row_factory=class_row(Applied)).execute(load("store.applied")).fetchall()


def uninstall(conn: Connection[Any]) -> bool:
    """Remove the ledger with all that hangs on it, triggers on the application's tables included.

    :return: False when there was none.
    :raises LeaseHeld: while a runner holds the lease.
    :raises LedgerError: when the schema of that name is not a ledger.
    :raises PrivilegeMissing: when the role does not own it.
    """
    with joined(conn):
        _alone(conn)
        schema = _schema(conn)
        if schema is None:
            return False
        _refuse_foreign(conn, schema)
        if schema.has_meta:
            holder = lease.state(conn)
            if holder.live:
                raise LeaseHeld(
                    f"A runner is at work: {holder.holder} on {holder.host}, process {holder.pid}",
                    where="lockgate.lease",
                    hint="Stop it first.",
                )
        conn.execute("DROP SCHEMA lockgate CASCADE")
    return True


def size(conn: Connection[Any]) -> dict[str, int]:
    """Bytes on disk of each table of schema lockgate, its indexes and TOAST included."""
    return {str(name): int(size) for name, size in conn.execute(load("store.sizes"))}


def faults(conn: Connection[Any]) -> list[str]:
    """What was changed about the ledger's schema since it was installed; a sentence each, nothing when sound.

    Schema files that were applied in another form than they have in this Lockgate, and triggers that guard
    the chain and are gone or switched off.
    """
    shas = {file.number: file.sha256 for file in shipped()}
    found = [
        f"Schema file {entry.number:03}_{entry.name} was applied in another form than this Lockgate has."
        for entry in applied(conn)
        if shas.get(entry.number, entry.sha256) != entry.sha256
    ]
    for relation, trigger, there in conn.execute(load("store.guards")):
        state = "does not fire always" if there else "is missing"
        found.append(f"Trigger {trigger}, which guards lockgate.{relation}, {state}.")
    return found


def _missing(conn: Connection[Any], files: Sequence[SchemaFile]) -> list[SchemaFile]:
    """Of ``files``, those that are still to be applied.

    :raises LedgerError: when one was applied that is not among them.
    """
    done = applied(conn)
    known = {file.number for file in files}
    if unknown := [entry for entry in done if entry.number not in known]:
        newest = unknown[-1]
        raise LedgerError(
            f"The ledger is newer than this Lockgate ({__version__})",
            where=f"database {conn.info.dbname}",
            why=f"A newer one applied {newest.number:03}_{newest.name} to it, which this one does not know.",
            hint="Upgrade lockgate: pip install --upgrade lockgate.",
        )
    numbers = {entry.number for entry in done}
    return [file for file in files if file.number not in numbers]


def _schema(conn: Connection[Any]) -> _Schema | None:
    return conn.cursor(row_factory=class_row(_Schema)).execute(load("store.schema")).fetchone()


def _create_schema(conn: Connection[Any]) -> _Schema:
    row = conn.execute(load("store.may_create")).fetchone()
    assert row is not None
    database, role, allowed = row
    if not allowed:
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {};").format(sql.Identifier(database), sql.Identifier(role))
        raise PrivilegeMissing(
            f"Role {role} may not make schema lockgate, the ledger's place",
            where=f"database {database}",
            hint=f"As the database's owner: {grant.as_string(None)}",
        )
    conn.execute("CREATE SCHEMA lockgate")
    conn.execute("COMMENT ON SCHEMA lockgate IS 'The ledger of Lockgate. `lockgate uninstall` removes it.'")
    made = _schema(conn)
    assert made is not None
    return made


def _refuse_foreign(conn: Connection[Any], schema: _Schema) -> None:
    if not schema.ours:
        raise _not_owner(conn, schema)
    if schema.has_objects and not schema.has_meta:
        raise LedgerError(
            "There is a schema lockgate that is not Lockgate's ledger",
            where=f"database {conn.info.dbname}",
            why="It has objects, but no table lockgate.meta.",
            hint="Rename or remove that schema.",
        )


def _not_owner(conn: Connection[Any], schema: _Schema) -> PrivilegeMissing:
    role = _current_user(conn)
    grant = sql.SQL("GRANT {} TO {};").format(sql.Identifier(schema.owner), sql.Identifier(role))
    return PrivilegeMissing(
        f"The ledger belongs to role {schema.owner}, and {role} may not use it",
        where=f"database {conn.info.dbname}, schema lockgate",
        hint=f"Connect as {schema.owner}, or: {grant.as_string(None)}",
    )


@contextmanager
def _as_owner(conn: Connection[Any], owner: str) -> Iterator[None]:
    """Whoever installs, a superuser or another member, all of the ledger belongs to one role."""
    role = _current_user(conn)
    if role == owner:
        yield
        return
    switch = sql.SQL("SET LOCAL ROLE {}")
    conn.execute(switch.format(sql.Identifier(owner)))
    yield
    conn.execute(switch.format(sql.Identifier(role)))


def _seal(conn: Connection[Any], schema: int, old: list[Any]) -> None:
    """Take back what default privileges granted on the relations that are new (all: on a new schema)."""
    if not old:
        for role in _column(conn, "store.schema_grantees", schema=schema):
            conn.execute(sql.SQL("REVOKE ALL ON SCHEMA lockgate FROM {}").format(_role(role)))
    for is_sequence, name, role in conn.execute(load("store.relation_grantees"), {"schema": schema, "old": old}):
        conn.execute(
            sql.SQL("REVOKE ALL ON {} {} FROM {}").format(
                sql.SQL("SEQUENCE" if is_sequence else "TABLE"), sql.Identifier("lockgate", name), _role(role)
            )
        )


def _role(name: str | None) -> sql.Composable:
    return sql.SQL("PUBLIC") if name is None else sql.Identifier(name)


def _current_user(conn: Connection[Any]) -> str:
    return str(_column(conn, "store.current_user")[0])


def _column(conn: Connection[Any], query: str, **values: Any) -> list[Any]:
    return conn.cursor(row_factory=scalar_row).execute(load(query), values).fetchall()
