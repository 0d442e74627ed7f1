"""Query plans, read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

_STOP_EARLY = frozenset({"Limit", "Merge Join"})


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A query's plan.

    :param tree: as EXPLAIN (FORMAT JSON) gives it.
    :param milliseconds: of the execution, where it was run.
    :param triggers: table and name of those that fired, where it was run.
    """

    tree: Mapping[str, Any]
    milliseconds: float | None = None
    triggers: frozenset[tuple[str, str]] = frozenset()

    @property
    def nodes(self) -> Iterator[Mapping[str, Any]]:
        """All nodes, from the top; where it was run only those that were executed."""
        yield from _below(self.tree)

    @property
    def indexes(self) -> set[str]:
        """Names of the indexes that it uses, without their schema."""
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    @property
    def seq_scans(self) -> set[tuple[str, str]]:
        """Schema and name of the tables that it scans from end to end."""
        return {
            (node.get("Schema", ""), node["Relation Name"])
            for node in self.nodes
            if node["Node Type"].endswith("Seq Scan") and "Relation Name" in node
        }

    @property
    def reads(self) -> set[tuple[str, str]]:
        """Schema and name of the tables that it reads."""
        return {(node.get("Schema", ""), node["Relation Name"]) for node in self.nodes if "Relation Name" in node}

    @property
    def lines(self) -> list[str]:
        """The nodes that read tables or indexes, a line each."""
        return [_line(node) for node in self.nodes if "Relation Name" in node or "Index Name" in node]

    def misjudged(self, times: float) -> Iterator[str]:
        """Where more or fewer rows came than were expected, by more than so many times.

        What is below a node that may stop early is not judged: LIMIT, EXISTS and the like.
        """
        for node in _to_their_end(self.tree):
            expected, found = max(1.0, node["Plan Rows"]), max(1.0, node["Actual Rows"])
            if max(expected / found, found / expected) > times:
                yield f"{_line(node)} expects {node['Plan Rows']} and yields {node['Actual Rows']:g} rows"


def explain(
    conn: Connection[Any], query: str, parameters: Mapping[str, Any] | None = None, *, run: bool = False
) -> QueryPlan:
    """The plan of a query; with ``run`` it is executed too, and measured, in a transaction that is rolled back.

    :raises psycopg.Error: if the query fails.
    """
    options = "FORMAT JSON, VERBOSE" + (", ANALYZE, BUFFERS, TIMING OFF" if run else "")
    with conn.transaction(force_rollback=True), conn.cursor(row_factory=scalar_row) as cursor:
        answer: Any = cursor.execute(f"EXPLAIN ({options}) {query}".encode(), parameters).fetchone()
    fired = {(one["Relation"], one["Trigger Name"]) for one in answer[0].get("Triggers", ()) if "Trigger Name" in one}
    return QueryPlan(answer[0]["Plan"], answer[0].get("Execution Time"), frozenset(fired))


def _below(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if node.get("Actual Loops") == 0:
        return
    yield node
    for child in node.get("Plans", ()):
        yield from _below(child)


def _to_their_end(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if node.get("Actual Loops") == 0:
        return
    yield node
    early = node["Node Type"] in _STOP_EARLY or node.get("Join Type") in {"Semi", "Anti"}
    for child in node.get("Plans", ()):
        if not early and child.get("Parent Relationship") in {"Outer", "Inner", "Member", "Subquery"}:
            yield from _to_their_end(child)


def _line(node: Mapping[str, Any]) -> str:
    """A node as EXPLAIN writes it, with its conditions and without costs."""
    words = node["Node Type"]
    if "Index Name" in node:
        words += f" using {node['Index Name']}"
    if "Relation Name" in node:
        words += f" on {'.'.join(filter(None, (node.get('Schema'), node['Relation Name'])))}"
    conditions = [f"{name}: {node[name]}" for name in ("Index Cond", "Recheck Cond", "Filter") if name in node]
    return f"{words} ({', '.join(conditions)})" if conditions else words
