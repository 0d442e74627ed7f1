"""Rows against CHECKs."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.finding import Severity, Tier
from lockgate.safety.live.told import counted_found, told
from lockgate.safety.probes.rows import violating
from lockgate.safety.rule import Found
from lockgate.sql import ddl
from lockgate.sql.tree import enum, strings, walk


@told(
    "LG423",
    "check-is-violated",
    Severity.HIGH,
    "A CHECK that rows do not fulfil fails, or makes later updates of these rows fail",
    on=("CONSTR_CHECK", "AT_ValidateConstraint"),
    hazard="ADD CHECK reads all rows and fails with error 23514 at the first one that does not fulfil it. NOT VALID "
    "leaves these rows, but each later UPDATE of one fails, of whatever column, until VALIDATE fails at last.",
    instead="Mend these rows before the CHECK is added, also where it is NOT VALID.",
    rows=(38, 39),
    tier=Tier.DATA,
    looks="whether rows fail the test",
)
def check_is_violated(c: Context, db: Database) -> Iterator[Found]:
    relation = db.relation(c)
    if relation is None:
        return
    if c.part.DESCRIPTOR.name == "Constraint":
        if enum(c.part, "contype") != "CONSTR_CHECK" or not c.adds or c.column is not None or not c.part.is_enforced:
            return
        used = {
            strings(node.fields)[-1]
            for node in walk(c.part.raw_expr)
            if node.DESCRIPTOR.name == "ColumnRef" and len(strings(node.fields))
        }
        if not db.columns(c, relation, tuple(used)) and used:
            return
        check, later = ddl.expression(c.part.raw_expr, values=True), bool(c.part.skip_validation)
    else:
        known = db.facts.constraints_of(relation.oid)
        waiting = [x for x in known if x.name == c.part.name and x.type == "c" and not x.validated]
        check, later = (waiting[0].expression or "", False) if waiting else ("", False)
    if not check:
        return
    counted = db.prober.ask(violating(db.facts, relation, check))
    fails = "Each later UPDATE of {count} of" if later else "This fails: {count} of"
    ends = (
        "fails: they do not fulfil the CHECK, and it is tested whenever one is written"
        if later
        else ("do not fulfil the CHECK")
    )
    shown = c.expression(c.part.raw_expr) if c.part.DESCRIPTOR.name == "Constraint" else check
    rewrite = "" if "$1" in shown else f"SELECT count(*) FROM {relation.sql} WHERE NOT ({shown});"
    yield from counted_found(
        c,
        counted,
        db.rows_change(c, relation),
        what=f"{fails} {relation.label} {ends}.",
        why=f"NOT VALID spares only rows that nobody touches. {db.size(relation)}."
        if later
        else f"Each row is tested. {db.size(relation)}.",
        looks=f"whether rows of {relation.label} fail the CHECK",
        rewrite=f"-- Mend these rows first:\n{rewrite}" if rewrite else "",
    )


RULES = (check_is_violated,)
