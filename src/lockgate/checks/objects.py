"""Check ``objects``: schema objects are present and as they must be, or absent."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from lockgate.checks import calling, structure
from lockgate.checks.base import CheckContext, CheckResult
from lockgate.checks.names import near, parts, query, rows
from lockgate.engine import sqlerrors
from lockgate.engine.evidence import Evidence
from lockgate.errors import CheckFailed
from lockgate.plan.models import Objects, ObjectsCheck, split_name

_TYPE = re.compile(r'[\w\s"().,\[\]]+')
_NULLABLE = re.compile(r"(?P<type>.+?)(?:\s+(?P<not>not\s+)?null)?\s*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one key of ``objects`` is looked at.

    :param find: all that is wrong, a sentence each.
    :param query: the query of objects.sql that it rests on; empty: what the plan itself says is run.
    """

    find: Callable[[CheckContext, Any], Iterable[str]]
    query: str


class Runner:
    """Looks each object up in the catalog."""

    def evaluate(self, ctx: CheckContext) -> CheckResult:
        """Name everything that is wrong, not only the first thing."""
        objects: Objects = ctx.check.objects
        evidence: list[Evidence] = []
        problems: list[str] = []
        count = 0
        for key, kind in _KINDS.items():
            wanted = getattr(objects, key)
            if not wanted:
                continue
            found = list(kind.find(ctx, wanted))
            problems += found
            count += len(wanted) if isinstance(wanted, tuple | dict) else len(wanted.schemas)
            said = wanted.model_dump() if key == "sound" else [str(item) for item in wanted]
            text = query(kind.query).decode() if kind.query else "; ".join(said)
            result = {"wanted": said, "problems": found, "passed": not found}
            evidence.append(Evidence(f"objects:{key}", text, result))
        what = "; ".join(problems) if problems else f"all {count} objects are as they must be"
        return CheckResult(not problems, what, tuple(evidence), value=len(problems))

    def describe(self, check: ObjectsCheck) -> str:
        """What must be there."""
        objects = check.objects
        told = {"absent", "sound", "count", "at_least"}
        said = [f"{len(items)} {key}" for key in _KINDS if key not in told and (items := getattr(objects, key))]
        if schemas := sorted({*objects.count, *objects.at_least}):
            said.append(f"numbers of objects in {', '.join(schemas)}")
        if objects.sound:
            said.append(f"{', '.join(objects.sound.schemas)} sound")
        if objects.absent:
            said.append(f"absent: {', '.join(objects.absent)}")
        return f"schema objects: {', '.join(said)}".replace("_", " ")


# --- what is there or not ---------------------------------------------------------------------------------


def _present(word: str, name_of_query: str) -> _Kind:
    def find(ctx: CheckContext, wanted: Iterable[str]) -> Iterator[str]:
        known = {tuple(row["name"]): row["problem"] for row in rows(ctx.conn, name_of_query)}
        for name in wanted:
            problem = known.get(parts(name))
            if problem is None:
                yield f"{word} {name} is not there{near(parts(name), known)}"
            elif problem:
                yield f"{word} {name} is {problem}"

    return _Kind(find, name_of_query)


def _relations(word: str, *kinds: str) -> _Kind:
    def find(ctx: CheckContext, wanted: Iterable[str]) -> Iterator[str]:
        known = {tuple(row["name"]): row for row in rows(ctx.conn, "relations")}
        for name in wanted:
            row = known.get(parts(name))
            if row is None:
                alike = (other for other, said in known.items() if said["kind"] in kinds)
                yield f"{word} {name} is not there{near(parts(name), alike)}"
            elif row["kind"] not in kinds:
                yield f"{word} {name} is {'an' if row['kind'][0] in 'aeiou' else 'a'} {row['kind']}"
            elif row["problem"]:
                yield f"{word} {name} is {row['problem']}"

    return _Kind(find, "relations")


def _absent(ctx: CheckContext, wanted: Iterable[str]) -> Iterator[str]:
    known = {tuple(row["name"]) for row in rows(ctx.conn, "relations")}
    yield from (f"{name} exists" for name in wanted if parts(name) in known)


