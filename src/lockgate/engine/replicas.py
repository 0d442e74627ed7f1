"""What standbys have counted of tables: each counts the reads on itself, and only those."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.engine.address import redact, resolve
from lockgate.engine.clock import Clock
from lockgate.engine.session import Sessions
from lockgate.errors import ConnectionFailed, UsageError
from lockgate.usage import samples
from lockgate.usage.samples import Sample
from lockgate.usage.tables import Table


def counted(
    name: str, primary: Connection[Any], plan: str, tables: Sequence[Table], clock: Clock
) -> list[Sample] | str:
    """What a standby has counted of these tables now; or why it could not be asked, in words.

    :param name: of the environment variable that holds its address.
    """
    address = os.environ.get(name)
    if not address:
        return f"environment variable {name} is not set"
    try:
        with Sessions(resolve(address, {})).open("sample", read_only=True) as conn:
            wrong = _no_standby(conn, primary)
            if wrong:
                return wrong
            at = clock.of(primary)
            found = samples.read(conn, plan, [table.oid for table in tables], at, name)
    except UsageError:
        return f"the address in {name} cannot be read"
    except ConnectionFailed as error:
        return redact(". ".join(part for part in (error.what, error.why) if part))
    except psycopg.Error as error:
        return redact(str(error.diag.message_primary or "the connection was lost"))
    there = {sample.relid: sample.label for sample in found}
    missing = [table.label for table in tables if there.get(table.oid) != table.label]
    return f"it does not have table {missing[0]} as the primary has it" if missing else found


def _no_standby(conn: Connection[Any], primary: Connection[Any]) -> str | None:
    row = conn.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
    if not row or not row[0]:
        return "it is no standby"
    if conn.info.dbname != primary.info.dbname:
        return f"its address names database {conn.info.dbname}, not {primary.info.dbname}"
    return None
