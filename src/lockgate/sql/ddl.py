"""Reading statements that define things: whom they name, of what types, and writing them anew without their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache

from lockgate.errors import PlanError
from lockgate.sql import tree
from lockgate.sql.tree import Node, SqlSyntaxError, strings, unwrap

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_SPELLED = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "bpchar": "character",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "varbit": "bit varying",
    "decimal": "numeric",
}


@lru_cache(maxsize=4096)
def ident(name: str) -> str:
    """An identifier as one would write it: in quotes only where it needs them."""
    if _PLAIN.fullmatch(name):
        if not tree.may_be_word(name):
            return name
        try:
            tree.parse(f"CREATE TABLE {name} ({name} integer)")
        except SqlSyntaxError:
            pass
        else:
            return name
    return tree.quote(name)


def dotted(names: Iterable[str]) -> str:
    """A qualified name as one would write it."""
    return ".".join(ident(name) for name in names if name)


def free(wanted: str, taken: Callable[[str], bool]) -> str:
    """A name that is not taken: the wanted one, cut to 63 bytes, or with a number at its end."""
    number = 0
    while True:
        end = f"_{number}" if number else ""
        name = wanted.encode()[: 63 - len(end)].decode(errors="ignore") + end
        if not taken(name):
            return name
        number += 1


def relation(node: Node) -> str:
    """The name of a ``RangeVar``, as one would write it."""
    return dotted((node.catalogname, node.schemaname, node.relname))


def objects(statement: Node) -> Iterator[tuple[str, ...]]:
    """The qualified names of what a ``DropStmt`` drops."""
    for item in statement.objects:
        inner = unwrap(item)
        match inner.DESCRIPTOR.name:
            case "List":
                yield tuple(part.sval for one in inner.items if hasattr(part := unwrap(one), "sval"))
            case "ObjectWithArgs":
                yield strings(inner.objname)
            case "TypeName":
                yield strings(inner.names)
            case _:
                yield (inner.sval,)


def type_of(node: Node) -> str:
    """A ``TypeName`` as ``format_type`` writes it, without ``pg_catalog``: ``character varying(50)``, ``bigint[]``."""
    names = strings(node.names)
    if names[:1] == ("pg_catalog",):
        names = names[1:]
    base = _SPELLED.get(names[0], names[0]) if len(names) == 1 else dotted(names)
    numbers = [str(modifier) for item in node.typmods if (modifier := number(item)) is not None]
    if base == "character" and numbers == ["1"]:
        numbers = []
    if numbers and base != "interval":
        first, *more = base.split(" ", 1)
        inside = f"({','.join(numbers)})"
        # The precision of a time stands before what says whether it has a zone.
        base = f"{first}{inside} {more[0]}" if more and first in {"time", "timestamp"} else base + inside
    return base + "[]" * len(node.array_bounds)


def number(node: Node) -> int | None:
    """The whole number that a constant is; None for anything else."""
    inner = unwrap(node)
    if inner is None or inner.DESCRIPTOR.name != "A_Const" or inner.WhichOneof("val") != "ival":
        return None
    return int(inner.ival.ival)


def is_null(node: Node) -> bool:
    """Whether an expression is the word NULL, cast or not."""
    inner = unwrap(node)
    while inner is not None and inner.DESCRIPTOR.name == "TypeCast":
        inner = unwrap(inner.arg)
    return inner is not None and inner.DESCRIPTOR.name == "A_Const" and bool(inner.isnull)


def written(statement: Node, *, values: bool = False) -> str:
    """A statement, changed or not, as SQL on one line; each constant is ``$1``, ``$2``, ... unless values are wanted.

    Lengths of types and storage parameters are no values. The empty text if it cannot be written back exactly.

    :param statement: the message itself, such as an ``IndexStmt``.
    """
    raw = tree.parse("SELECT 1")[0]
    getattr(raw.stmt, _field(type(statement).__name__)).CopyFrom(statement)
    if not values:
        _hide(raw.stmt, 0)
    try:
        return tree.deparse(raw)
    except PlanError:
        return ""


def expression(node: Node, *, values: bool = False) -> str:
    """An expression as SQL; each constant is ``$1``, ``$2``, ... unless values are wanted."""
    select = tree.parse("SELECT 1")[0].stmt.select_stmt
    select.target_list[0].res_target.val.CopyFrom(node)
    return written(select, values=values).removeprefix("SELECT ")


@cache
def _field(name: str) -> str:
    node = tree.parse("SELECT 1")[0].stmt
    return next(str(field.name) for field in node.DESCRIPTOR.fields if field.message_type.name == name)


def _hide(message: Node, count: int) -> int:
    """Put parameters in place of constants; how many there are by now."""
    name = message.DESCRIPTOR.name
    if name == "TypeName":
        return count
    if name == "Node" and message.WhichOneof("node") == "a_const":
        constant = message.a_const
        if constant.isnull or constant.WhichOneof("val") == "boolval":
            return count
        message.param_ref.number = count + 1
        return count + 1
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in value if hasattr(value, "append") else [value]:
                count = _hide(child, count)
    return count
