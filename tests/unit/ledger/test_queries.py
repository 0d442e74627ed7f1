"""The .sql files, and whether the code and they agree."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from lockgate.ledger import queries

HERE = Path(str(files("lockgate.ledger")))
NAMED = {
    f"{path.stem}.{name}"
    for path in (HERE / "sql").glob("*.sql")
    for name in re.findall(r"^-- name: (\w+)$", path.read_text(), re.M)
}
USED = {
    name for path in HERE.glob("*.py") for name in re.findall(r'(?:load\(|_column\(conn, )"([\w.]+)"', path.read_text())
}


def test_every_query_is_used_and_every_use_is_a_query() -> None:
    assert NAMED == USED


def test_a_query_is_its_text_alone() -> None:
    assert queries.load("chunks.clear") == b"DELETE FROM lockgate.chunks WHERE step_id = %(step_id)s"


def test_an_unknown_query_is_an_error() -> None:
    with pytest.raises(KeyError):
        queries.load("chunks.nothing")


@pytest.mark.parametrize("name", sorted(NAMED))
def test_no_table_is_found_by_the_search_path(name: str) -> None:
    text = re.sub(r"--.*", "", queries.load(name).decode())
    sources = re.findall(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?!LATERAL|SET\b|SKIP\b)([\w.]+)", text)
    ctes = set(re.findall(r"(\w+) AS (?:MATERIALIZED )?\($", text, re.M)) | {
        "unnest",
        "jsonb_to_record",
        "clock_timestamp",
    }
    assert [source for source in sources if "." not in source and source not in ctes] == []
