"""Names of tables in which ``*`` stands for anything: ``core.entity_*``."""

from __future__ import annotations

import re

_PART = re.compile(r'"(?:[^"]|"")+"|(?:[^\W\d]|\*)[\w$*]*')


def split_pattern(pattern: str) -> tuple[tuple[str, ...], ...] | None:
    """The parts of ``schema.name`` in which ``*`` stands for anything, each cut at its stars; None if it is no such.

    ``core.entity_*`` is ``(("core",), ("entity_", ""))``. Within quotes a star is only a star.
    """
    parts: list[tuple[str, ...]] = []
    position = 0
    while found := _PART.match(pattern, position):
        part = found[0]
        quoted = part.startswith('"')
        parts.append((part[1:-1].replace('""', '"'),) if quoted else tuple(part.lower().split("*")))
        position = found.end()
        if position == len(pattern):
            return tuple(parts) if len(parts) == 2 else None
        if pattern[position] != ".":
            return None
        position += 1
    return None


def fits(pattern: str, schema: str, name: str) -> bool:
    """Whether a table's name, as the catalog has it, is one of those that the pattern stands for."""
    parts = split_pattern(pattern)
    return parts is not None and all(
        re.fullmatch(".*".join(map(re.escape, part)), given, re.DOTALL) is not None
        for part, given in zip(parts, (schema, name), strict=True)
    )
