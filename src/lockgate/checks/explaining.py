"""Query plans, read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A query's plan.

    :param tree: as EXPLAIN (FORMAT JSON) gives it.
    :param milliseconds: of the execution, where it was run.
    """

    tree: Mapping[str, Any]
    milliseconds: float | None = None

    @property
    def nodes(self) -> Iterator[Mapping[str, Any]]:
        """All nodes, from the top."""
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


def explain(
    conn: Connection[Any], query: str, parameters: Mapping[str, Any] | None = None, *, run: bool = False
) -> QueryPlan:
    """The plan of a query; with ``run`` it is executed too, and measured, in a transaction that is rolled back.

    :raises psycopg.Error: if the query fails.
    """
    options = "FORMAT JSON, VERBOSE" + (", ANALYZE, BUFFERS, TIMING OFF" if run else "")
    with conn.transaction(force_rollback=True), conn.cursor(row_factory=scalar_row) as cursor:
        answer: Any = cursor.execute(f"EXPLAIN ({options}) {query}".encode(), parameters).fetchone()
    return QueryPlan(answer[0]["Plan"], answer[0].get("Execution Time"))


def _below(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _below(child)
