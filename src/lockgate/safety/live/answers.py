"""What a live database adds to what the texts tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lockgate.safety.context import Context
from lockgate.safety.database import Database
from lockgate.safety.finding import Severity, Tier
from lockgate.safety.live import checks, foreign_keys, indexes, keys, partitions, types, users
from lockgate.safety.live.told import Refine, Told, refining
from lockgate.safety.registry import FAMILIES as TEXT_FAMILIES
from lockgate.safety.registry import RULES as TEXT_RULES
from lockgate.safety.rule import Answer, Found, Rule
from lockgate.sql import ddl
from lockgate.sql.tree import strings, walk

TOLD: tuple[Told, ...] = (
    *indexes.RULES,
    *types.RULES,
    *keys.RULES,
    *foreign_keys.RULES,
    *checks.RULES,
    *users.RULES,
    *partitions.RULES,
)

FAMILIES: Mapping[str, tuple[Rule, ...]] = {
    **TEXT_FAMILIES,
    "What only a database tells (lockgate check)": tuple(each.rule for each in TOLD),
}
"""Title -> its rules."""
RULES: Mapping[str, Rule] = {**TEXT_RULES, **{each.rule.code: each.rule for each in TOLD}}
"""Code -> rule, those that a text alone tells too."""
ALL = frozenset(RULES)

_BY_SIZE = frozenset(
    [
        "LG101",
        "LG105",
        "LG201",
        "LG202",
        "LG203",
        "LG204",
        "LG205",
        "LG207",
        "LG209",
        "LG301",
        "LG305",
        "LG401",
        "LG402",
        "LG403",
        "LG404",
        "LG405",
        "LG406",
        "LG501",
        "LG804",
        "LG805",
    ]
)
"""Hazards that last as long as the table is large."""


def _figures(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """The size of the table; what takes no time with a small one is not as bad."""
    relation = db.relation(c) if c.relation is not None else None
    for one in found:
        if relation is None or relation.kind not in {"r", "p", "m"}:
            yield one
            continue
        made = one._replace(why=f"{one.why} {db.size(relation)}.")
        if c.statement.kind in {"AlterTableStmt", "IndexStmt"} and db.is_small(relation):
            yield made._replace(severity=Severity.LOW)
        else:
            yield made


def _sized(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    relation = db.relation(c) if c.relation is not None else None
    for one in found:
        known = relation is not None and relation.kind in {"r", "p", "m"}
        yield one._replace(why=f"{one.why} {db.size(relation)}.") if relation is not None and known else one


def _volatile(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """Whether the functions of a default are volatile, as the catalog says."""
    calls = [node for node in walk(c.part) if node.DESCRIPTOR.name == "FuncCall"]
    known, volatile = True, False
    for call in calls:
        *schema, name = strings(call.funcname)
        functions = db.facts.functions_named(schema[-1] if schema else "", name)
        fitting = [function for function in functions if function.takes(len(call.args))]
        known = known and bool(fitting)
        volatile = volatile or any(function.volatility == "v" for function in fitting)
    if known and not volatile:
        return
    certain = [one._replace(severity=Severity.HIGH) if known else one for one in found]
    what = [one._replace(what=_sure(one.what)) if known else one for one in certain]
    yield from _figures(c, db, what)


def _sure(what: str) -> str:
    """Without the doubt that the text had to leave."""
    head, doubt, _ = what.partition(" is volatile, as functions are by default")
    return f"{head.replace(' if ', ': ', 1)} is volatile." if doubt else what


def _policies(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    relation = db.relation(c)
    if relation is None or relation.policies == 0:
        for one in found:
            owner = f" Its owner is {relation.owner}." if relation else ""
            yield one._replace(what=one.what.replace("If ", "As ", 1), why=one.why + owner) if relation else one


def _published(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    relation = db.relation(c)
    for one in found:
        yield one._replace(severity=Severity.LOW) if relation is not None and not relation.published else one


def _granted(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """What others may do with a view that is dropped."""
    lines = []
    for names in ddl.objects(c.node):
        view = db.facts.relation(names[-2] if len(names) > 1 else "", names[-1])
        if view is not None and view.oid in db.facts.grants:
            lines += list(db.facts.grants[view.oid].statements)
    again = any(statement.kind == "GrantStmt" for statement in c.subject.statements[c.statement.index :])
    for one in found:
        if lines and not again:
            yield one._replace(
                severity=Severity.HIGH,
                why=f"{one.why} Lost: {'; '.join(lines)}.",
                rewrite="-- After the view is there again:\n" + "\n".join(f"{line};" for line in lines),
            )
        else:
            yield one._replace(severity=Severity.LOW)


def _required(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """A column that must have a value is no harm to a table without rows."""
    relation = db.relation(c)
    holds = db.has_rows(relation) if relation else None
    for one in found:
        if holds is None:
            yield one
        elif holds and relation is not None:
            yield one._replace(why=f"{one.why} {db.size(relation)}.")


def _opclass(c: Context, db: Database, found: Sequence[Found]) -> Iterator[Found]:
    """An EXCLUDE that needs btree_gist, which is not there."""
    relation = db.relation(c)
    for one in found:
        missing = []
        for item in c.part.exclusions if relation is not None else ():
            element = item.list.items[0].index_elem
            column = db.column(c, relation, element.name) if relation and element.name else None
            if column is None or element.opclass:
                continue
            method = c.part.access_method or "btree"
            if not _has_opclass(db, method, db.facts.base_type(column.type)):
                missing.append(element.name)
        if missing:
            what = f"This fails: there is no operator class of {c.part.access_method} for {', '.join(missing)}."
            yield one._replace(what=what, rewrite=f"CREATE EXTENSION btree_gist;\n{one.rewrite}".strip())
        else:
            yield from _figures(c, db, [one])


def _has_opclass(db: Database, method: str, oid: int) -> bool:
    kind = db.facts.types.get(oid)
    if kind is None or kind.kind in {"r", "m"} or kind.category == "A":
        return True
    others = [target for (source, target), (way, _) in db.facts.casts.items() if source == oid and way == "b"]
    return any((method, each) in db.facts.default_opclasses for each in (oid, *others))


_CATALOG: Mapping[str, Refine] = {
    "LG201": _volatile,
    "LG405": _opclass,
    "LG603": users.cascading,
    "LG605": _granted,
    "LG701": partitions.detaching,
    "LG721": partitions.refreshing,
    "LG744": _policies,
    "LG747": _published,
}
_DATA: Mapping[str, Refine] = {"LG210": _required, "LG302": types.lossy, "LG306": types.failing}


def _for(rule: Rule) -> Refine:
    return _CATALOG.get(rule.code) or (_figures if rule.code in _BY_SIZE else _sized)


ANSWERS: Mapping[tuple[str, Tier], Answer] = {
    **{(rule.code, Tier.CATALOG): refining(_for(rule)) for rule in TEXT_RULES.values() if Tier.CATALOG in rule.looks},
    **{(code, Tier.DATA): refining(refine) for code, refine in _DATA.items()},
    **{(each.rule.code, each.tier): each.answer for each in TOLD},
}
"""Code and tier -> what is said there."""


def by_event() -> Mapping[str, tuple[Rule, ...]]:
    """All rules, those of the texts too, by the events that they are shown."""
    found: dict[str, list[Rule]] = {}
    for rule in RULES.values():
        for event in rule.on:
            found.setdefault(event, []).append(rule)
    return {event: tuple(sorted(rules, key=lambda rule: rule.code)) for event, rules in found.items()}
