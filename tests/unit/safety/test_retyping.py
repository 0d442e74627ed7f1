from __future__ import annotations

import pytest

from lockgate.safety.retyping import Cost, cost, loses
from lockgate.sql.ddl import type_of
from lockgate.sql.tree import parse

# Measured on PostgreSQL 15 and 18.
MEASURED: list[tuple[str, str, Cost]] = [
    ("varchar(5)", "varchar(9)", "nothing"),
    ("varchar(5)", "varchar", "nothing"),
    ("varchar(5)", "text", "nothing"),
    ("text", "varchar", "nothing"),
    ("numeric(10,2)", "numeric(12,2)", "nothing"),
    ("numeric(10,2)", "numeric", "nothing"),
    ("timestamp(3)", "timestamp(6)", "nothing"),
    ("interval(3)", "interval", "nothing"),
    ("cidr", "inet", "nothing"),
    ("varbit(4)", "varbit(8)", "nothing"),
    ("xml", "text", "nothing"),
    ("citext", "text", "indexes"),
    ("text", "citext", "indexes"),
    ("int", "oid", "indexes"),
    ("int", "bigint", "rewrite"),
    ("smallint", "int", "rewrite"),
    ("real", "double precision", "rewrite"),
    ("json", "jsonb", "rewrite"),
    ("varchar(9)", "varchar(5)", "rewrite"),
    ("text", "varchar(9)", "rewrite"),
    ("char(3)", "text", "rewrite"),
    ("numeric(10,2)", "numeric(10,0)", "rewrite"),
    ("timestamptz", "timestamptz(3)", "rewrite"),
    ("date", "timestamp", "rewrite"),
    ("inet", "cidr", "rewrite"),
    ("int", "text", "rewrite"),
    ("uuid", "text", "rewrite"),
    ("int[]", "bigint[]", "rewrite"),
    ("varchar(5)[]", "varchar(9)[]", "rewrite"),
]


def spelled(name: str) -> str:
    return type_of(parse(f"CREATE TABLE t (c {name})")[0].stmt.create_stmt.table_elts[0].column_def.type_name)


@pytest.mark.parametrize(("old", "new", "wanted"), MEASURED, ids=str)
def test_cost_is_what_was_measured(old: str, new: str, wanted: Cost) -> None:
    assert cost(spelled(old), spelled(new)) == wanted


def test_timestamps_in_utc_only_rebuild_indexes_but_may_rewrite() -> None:
    assert cost(spelled("timestamp"), spelled("timestamptz")) == "rewrite"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("numeric(10,2)", "numeric(10,0)", True),
        ("numeric(10,2)", "numeric(12,2)", False),
        ("timestamp", "date", True),
        ("double precision", "real", True),
        ("int", "bigint", False),
        ("timestamp(6)", "timestamp(3)", True),
    ],
)
def test_loss_is_told(old: str, new: str, wanted: bool) -> None:
    assert loses(spelled(old), spelled(new)) is wanted
