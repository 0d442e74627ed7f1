"""Parts of the check ``objects``: foreign keys, partitions, numbers of objects, and whether schemas are sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import eq, ge
from typing import Any

from lockgate.checks.base import CheckContext
from lockgate.checks.names import near, parts, rows, spelled
from lockgate.plan.models import Counts, Ranges, Reference, Sound, split_columns

_RULES = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}


def foreign_keys(ctx: CheckContext, wanted: Mapping[str, Reference]) -> Iterator[str]:
    """What is wrong with foreign keys; one of several on the same columns may be the right one."""
    known = rows(ctx.conn, "foreign_keys")
    for label, reference in wanted.items():
        split = split_columns(label)
        assert split is not None, "the plan's model lets no other name through"
        schema, table, columns = split
        on_table = [row for row in known if tuple(row["name"]) == (schema, table)]
        same = [row for row in on_table if set(row["columns"]) == set(columns)]
        told = [list(_of_one(label, reference, row)) for row in same]
        if not same:
            others = [(schema, table, *row["columns"]) for row in on_table]
            yield f"foreign key of {label} is not there{near((schema, table, *columns), others)}"
        elif all(told):
            yield from min(told, key=len)


def _of_one(label: str, wanted: Reference, row: dict[str, Any]) -> Iterator[str]:
    name = f"foreign key {row['called']} of {label}"
    if tuple(row["target"]) != parts(wanted.references):
        yield f"{name} refers to {spelled(row['target'])}, not {wanted.references}"
    for event in ("delete", "update"):
        rule, has = getattr(wanted, f"on_{event}"), _RULES[row[f"on_{event}"]]
        if rule is not None and rule != has:
            yield f"{name} is ON {event.upper()} {has.upper()}, not {rule.upper()}"
    if not row["enforced"] or row["switched_off"]:
        yield f"{name} is not enforced" + (": its triggers are disabled" if row["enforced"] else "")
    elif not row["validated"]:
        yield f"{name} is not validated"


def partitions(ctx: CheckContext, wanted: Mapping[str, Ranges]) -> Iterator[str]:
    """Ranges without a partition, and partitions of another name."""
    for label, ranges in wanted.items():
        name = list(parts(label))
        kind = rows(ctx.conn, "partitioned", name=name)
        if not kind or not kind[0]["by_time"]:
            yield f"{label} is not partitioned by ranges of " + ("a date or a time" if kind else "anything")
            continue
        asked = {"name": name, "every": ranges.every, "behind": ranges.behind, "ahead": ranges.ahead}
        for row in rows(ctx.conn, "partitions", **asked):
            lower, called = row["lower"], row["partition"]
            named = lower.strftime(ranges.named) if ranges.named else called
            if called is None:
                yield f"{label} has no partition for the {ranges.every} of {lower:%Y-%m-%d}"
            elif called != named:
                what = f"the partition of {label} for the {ranges.every} of {lower:%Y-%m-%d}"
                yield f"{what} is called {called}, not {named}"


def exactly(ctx: CheckContext, wanted: Mapping[str, Counts]) -> Iterator[str]:
    """Numbers that are other ones."""
    return _counted(ctx, wanted, eq, "")


def at_least(ctx: CheckContext, wanted: Mapping[str, Counts]) -> Iterator[str]:
    """Numbers that are too low."""
    return _counted(ctx, wanted, ge, "at least ")


def _counted(
    ctx: CheckContext, wanted: Mapping[str, Counts], fits: Callable[[int, int], bool], how: str
) -> Iterator[str]:
    besides = [parts(name) for name in ctx.check.objects.not_counted]
    given = {
        "schemas": [parts(name)[0] for name in wanted],
        "besides": [schema for schema, _ in besides],
        "besides_names": [name for _, name in besides],
    }
    found = {(row["schema"], row["kind"]): row["count"] for row in rows(ctx.conn, "counts", **given)}
    for label, counts in wanted.items():
        for kind, number in counts.model_dump(exclude_none=True).items():
            has = found.get((parts(label)[0], kind), 0)
            if not fits(has, number):
                yield f"schema {label} has {has} {kind.replace('_', ' ')}, and must have {how}{number}"


def sound(ctx: CheckContext, wanted: Sound) -> Iterator[str]:
    """Indexes that are invalid or redundant, and constraints that are not validated."""
    schemas = [parts(name)[0] for name in wanted.schemas]
    for row in rows(ctx.conn, "unsound", schemas=schemas):
        yield f"{row['kind']} {spelled(row['name'])} is {row['problem']}"
    known = {parts(name) for name in wanted.redundant}
    for row in rows(ctx.conn, "redundant", schemas=schemas):
        if tuple(row["name"]) not in known:
            how = "repeats" if row["same"] else "is the beginning of"
            yield f"index {spelled(row['name'])} is redundant: it {how} {spelled(row['other'])}"