def _enums(ctx: CheckContext, wanted: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    known = {tuple(row["name"]): row["labels"] for row in rows(ctx.conn, "types")}
    for name, labels in wanted.items():
        found = known.get(parts(name))
        if found is None:
            enums = (other for other, has in known.items() if has is not None)
            other = "is no enum" if parts(name) in known else f"is not there{near(parts(name), enums)}"
            yield f"enum {name} {other}"
        elif tuple(found) != labels:
            yield f"enum {name} has the labels {', '.join(found)}, not {', '.join(labels)}"


def _functions(ctx: CheckContext, wanted: Iterable[str]) -> Iterator[str]:
    known = [(tuple(row["name"]), row["oid"]) for row in rows(ctx.conn, "functions")]
    for name in wanted:
        text, bracket, _ = name.partition("(")
        bare = split_name(text.strip()) or (text,)
        if not bracket:
            if bare not in {other for other, _ in known}:
                yield f"function {name} is not there{near(bare, [other for other, _ in known])}"
            continue
        found: list[dict[str, Any]] = []
        # Servers before PostgreSQL 16 refuse what is no signature, newer ones know no function of it.
        with contextlib.suppress(psycopg.Error), ctx.conn.transaction():
            found = rows(ctx.conn, "signature", name=name)
        if not found:
            same = [oid for other, oid in known if other == bare]
            others = f" (there is {_signatures(ctx, same)})" if same else near(bare, [other for other, _ in known])
            yield f"function {name} is not there{others}"


def _signatures(ctx: CheckContext, oids: list[int]) -> str:
    found = ctx.conn.execute("SELECT o::regprocedure::text FROM unnest(%s::oid[]) o ORDER BY 1", (oids,))
    return ", ".join(str(row[0]) for row in found)


# --- columns ----------------------------------------------------------------------------------------------


def _columns(ctx: CheckContext, wanted: Mapping[str, str]) -> Iterator[str]:
    known = {tuple(row["name"]): row for row in rows(ctx.conn, "columns")}
    for name, said in wanted.items():
        asked = _NULLABLE.fullmatch(said)
        assert asked is not None, "it takes any text"
        type_name = _type(ctx, asked["type"])
        row = known.get(parts(name))
        if row is None:
            yield f"column {name} is not there{near(parts(name), known)}"
            continue
        if row["type"] != type_name:
            yield f"column {name} is of type {row['type']}, not {type_name}"
        must_take = None if asked["type"] == said.strip() else asked["not"] is None
        if must_take is not None and row["nullable"] is not must_take:
            yield f"column {name} {'refuses NULL, and must take it' if must_take else 'takes NULL, and must refuse it'}"


def _type(ctx: CheckContext, name: str) -> str:
    """The type as the server writes it: ``varchar(20)`` is ``character varying(20)``."""
    if not _TYPE.fullmatch(name):
        raise CheckFailed(f"{name!r} is not the name of a type", where=ctx.where)
    try:
        cursor = ctx.conn.execute(f"SELECT NULL::{name}".encode())
    except psycopg.Error as error:
        raise sqlerrors.explain(error, ctx.where, f"There is no type {name}") from error
    result = cursor.pgresult
    assert result is not None
    row = ctx.conn.execute("SELECT format_type(%s, %s)", (result.ftype(0), result.fmod(0))).fetchone()
    assert row is not None
    return str(row[0])


# Key of `objects` -> how it is looked at, in the order in which problems are told.
_KINDS = {
    "extensions": _present("extension", "extensions"),
    "types": _present("type", "types"),
    "enums": _Kind(_enums, "types"),
    "tables": _relations("table", "table"),
    "indexes": _present("index", "indexes"),
    "constraints": _present("constraint", "constraints"),
    "foreign_keys": _Kind(structure.foreign_keys, "foreign_keys"),
    "triggers": _present("trigger", "triggers"),
    "fires": _Kind(calling.fires, ""),
    "views": _relations("view", "view", "materialized view"),
    "sequences": _relations("sequence", "sequence"),
    "functions": _Kind(_functions, "functions"),
    "calls": _Kind(calling.calls, ""),
    "columns": _Kind(_columns, "columns"),
    "partitions": _Kind(structure.partitions, "partitions"),
    "count": _Kind(structure.exactly, "counts"),
    "at_least": _Kind(structure.at_least, "counts"),
    "sound": _Kind(structure.sound, "redundant"),
    "absent": _Kind(_absent, "relations"),
}
