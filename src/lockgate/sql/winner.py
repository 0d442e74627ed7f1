"""Read the words of ``winner:``: ORDER BY items."""

from __future__ import annotations

from lockgate.sql import tree
from lockgate.sql.tree import SqlSyntaxError

_DIRECTIONS = {0: "", 1: "", 2: " ASC", 3: " DESC"}
_NULLS = {0: "", 1: "", 2: " NULLS FIRST", 3: " NULLS LAST"}


def read_winner(text: str) -> tuple[str, str]:
    """Split an ORDER BY item into its expression and its direction.

    :raises SqlSyntaxError: if it is not one item, or orders by USING.
    """
    item = tree.sort_items(text)
    if item.sortby_dir not in _DIRECTIONS:
        raise SqlSyntaxError("ORDER BY ... USING is not understood; write ASC or DESC", 0)
    statement = tree.parse_one("SELECT 1")
    statement.stmt.select_stmt.target_list[0].res_target.val.CopyFrom(item.node)
    expression = tree.deparse(statement).removeprefix("SELECT ")
    return expression, _DIRECTIONS[item.sortby_dir] + _NULLS[item.sortby_nulls]
