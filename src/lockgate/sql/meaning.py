"""Whether two texts of SQL say the same."""

from __future__ import annotations

from lockgate.sql import tree


def same_statements(one: str, other: str) -> bool:
    """Whether they hold the same statements in the same order: comments, spaces and line ends aside.

    A text that is no SQL is the same as itself only.
    """
    if one == other:
        return True
    try:
        return _written(one) == _written(other)
    except tree.SqlSyntaxError:
        return False


def _written(text: str) -> list[tree.Node]:
    """Their trees, without the places of anything."""
    return [tree.strip_locations(tree.unwrap(raw.stmt)) for raw in tree.parse(text)]
