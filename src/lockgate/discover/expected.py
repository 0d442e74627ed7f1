"""What code, comments, functions and like columns expect to be there, and is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lockgate.discover import names
from lockgate.discover.code import Code, Place
from lockgate.discover.finding import Finding, Mend
from lockgate.discover.queries import load
from lockgate.discover.survey import Survey, Table
from lockgate.safety.finding import Severity
from lockgate.safety.records import Column, Relation
from lockgate.sql.references import Table as Named
from lockgate.suggest import did_you_mean

_SERVERS = frozenset({"pg_catalog", "information_schema", "lockgate"})
_DOTTED = r'"?([A-Za-z_]\w*)"?\."?([A-Za-z_]\w*)"?'
_COMMENT = re.compile(
    rf"\b(?:references?|refers? to|fk(?: to)?|foreign key (?:to|of)|points? (?:at|to)|see)\s+{_DOTTED}", re.I
)
_BODY = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|REFERENCES)\s+{_DOTTED}", re.I)
_LISTS = frozenset(
    {"ref", "reference", "references", "lookup", "lookups", "catalog", "catalogs", "dict", "enums", "types"}
)
_LIST_ENDS = frozenset({"catalog", "lookup", "list", "master", "dictionary", "ref", "value", "option"})
_KINDS = frozenset({"type", "kind", "category", "status", "class", "level", "stage"})
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Missing:
    """A table that something expects.

    :param who: what does, for people.
    """

    name: Named
    who: str


def found(survey: Survey, code: Code | None) -> Iterator[Finding]:
    """Reference tables that are missing, then what else the code names and is not there."""
    missing = [*_of_code(survey, code), *_of_comments(survey), *_of_functions(survey)]
    told: set[Named] = set()
    for each in missing:
        if each.name in told:
            continue
        told.add(each.name)
        pointing = _pointing(survey, each.name)
        if pointing is not None:
            yield _reference(*pointing, _spelled(each.name), each.who, Severity.MEDIUM)
        elif code is not None and each.name in code.tables:
            yield _table(survey, each.name, code.tables[each.name])
    columns = {pointing[1] for name in told if (pointing := _pointing(survey, name)) is not None}
    for table, column, expected, like in _like_others(survey):
        if column not in columns:
            yield _reference(table, column, expected, f"{like} has its table there", Severity.LOW)
    if code is not None:
        yield from _columns(survey, code)


def _exists(survey: Survey, name: Named) -> Relation | None:
    return survey.facts.relation(name.schema, name.name)


def _of_code(survey: Survey, code: Code | None) -> Iterator[_Missing]:
    if code is None:
        return
    passing = {table.name for table in code.passing} | {table.name for table in code.gone}
    for name, places in code.tables.items():
        system = name.schema in _SERVERS or name.name.startswith("pg_")
        if system or name.name in passing or _exists(survey, name) is not None:
            continue
        yield _Missing(name, f"the code names it at {_places(places)}")


def _of_comments(survey: Survey) -> Iterator[_Missing]:
    for row in survey.known("comments"):
        relation = survey.facts.relations.get(row.oid)
        for schema, name in _COMMENT.findall(row.said) if relation is not None else ():
            is_column = survey.facts.relation("", schema) is not None
            if not is_column and survey.facts.relation(schema, name) is None and relation is not None:
                column = survey.facts.numbered(row.oid, row.number)
                said = f"the comment on {relation.label}.{column.name if column else '?'} names it"
                yield _Missing(Named(schema, name), said)


def _of_functions(survey: Survey) -> Iterator[_Missing]:
    schemas = {relation.schema for relation in survey.facts.relations.values()}
    for function in survey.facts.functions.values():
        if not function.body or function.schema in _SERVERS:
            continue
        for schema, name in _BODY.findall(function.body):
            if schema in schemas and survey.facts.relation(schema, name) is None:
                yield _Missing(Named(schema, name), f"function {function.identity} names it")


def _pointing(survey: Survey, name: Named) -> tuple[Table, Column] | None:
    """The column that refers to a table of this name, by its own."""
    words = names.one_of(name.name).split("_")
    ones = {"_".join(words)}
    if words[-1] in _LIST_ENDS:
        ones.add("_".join(words[:-1]))
    wanted = {f"{one}{end}" for one in ones for end in ("", "_id", "_code")}
    for table in sorted(survey.tables, key=lambda each: each.label):
        for column in table.columns:
            if names.plain(column.name) in wanted and not _is_kept(survey, table, column):
                return table, column
    return None


def _is_kept(survey: Survey, table: Table, column: Column) -> bool:
    """Whether it is a key of its table, or refers to another one."""
    constraints = survey.facts.constraints_of(table.relation.oid)
    return any(each.type in {"f", "p"} and column.number in each.columns for each in constraints)


def _like_others(survey: Survey) -> Iterator[tuple[Table, Column, str, str]]:
    """Columns such as ``property_type`` where ``relationship_type`` has its table in a schema of such lists."""
    lists: dict[str, tuple[str, str]] = {}  # the last word -> a schema, and the column that has its table there
    known = {names.one_of(each.name): each for each in survey.tables if each.relation.schema in _LISTS}
    for table in survey.tables:
        for column in table.columns:
            stem = _kind_of(column)
            if stem in known:
                lists.setdefault(stem.split("_")[-1], (known[stem].relation.schema, f"{table.label}.{column.name}"))
    every = {names.one_of(each.name) for each in survey.tables}
    for table in survey.tables:
        plains = {names.plain(column.name) for column in table.columns}
        for column in table.columns:
            stem = _kind_of(column)
            if stem is None or stem in every or stem.split("_")[-1] not in lists or table.relation.schema in _LISTS:
                continue
            polymorphic = f"{'_'.join(stem.split('_')[:-1])}_id" in plains
            if polymorphic or _is_kept(survey, table, column) or _is_enum(survey, column):
                continue
            schema, like = lists[stem.split("_")[-1]]
            yield table, column, f"{schema}.{stem}s", like


def _kind_of(column: Column) -> str | None:
    """``property_type`` of ``property_type`` and ``property_type_id``; None for what is no such column."""
    words = names.plain(column.name).split("_")
    words = words[:-1] if words[-1] in {"id", "code"} else words
    return "_".join(words) if len(words) > 1 and words[-1] in _KINDS else None


def _is_enum(survey: Survey, column: Column) -> bool:
    known = survey.facts.types.get(survey.facts.base_type(column.type))
    return known is None or known.kind == "e" or bool(known.category == "B")


def _reference(table: Table, column: Column, expected: str, who: str, severity: Severity) -> Finding:
    return Finding(
        "DB405",
        table.label,
        (column.name,),
        f"{table.label}.{column.name} points at {expected}, which is not there: {who}.",
        load("comments").decode() if "comment" in who else f"SELECT to_regclass('{expected}')",
        Mend(
            f"Make {expected} from the values that {column.name} has, then the foreign key; or a CHECK with those "
            "values."
        ),
        severity=severity,
        subject=expected,
    )


def _table(survey: Survey, name: Named, places: Sequence[Place]) -> Finding:
    label = _spelled(name)
    known = [relation.label if name.schema else relation.name for relation in survey.facts.relations.values()]
    return Finding(
        "DB901",
        label,
        (),
        f"The code names {label} at {_places(places)}, and there is no such table or view{did_you_mean(label, known)}.",
        f"SELECT to_regclass('{label}')",
        Mend("Make it, or mend the code."),
        basis="the code and the catalog",
    )


def _columns(survey: Survey, code: Code) -> Iterator[Finding]:
    passing = {table.name for table in code.passing}
    gone = {(table.name, column) for table, column in code.gone_columns}
    for (name, column), places in code.columns.items():
        relation = _exists(survey, name)
        if relation is None or relation.kind not in {"r", "p", "v", "m", "f"} or name.name in passing:
            continue
        known = [each.name for each in survey.facts.columns.get(relation.oid, ())]
        if column in known or (name.name, column) in gone or not known:
            continue
        yield Finding(
            "DB902",
            relation.label,
            (column,),
            f"The code uses column {column} of {relation.label} at {_places(places)}, and it has no such column"
            f"{did_you_mean(column, known)}.",
            f"SELECT attname FROM pg_attribute WHERE attrelid = '{relation.sql}'::regclass AND attnum > 0",
            Mend("Add it, or mend the code."),
            basis="the code and the catalog",
        )


def _places(places: Sequence[Place]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(map(str, places[:_SHOWN])) + more


def _spelled(name: Named) -> str:
    return f"{name.schema}.{name.name}" if name.schema else name.name
