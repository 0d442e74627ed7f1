"""Effects in sentences for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lockgate.effects.model import Effects, Mode

_PLAIN = re.compile(r'(?<!")"([a-z_][a-z0-9_]*)"(?!")')
_MEANING = {
    Mode.ACCESS_SHARE: "others read and write; who wants ACCESS EXCLUSIVE waits",
    Mode.ROW_SHARE: "others read and write, except for rows that are locked",
    Mode.ROW_EXCLUSIVE: "others read and write; who builds an index or changes the table waits",
    Mode.SHARE_UPDATE_EXCLUSIVE: "others read and write; VACUUM and who changes the table waits",
    Mode.SHARE: "others read, nobody writes meanwhile",
    Mode.SHARE_ROW_EXCLUSIVE: "others read, nobody writes meanwhile",
    Mode.EXCLUSIVE: "others read, nobody writes meanwhile",
    Mode.ACCESS_EXCLUSIVE: "nobody reads or writes meanwhile",
}
_NAMED = 5  # more names than this are counted instead


def label(name: str) -> str:
    """A quoted name as people write it: quoted only where there is more in it than small letters."""
    return _PLAIN.sub(r"\1", name)


def sentences(effects: Effects, called: Callable[[str], str] = label) -> list[str]:
    """What a statement does, the worst first: a sentence for each lock mode, and one for each other effect.

    :param called: how a relation is named, the first time that it is.
    """
    new: dict[str, None] = {}

    def once(name: str) -> str:
        first = name not in new
        new[name] = None
        return called(name) if first else label(name)

    said = []
    rebuilt = set(effects.rebuilds)  # their lock is the least of it
    for mode in reversed(Mode):
        names = [lock.relation for lock in effects.locks if lock.mode is mode and lock.relation not in rebuilt]
        if names:
            said.append(f"{mode.value} on {_listed(names, once)}: {_MEANING[mode]}")
    if effects.rewrites:
        said.append(f"{_listed(effects.rewrites, once)}: written anew, row by row")
    if effects.rebuilds:
        said.append(f"{_counted(len(effects.rebuilds))} built anew: {_listed(effects.rebuilds, once)}")
    if effects.empties:
        said.append(f"{_listed(effects.empties, once)}: emptied")
    read = [name for name in effects.scans if name not in effects.rewrites]
    if read:
        said.append(f"{_listed(read, once)}: read from the first row to the last")
    if effects.planned:
        said.append("how much is read beside that is the planner's choice")
    return [*said, *(f"not known: {label(what)}" for what in effects.unknown)]


def _listed(names: Sequence[str], called: Callable[[str], str]) -> str:
    shown = ", ".join(map(called, names[:_NAMED]))
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _counted(number: int) -> str:
    return "1 index is" if number == 1 else f"{number} indexes are"
