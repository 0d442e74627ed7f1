"""Strategies for whole scenarios: tables, mappings, rows, and what is done to them in which order."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.integration.stress.acts import Act, Batch, Check, Chunk, Commit, Kill, Register, Rotate, Truncate, Write
from tests.integration.stress.mappings import ARRAY, Join, Mapping, Output, Read, Target
from tests.integration.stress.scenario import Scenario
from tests.integration.stress.values import Table

Draw = Any  # hypothesis' draw function; it has no public type

NAMES = ("t0", "Order Items", "sélect", 'a"b%c')
KEYS = ("bigint", "uuid", "text", "composite", "none")
KEY_TYPES = ("integer", "text", "integer", "text", "numeric", "ext.citext", "timestamptz")
VALUE_TYPES = ("text", "integer", "numeric", "ext.citext", "timestamptz", "boolean", "jsonb")
WRITERS = 3
seeds = st.integers(0, 59)


@st.composite
def tables(draw: Draw) -> tuple[Table, ...]:
    """Two to four base tables."""
    count = draw(st.integers(2, 4))
    return tuple(
        Table(n, NAMES[n], draw(st.sampled_from(KEYS)), draw(st.booleans()), draw(st.booleans())) for n in range(count)
    )


def link(draw: Draw, left: Read, right: Read) -> str:
    """A condition that joins two relations."""
    logical = draw(st.sampled_from(("j", "j", "s", "c", "n", "key")))
    if logical == "key":
        own, other = left.table.key_columns()[0], right.table.key_columns()[0]
        if own[1] == other[1]:
            return f"{left.col(own[0])} = {right.col(other[0])}"
        logical = "j"
    operator = "OPERATOR(ext.=)" if logical == "c" else "="
    return f"{left.col(logical)} {operator} {right.col(logical)}"


def condition(draw: Draw, read: Read) -> str:
    """A condition over one relation."""
    text = draw(
        st.sampled_from(("{f}", "NOT {f}", "{f} IS NOT TRUE", "{j} IS NULL", "{s} IS NOT NULL", "{j} < 2", "{n} >= 1"))
    )
    return str(text.format(**{name: read.col(name) for name in ("f", "j", "s", "n")}))


@st.composite
def joins(draw: Draw, among: tuple[Table, ...], known: list[Read], prefix: str, depth: int) -> tuple[Join, ...]:
    """Joins to what is ``known`` already, which grows by what they add."""
    made = []
    for number in range(draw(st.integers(0, 3 if depth == 0 else 1))):
        through = draw(st.sampled_from(("plain", "plain", "plain", "sub", "cte" if depth == 0 else "sub")))
        read = Read(draw(st.sampled_from(among)), f"{prefix}{number}", through)
        inside = [read]
        inner = draw(joins(among, inside, f"{read.alias}_", depth + 1)) if depth == 0 else ()
        on = [link(draw, draw(st.sampled_from(known)), draw(st.sampled_from(inside)))]
        on += [condition(draw, draw(st.sampled_from([*known, *inside]))) for _ in range(draw(st.integers(0, 1)))]
        made.append(Join(draw(st.booleans()), read, inner, " AND ".join(on)))
        known += inside
    return tuple(made)


@st.composite
def exists(draw: Draw, among: tuple[Table, ...], known: list[Read], number: int) -> str:
    """EXISTS or NOT EXISTS, perhaps with a join or another EXISTS inside."""
    read = Read(draw(st.sampled_from(among)), f"e{number}")
    inside = [read]
    inner = draw(joins(among, inside, f"e{number}_", 1))
    where = [link(draw, draw(st.sampled_from(known)), draw(st.sampled_from(inside)))]
    where += [condition(draw, draw(st.sampled_from(inside))) for _ in range(draw(st.integers(0, 1)))]
    if number < 10 and draw(st.integers(0, 4)) == 0:
        where.append(draw(exists(among, inside, number + 10)))
    joined = "".join(f" {join.text()}" for join in inner)
    negated = "NOT " if draw(st.booleans()) else ""
    return f"{negated}EXISTS (SELECT * FROM {read.item()}{joined} WHERE {' AND '.join(where)})"


def expression(draw: Draw, kind: str, reads: list[Read], lateral: bool) -> str:
    """An immutable expression of a type over what is read."""
    choices = {
        "integer": ("{j}", "coalesce({j}, -1)", "length({s})", "{j} + 1"),
        "text": ("{s}", "lower(btrim({s}))", "coalesce({s}, '-')", "'x'::text", "({j})::text", "coalesce({s}, '-')"),
        "numeric": ("{n}", "coalesce({n}, 0)", "{n}"),
        "ext.citext": ("{c}", "coalesce({c}, 'x'::ext.citext)"),
        "timestamptz": ("{w}", "coalesce({w}, 'infinity'::timestamptz)"),
        "boolean": ("{f}", "{j} IS NULL"),
        "jsonb": ("{js}",),
    }[kind]
    if lateral and kind in ("text", "integer") and draw(st.booleans()):
        return "e.v" if kind == "text" else "e.o::integer"
    read = draw(st.sampled_from(reads))
    text = draw(st.sampled_from(choices))
    return str(text.format(**{name: read.col(name) for name in ("j", "s", "n", "c", "w", "f", "js")}))


@st.composite
def mappings(draw: Draw, among: tuple[Table, ...], name: str, key: list[str], values: list[str]) -> Mapping:
    """A mapping that yields columns of these types."""
    driving = Read(draw(st.sampled_from(among)), "Drivér" if draw(st.booleans()) else "d")
    known = [driving]
    joined = draw(joins(among, known, "a", 0))
    lateral = ""
    if draw(st.integers(0, 3)) == 0:
        array = ARRAY.format(driving.col("js"))
        kind, on = draw(st.sampled_from((("CROSS JOIN", ""), ("LEFT JOIN", " ON true"))))
        lateral = f" {kind} LATERAL jsonb_array_elements_text({array}) WITH ORDINALITY AS e(v, o){on}"
    where = [condition(draw, draw(st.sampled_from(known))) for _ in range(draw(st.integers(0, 2)))]
    where += [draw(exists(among, known, number)) for number in range(draw(st.sampled_from((0, 0, 1, 2))))]

    def output(place: int, kind: str, prefix: str) -> Output:
        return Output(f"{prefix}{place}", kind, expression(draw, kind, known, bool(lateral)))

    keys = tuple(output(place, kind, "k ") for place, kind in enumerate(key))
    others = tuple(output(place, kind, "v") for place, kind in enumerate(values))
    words = []
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(("integer", "text", "numeric", "timestamptz", "ext.citext")))
        direction = draw(st.sampled_from(("", " DESC", " DESC NULLS LAST", " NULLS FIRST")))
        words.append((expression(draw, kind, known, False), direction))
    distinct = draw(st.sampled_from(("", "", "all", "on")))
    if distinct == "on":
        words = [word for word in words if word[0] not in {item.expression for item in keys}]
    return Mapping(name, driving, joined, lateral, tuple(where), keys, others, tuple(words), distinct)


@st.composite
def targets(draw: Draw, among: tuple[Table, ...]) -> tuple[Target, ...]:
    """One or two targets of one or two mappings each."""
    made = []
    for number in range(draw(st.sampled_from((1, 1, 2)))):
        key = draw(st.lists(st.sampled_from(KEY_TYPES), min_size=1, max_size=3))
        values = draw(st.lists(st.sampled_from(VALUE_TYPES), max_size=3))
        count = draw(st.sampled_from((1, 1, 2)))
        fed = tuple(draw(mappings(among, f"m{number}_{place}", key, values)) for place in range(count))
        made.append(Target(f"Target {number}", fed))
    return tuple(made)


def writes(bases: int, fed: int) -> st.SearchStrategy[Write]:
    """A statement of the application, on a base relation or, more rarely, on a target."""
    base = st.builds(
        Write,
        writer=st.integers(0, WRITERS - 1),
        table=st.integers(0, bases - 1),
        target=st.just(False),
        kind=st.sampled_from(("insert", "update", "update", "move", "delete", "same")),
        seeds=st.tuples(*[seeds] * 10),
        commit=st.booleans(),
        savepoint=st.booleans(),
    )
    new = st.builds(
        Write,
        writer=st.integers(0, WRITERS - 1),
        table=st.integers(0, fed - 1),
        target=st.just(True),
        kind=st.sampled_from(("insert", "update", "move", "delete")),
        seeds=st.tuples(*[seeds] * 10),
        commit=st.booleans(),
        savepoint=st.booleans(),
    )
    return st.one_of(base, base, base, new)


@st.composite
def scenarios(draw: Draw) -> Scenario:
    """A whole example."""
    among = draw(tables())
    fed = draw(targets(among))
    write = writes(len(among), len(fed))
    commit = st.builds(Commit, writer=st.integers(0, WRITERS - 1), how=st.sampled_from(("commit", "rollback")))
    small: st.SearchStrategy[Act] = st.one_of(write, write, write, commit)
    inner = st.lists(st.tuples(st.integers(1, 25), small), max_size=3)
    batch = st.builds(Batch, target=st.integers(0, len(fed) - 1), between=inner.map(tuple))
    chunk = st.builds(
        Chunk,
        worker=st.integers(0, 1),
        mapping=st.integers(0, 3),
        how=st.sampled_from(("claim", "read", "commit", "commit", "commit", "rollback")),
        between=inner.map(tuple),
    )
    act: st.SearchStrategy[Act] = st.one_of(
        write,
        write,
        write,
        commit,
        batch,
        batch,
        chunk,
        chunk,
        st.just(Check()),
        st.just(Rotate()),
        st.builds(Kill, target=st.integers(0, len(fed) - 1)),
        st.builds(Register),
        st.builds(Truncate, table=st.integers(0, len(among) - 1)),
    )
    rows = tuple(tuple(draw(st.lists(st.tuples(*[seeds] * 10), max_size=7 if table.wide else 10))) for table in among)
    return Scenario(
        tables=among,
        targets=fed,
        rows=rows,
        early=draw(st.integers(1, sum(len(target.mappings) for target in fed))),
        batch=draw(st.sampled_from((20_000, 20_000, 3, 1))),
        acts=tuple(draw(st.lists(act, max_size=30))),
    )
