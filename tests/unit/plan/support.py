"""Small helpers: a plan in a folder, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.plan.problems import InvalidPlanError

SMALLEST = """\
plan: smallest
phases:
  - id: only
    steps:
      - sql: SELECT 1
"""


def write_plan(folder: Path, text: str | bytes, files: dict[str, str | bytes] | None = None) -> Path:
    """Write a plan and the files beside it, byte for byte; the text may be indented as a whole."""
    text = dedent(text) if isinstance(text, str) else text
    for name, content in {"plan.yaml": text, **(files or {})}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def load(folder: Path, text: str | bytes, files: dict[str, str | bytes] | None = None) -> LoadedPlan:
    return load_plan(write_plan(folder, text, files))


def problems(folder: Path, text: str | bytes, files: dict[str, str | bytes] | None = None) -> list[str]:
    """What is wrong with a plan, a line for each problem."""
    with pytest.raises(InvalidPlanError) as refused:
        load(folder, text, files)
    return [str(problem) for problem in refused.value.problems]
