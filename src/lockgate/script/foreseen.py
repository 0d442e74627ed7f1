"""What statements will do in a database, told before they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection

from lockgate.effects import Effects, Mode, label, predict, sentences
from lockgate.effects.live import LiveCatalog
from lockgate.script.located import Located
from lockgate.sql.tree import parse_one, quote, unwrap
from lockgate.sqlfiles import load

_PACKAGE = __name__.rpartition(".")[0]
_READING = frozenset({Mode.ACCESS_SHARE, Mode.ROW_SHARE})
_MAKING = frozenset({"CreateStmt", "CreateTableAsStmt"})


def told(conn: Connection[Any], items: Sequence[Located]) -> list[list[str]]:
    """Of each statement the locks that more than a reader takes, and what it writes anew, empties or reads whole.

    With the server's estimates of how large that is. Tables that a statement before it makes are left out: nobody
    else has them yet. Only system catalogs are read.
    """
    catalog, major = LiveCatalog(conn), conn.info.server_version // 10_000
    made: set[str] = set()
    found = []
    for item in items:
        node = unwrap(parse_one(item.statement.text).stmt)
        found.append(_without(predict(node, catalog, major), made))
        if item.statement.kind in _MAKING:
            into = node.relation if item.statement.kind == "CreateStmt" else node.into.rel
            made.add(".".join(quote(part) for part in (into.schemaname, into.relname) if part))
    names = {name for effects in found for name in _named(effects)}
    rows = conn.execute(load(_PACKAGE, "foreseen.sizes"), {"names": sorted(names)}).fetchall()
    sizes = {name: (rows, size) for name, rows, size in rows}

    def called(name: str) -> str:
        if name not in sizes:
            return label(name)
        count, size = sizes[name]
        return (
            f"{label(name)} (about {count:,} rows, {size})" if count is not None else f"{label(name)} (never analyzed)"
        )

    return [_lines(effects, called, sizes) for effects in found]


def _without(effects: Effects, made: set[str]) -> Effects:
    """What others notice of it."""

    def others(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in made)

    return effects._replace(
        locks=tuple(lock for lock in effects.locks if lock.relation not in made and lock.mode not in _READING),
        rewrites=others(effects.rewrites),
        empties=others(effects.empties),
        scans=others(effects.scans),
        planned=False,
        unknown=tuple(what for what in effects.unknown if not any(f" {name} " in what for name in made)),
    )


def _named(effects: Effects) -> set[str]:
    return {*(lock.relation for lock in effects.locks), *effects.rewrites, *effects.empties, *effects.scans}


def _lines(effects: Effects, called: Callable[[str], str], sizes: dict[str, tuple[int | None, str]]) -> list[str]:
    lines = sentences(effects, called)
    lines += [
        f"{label(name)}: as much disk again until it ends, and as much WAL: {sizes[name][1]}"
        for name in effects.rewrites
        if name in sizes and sizes[name][0] is not None
    ]
    return lines
