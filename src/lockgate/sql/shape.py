"""Which SELECTs can be kept exact while both sides move, and why the others cannot.

What only the server knows (volatility, aggregates, views) is judged in ``lockgate.mapping.analysis``.
"""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.errors import MappingRefused
from lockgate.sql.ranges import JOIN_INNER, JOIN_LEFT, conjuncts, exists_of
from lockgate.sql.tree import Node, kind, location, unwrap, walk

_SYSTEM_COLUMNS = {"ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"}
_AGGREGATE_ADVICE = "keep the rows, and aggregate in a view of the new model"
_SUBLINK_ADVICE = "write it as a join, or as EXISTS or NOT EXISTS joined by AND in WHERE"


class ShapeRefused(MappingRefused):
    """The SELECT has a form that cannot be kept exact.

    :param offset: where, in bytes of the text; -1 if unknown.
    """

    def __init__(self, what: str, offset: int, hint: str) -> None:
        super().__init__(what, hint=hint)
        self.offset = offset


def require_supported(select: Node) -> None:
    """Check the outermost SELECT of a mapping and everything below it.

    :raises ShapeRefused: at the first form that is not supported.
    """
    _require_plain(select, outermost=True)
    for node in walk(select):
        require_known_node(node)


def _require_plain(select: Node, *, outermost: bool) -> None:
    if select.values_lists:
        if outermost:
            raise ShapeRefused("VALUES yields no row of the old model", -1, "write a SELECT over the old model")
        return
    for part, what, hint in _unsupported(select, outermost=outermost):
        raise ShapeRefused(f"{what} cannot be kept in step", location(part), hint)
    if not select.from_clause and outermost:
        raise ShapeRefused("a SELECT without FROM yields no row of the old model", -1, "read the old model")
    for item in select.from_clause:
        _require_item(item)
    _require_where(select)


def _unsupported(select: Node, *, outermost: bool) -> Iterator[tuple[Node, str, str]]:
    """What a mapping cannot have: the part that stands there, what it is, and what to do."""
    if select.op not in (0, 1):
        parts = "write a mapping for each part; their order is the priority"
        yield select.rarg, "UNION, EXCEPT and INTERSECT", parts
    if select.HasField("with_clause"):
        yield select.with_clause, "a WITH query at this place", "write it into FROM"
    if select.group_clause:
        yield select.group_clause[0], "GROUP BY", _AGGREGATE_ADVICE
    if select.HasField("having_clause"):
        yield select.having_clause, "HAVING", _AGGREGATE_ADVICE
    if select.window_clause:
        yield select.window_clause[0], "a window function", "use `winner:` to say which row keeps a key"
    if select.HasField("limit_count") or select.HasField("limit_offset"):
        part = select.limit_count if select.HasField("limit_count") else select.limit_offset
        yield part, "LIMIT and OFFSET", "use `winner:` or WHERE"
    if select.locking_clause:
        yield select.locking_clause[0], "FOR UPDATE and FOR SHARE", "leave it out: Lockgate takes the locks it needs"
    if select.HasField("into_clause"):
        yield select.into_clause, "SELECT INTO", "say `into:` in the mapping"
    if select.sort_clause and not (outermost and select.distinct_clause):
        yield select.sort_clause[0], "ORDER BY", "use `winner:`"
    if select.distinct_clause and not outermost:
        yield select.target_list[0], "DISTINCT below the outermost SELECT", "use EXISTS"


def _require_item(item: Node) -> None:
    inner = unwrap(item)
    match kind(inner):
        case "RangeVar":
            if not inner.schemaname:
                raise ShapeRefused(
                    f'relation "{inner.relname}" is named without its schema',
                    inner.location,
                    "write schema.table: Lockgate pins search_path, so that the SELECT means the same in every session",
                )
            if inner.alias.colnames:
                raise ShapeRefused(
                    f'the columns of "{inner.relname}" are named anew in FROM',
                    inner.location,
                    "leave the list out: the names of the table's columns are needed to follow its changes",
                )
        case "JoinExpr":
            _require_join(inner)
        case "RangeSubselect":
            _require_plain(unwrap(inner.subquery), outermost=False)
        case "RangeFunction":
            pass
        case "RangeTableSample":
            raise ShapeRefused("TABLESAMPLE yields other rows each time", inner.location, "leave it out")
        case other:
            raise ShapeRefused(
                f"{other} in FROM cannot be kept in step", location(inner), "use tables, joins and functions"
            )


def _require_join(join: Node) -> None:
    if join.jointype not in (JOIN_INNER, JOIN_LEFT):
        raise ShapeRefused(
            "only inner and LEFT joins can be kept in step",
            location(join.rarg),
            "turn RIGHT JOIN around; split FULL JOIN",
        )
    if join.is_natural:
        what = "NATURAL JOIN changes its meaning when a column is added"
        raise ShapeRefused(what, location(join.rarg), "write ON")
    if join.jointype == JOIN_LEFT and join.using_clause:
        what = "LEFT JOIN ... USING cannot be kept in step"
        raise ShapeRefused(what, location(join.rarg), "write LEFT JOIN ... ON")
    _refuse_sublinks(join.quals)
    _require_item(join.larg)
    _require_item(join.rarg)


def _require_where(select: Node) -> None:
    for condition in conjuncts(select.where_clause):
        sublink = exists_of(condition)
        if sublink is None:
            _refuse_sublinks(condition)
        else:
            _require_plain(unwrap(sublink.subselect), outermost=False)
    for target in select.target_list:
        _refuse_sublinks(target)


def _refuse_sublinks(node: Node) -> None:
    for inner in walk(node):
        if kind(inner) == "SubLink":
            raise ShapeRefused("a subquery at this place cannot be kept in step", inner.location, _SUBLINK_ADVICE)


def require_known_node(node: Node) -> None:
    """Refuse an expression that means something else at each evaluation, or nothing here.

    :raises ShapeRefused: if it is one.
    """
    match kind(node):
        case "FuncCall" if node.HasField("over"):
            raise ShapeRefused("window functions cannot be kept in step", node.location, "use `winner:`")
        case "FuncCall" if node.agg_within_group or node.agg_star or node.agg_distinct:
            raise ShapeRefused("an aggregate cannot be kept in step", node.location, _AGGREGATE_ADVICE)
        case "ParamRef":
            raise ShapeRefused("a parameter has no value here", node.location, "write the value")
        case "SetToDefault" | "CurrentOfExpr" | "SQLValueFunction" | "SqlvalueFunction":
            raise ShapeRefused(
                "the current time or user differs at each evaluation",
                getattr(node, "location", -1),
                "use `on_insert:`",
            )
        case "ColumnRef" if unwrap(node.fields[-1]).DESCRIPTOR.name == "String":
            name = unwrap(node.fields[-1]).sval
            if name in _SYSTEM_COLUMNS:
                raise ShapeRefused(f'system column "{name}" is not data', node.location, "use a column of the table")
