"""Errors of the server as messages: where in the plan, why, what to do, and no value of any row."""

from __future__ import annotations

import re

import psycopg
from psycopg import errors

from lockgate.engine.masking import mask
from lockgate.errors import ConnectionLost, DatabaseError, LockgateError, PrivilegeMissing

_SPEAKS_OF_VALUES = ("22", "P0", "XX", "38", "39")
_DENIED = re.compile(
    r"permission denied for (?P<kind>table|sequence|schema|database|function|view|column|relation|type|language)"
    r" (?P<name>\S+)"
)
_OWNER = re.compile(r"must be owner of (?P<kind>[a-z ]+) (?P<name>\S+)")
_RIGHTS = {
    "table": "SELECT, INSERT, UPDATE, DELETE ON TABLE",
    "view": "SELECT ON TABLE",
    "relation": "SELECT, INSERT, UPDATE, DELETE ON TABLE",
    "sequence": "USAGE ON SEQUENCE",
    "schema": "USAGE, CREATE ON SCHEMA",
    "database": "CREATE ON DATABASE",
    "function": "EXECUTE ON FUNCTION",
    "type": "USAGE ON TYPE",
    "language": "USAGE ON LANGUAGE",
}
_HINTS: dict[type[psycopg.Error], str] = {
    errors.UniqueViolation: "Find the rows that share the key, merge or change them, then run the command again.",
    errors.NotNullViolation: "Fill the column first, then run the command again.",
    errors.ForeignKeyViolation: "Find the rows without a parent, then run the command again.",
    errors.CheckViolation: "Find the rows that break the rule, then run the command again.",
    errors.DuplicateTable: "It exists already: drop it if it is left over, or take the statement out of the plan.",
    errors.DuplicateObject: "It exists already: drop it if it is left over, or take the statement out of the plan.",
    errors.DependentObjectsStillExist: "Change or drop what depends on it in the same step, before this statement.",
    errors.LockNotAvailable: "Somebody holds a lock on it (`lockgate status`); run the command again.",
    errors.DiskFull: "Free disk on the server; what was done is kept.",
    errors.QueryCanceled: "Raise statement_timeout in the plan's settings, or ask who cancelled it.",
    errors.InvalidTransactionTermination: "A procedure that commits cannot be a step that is done exactly once; "
    "run it by hand, or make its work a transform.",
}


def message(error: psycopg.Error | LockgateError) -> str:
    """The server's words (or ours), on one line, without the values that it quotes."""
    if isinstance(error, LockgateError):
        return error.what
    text = error.diag.message_primary or str(error).split("\n", maxsplit=1)[0]
    state = error.sqlstate or ""
    if not state.startswith(_SPEAKS_OF_VALUES):
        return " ".join(text.split())
    text = re.sub(r'(value|syntax for [\w ]+:|range:|value:) ?"(?:[^"\\]|\\.)*"', r"\1 ?", text)
    return mask(text) if state.startswith("P0") else text


def explain(error: psycopg.Error, where: str, what: str = "The statement failed") -> LockgateError:
    """The error to raise for one of the server.

    :param where: the place in the plan.
    :param what: what was tried, in words.
    """
    why = message(error)
    if error.sqlstate:
        why += f" (SQLSTATE {error.sqlstate})"
    if isinstance(error, errors.InsufficientPrivilege):
        return PrivilegeMissing("The role may not do this", where=where, why=why, hint=grant(error))
    hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), None)
    if hint is None and error.diag.message_hint:
        hint = error.diag.message_hint
    return DatabaseError(
        what, where=where, why=why, hint=hint or "Correct the plan or the data, then run the command again."
    )


def lost(error: psycopg.Error | LockgateError, where: str) -> ConnectionLost:
    """The error to raise when the connection was lost and no new one could be made."""
    return ConnectionLost(
        "The connection to the database was lost",
        where=where,
        why=message(error),
        hint="Run the command again when the server answers: it goes on from here.",
    )


def grant(error: psycopg.Error) -> str:
    """The GRANT that helps, as far as the server's words tell which."""
    text = message(error)
    if found := _DENIED.search(text):
        rights = _RIGHTS.get(found["kind"], "... ON")
        return f"As its owner: GRANT {rights} {found['name']} TO <the role that Lockgate connects as>;"
    if found := _OWNER.search(text):
        return (
            f"Connect as the owner of {found['kind']} {found['name']}, or as a member of that role: "
            "GRANT <owner> TO <the role that Lockgate connects as>;"
        )
    return "`lockgate grants` prints the least privileges as SQL."
