"""A SELECT that cannot be kept in step, nor read in pieces: it is evaluated as a whole, and copied once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lockgate.sql import tree
from lockgate.sql.distinct import named_outputs
from lockgate.sql.select import Occurrence, Select
from lockgate.sql.shape import ShapeRefused, require_known_node
from lockgate.sql.tree import Node, kind, unwrap, walk

_ALIAS = '"lockgate_q"'


class Whole(Select):
    """Whatever yields the same rows for the same data, in one query.

    Other queries are derived from it around it only: its text stands in their FROM.

    :raises SqlSyntaxError: if it is not one SELECT.
    :raises ShapeRefused: if it writes, locks, or may yield other rows of the same data.
    """

    whole = True

    def __init__(self, text: str) -> None:
        self.text = text
        self._statement = tree.parse_one(text)
        if kind(self._statement.stmt) != "SelectStmt":
            raise ShapeRefused("a mapping is a SELECT", 0, "write a SELECT over the old model")
        self.distinct = None
        _require_steady(self.tree)
        self.occurrences = tuple(_occurrences(self.tree))
        if not self.occurrences:
            raise ShapeRefused("a SELECT that reads no table yields no row of the old model", -1, "read the old model")
        raw, start = text.encode(), self._statement.stmt_location
        length = self._statement.stmt_len or len(raw) - start
        self._query = raw[start : start + length].decode()

    def render(
        self,
        *,
        extra: Sequence[tuple[str, str]] = (),
        replace: Mapping[int, str] | None = None,
        where: Sequence[str] = (),
    ) -> str:
        """Write it with more outputs, which are expressions over its own."""
        assert not replace, "a SELECT that is copied whole has no pieces"
        assert not where, "a SELECT that is copied whole has no pieces"
        more = "".join(f", ({text}\n) AS {tree.quote(name)}" for text, name in extra)
        return f"SELECT {_ALIAS}.*{more} FROM ({self._query}\n) AS {_ALIAS}"

    @property
    def plain_outputs(self) -> dict[str, tuple[str, str]]:
        """None that is known to be a column of a relation."""
        return {}

    @property
    def stored_outputs(self) -> frozenset[str]:
        """None: all of them are computed."""
        return frozenset()

    def has_each_once(self, key: Collection[str]) -> bool:
        """Whether it is grouped by, or DISTINCT ON, outputs of the key alone, so that no two of its rows have one."""
        select = self.tree
        items = [item for item in select.distinct_clause if unwrap(item) is not None] or select.group_clause
        if select.op not in (0, 1) or not items:
            return False
        sets = any(kind(item) == "GroupingSet" for item in items)
        return not sets and all(named_outputs(item, select.target_list) & set(key) for item in items)


def _require_steady(select: Node) -> None:
    ctes = {node.ctename for node in walk(select) if kind(node) == "CommonTableExpr"}
    for node in walk(select):
        match kind(node):
            case "SelectStmt":
                _require_no_effect(node)
            case "CommonTableExpr" if kind(node.ctequery) != "SelectStmt":
                raise ShapeRefused("a WITH query that writes cannot be in a mapping", node.location, "write a SELECT")
            case "RangeVar" if not node.schemaname and node.relname not in ctes:
                raise ShapeRefused(
                    f'relation "{node.relname}" is named without its schema',
                    node.location,
                    "write schema.table: Lockgate pins search_path, so that the SELECT means the same in every session",
                )
            case "RangeTableSample":
                raise ShapeRefused("TABLESAMPLE yields other rows each time", node.location, "leave it out")
            case "ParamRef" | "SetToDefault" | "CurrentOfExpr" | "SQLValueFunction" | "SqlvalueFunction" | "ColumnRef":
                require_known_node(node)


def _require_no_effect(select: Node) -> None:
    limit = select.limit_count if select.HasField("limit_count") else select.limit_offset
    if unwrap(limit) is not None:
        raise ShapeRefused(
            "LIMIT and OFFSET may yield other rows each time", tree.location(limit), "use DISTINCT ON or row_number()"
        )
    if select.locking_clause:
        hint = "leave it out: Lockgate takes the locks it needs"
        raise ShapeRefused("FOR UPDATE and FOR SHARE lock the old model", tree.location(select.locking_clause[0]), hint)
    if select.HasField("into_clause"):
        raise ShapeRefused("SELECT INTO writes", tree.location(select.into_clause), "say `into:` in the mapping")


def _occurrences(select: Node) -> list[Occurrence]:
    """Every relation that is read, at whatever depth."""
    read = [node for node in walk(select) if kind(node) == "RangeVar" and node.schemaname]
    return [
        Occurrence(
            index=index,
            schema=var.schemaname,
            name=var.relname,
            alias=var.alias.aliasname or var.relname,
            offset=var.location,
            driving=True,
            outermost=False,
            in_from=True,
            whole_row=False,
        )
        for index, var in enumerate(read)
    ]
