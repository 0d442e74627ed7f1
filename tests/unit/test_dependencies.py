"""docs/dependencies.md against pyproject.toml, and the pins against both."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


def canonical(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def declared() -> dict[str, set[str]]:
    extras = {f"The extra `{name}`": lines for name, lines in PROJECT["optional-dependencies"].items()}
    groups = {"What Lockgate needs": PROJECT["dependencies"], **extras}
    return {title: {canonical(line) for line in lines} - {"lockgate"} for title, lines in groups.items()}


def test_each_dependency_has_its_reason_and_nothing_else_has() -> None:
    documented: dict[str, set[str]] = {}
    title = ""
    for line in (ROOT / "docs" / "dependencies.md").read_text().splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif title and line.startswith("| ") and not line.startswith(("| package", "| ---")):
            package, reason, licence, _ = (cell.strip() for cell in line.strip("|").split("|"))
            assert reason, line
            assert licence, line
            documented.setdefault(title, set()).add(canonical(package))
    assert documented == declared()


def test_each_dependency_is_pinned_by_version_alone() -> None:
    odd = [line for line in PINS if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    assert odd == []
    assert set().union(*declared().values()) - {canonical(line) for line in PINS} == set()
