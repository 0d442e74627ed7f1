"""A body of statements that hurt nobody: next to nothing may be found in it."""

from __future__ import annotations

from pathlib import Path

from lockgate.safety.examine import Examiner
from lockgate.safety.subject import subject
from lockgate.textfile import Source
from tests.unit.safety.cases import SCHEMA

FILES = sorted((Path(__file__).parent / "harmless").glob("*.sql"))


def test_the_harmless_is_left_alone() -> None:
    statements, found = 0, []
    for file in FILES:
        examiner = Examiner()
        examiner.examine(subject(SCHEMA, Source("schema.sql", SCHEMA).where))
        text = file.read_text("utf-8")
        seen = subject(text, Source(file.name, text).where)
        statements += len(seen.statements)
        found += [f"{told.finding.where} {told.finding.code}" for told in examiner.examine(seen)]
    assert statements >= 300
    assert len(found) < statements * 0.02, found
