"""What the planner believes of each table, against what there is; and tables that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.discover.finding import Finding, Mend
from lockgate.discover.indexes import rows_said
from lockgate.discover.queries import load
from lockgate.discover.survey import Survey, Table

_FEW = 500  # rows below which the planner errs little, and autovacuum does not come
_OFF = 0.2  # of the rows: from twice what autovacuum lets pass on


def stale(survey: Survey) -> Iterator[Finding]:
    """Tables whose figures are missing, or not true any more."""
    for table in survey.tables:
        if table.unread or table.measured.held:
            continue
        told = _told(survey, table)
        if told is None:
            continue
        code, what = told
        yield Finding(
            code,
            table.label,
            (),
            what,
            "SELECT reltuples, n_mod_since_analyze, last_analyze, last_autoanalyze FROM pg_class JOIN "
            "pg_stat_all_tables "
            f"ON relid = pg_class.oid WHERE relid = '{table.sql}'::regclass",
            Mend(f"ANALYZE {table.sql};", analyze=table.sql),
            count=table.rows,
            exact=table.counted,
            basis="all rows were counted" if table.counted else "a sample of the rows",
        )


def _told(survey: Survey, table: Table) -> tuple[str, str] | None:
    """The code and what there is to say; None where all is well."""
    relation, measured = table.relation, table.measured
    parts = [
        part for part in survey.facts.family(relation) if part.kind == "r" and (part is relation or part.partition)
    ]
    believed = [part.rows for part in parts]
    known = sum(max(0.0, rows) for rows in believed)
    if table.rows >= _FEW and not measured.analyzed and not measured.described:
        said = f"takes it for about {known:,.0f}" if known else "knows nothing of them"
        return "DB101", f"{table.label} has {rows_said(table)} and was never analyzed: the planner {said}."
    off = abs(known - table.rows)
    changed = measured.modified
    if off > max(_FEW, _OFF * max(table.rows, known)) and table.counted:
        when = f", when it was last analyzed ({measured.analyzed[:16]})" if measured.analyzed else ""
        return "DB102", f"The planner takes {table.label} for {known:,.0f} rows{when}, and there are {table.rows:,}."
    # What was inserted shows in the rows. What a load has inserted before it was analyzed may still be counted here.
    if changed > max(2 * _FEW, _OFF * table.rows) and 2 * measured.updated >= changed:
        when = f" ({measured.analyzed[:16]})" if measured.analyzed else ""
        return "DB102", (
            f"{changed:,} rows of {table.label} have changed since it was last analyzed{when}; it has "
            f"{rows_said(table)}."
        )
    return None


def not_used(survey: Survey, since: str) -> Iterator[Finding]:
    """Tables that nobody has read or written since the counters count."""
    for table in survey.tables:
        if table.measured.reads == 0 and table.measured.writes == 0:
            yield Finding(
                "DB701",
                table.label,
                (),
                f"Nobody has read or written {table.label} ({rows_said(table)}) since {since}. Replicas count for "
                "themselves, and a discovery before this one would count as a read.",
                load("tables").decode(),
                Mend("Look who may need it; then a plan archives and drops it behind the gate `unused`."),
                count=table.rows,
                exact=table.counted,
            )
