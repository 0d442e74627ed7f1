"""What the architecture says about the source, checked on the source. Each failure names file and line."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "lockgate"
LONGEST = 400

# These run a plan together (the runner finds steps in their registry, a step gets the runner's context),
# so among them only modules, and not packages, must be free of cycles.
RUNS_A_PLAN = {"engine", "script", "migrating", "steps", "gates", "checks", "mapping", "cutover", "copying", "indexing"}
RUNS_A_PLAN |= {"constraints", "deduping", "fitting"}

# What a package may know, where that matters: the lower ones must stay usable without the upper ones.
MAY_KNOW = {
    "errors": set[str](),
    "suggest": set[str](),
    "patterns": set[str](),
    "sqlfiles": set[str](),
    "textfile": set[str](),
    "plan": {"errors", "history", "patterns", "suggest", "textfile"},
    "history": {"errors", "sql", "sqlfiles", "suggest", "textfile"},
    "sql": {"errors", "suggest"},
    "normalising": {"errors"},
    "effects": {"sql", "sqlfiles"},
    "safety": {"catalog", "effects", "errors", "sql", "sqlfiles", "suggest"},
    "catalog": {"errors", "patterns", "suggest", "sql", "sqlfiles"},
    "ledger": {"errors", "sqlfiles", "suggest"},
    "report": {"errors", "suggest", "plan", "ledger"},
}

CLOCKS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}


@dataclass(frozen=True, slots=True)
class Module:
    path: Path
    tree: ast.Module

    @property
    def name(self) -> str:
        parts = self.path.relative_to(SOURCE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """The part of Lockgate that it belongs to, e.g. ``engine``."""
        return self.name.removeprefix("lockgate").lstrip(".").split(".")[0]

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {what}"

    def imports(self, *, when_loaded: bool = False) -> Iterator[tuple[ast.stmt, str]]:
        """Each name that is imported, in full; with ``when_loaded`` only those that loading the module imports."""
        for node in _loaded(self.tree) if when_loaded else ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node, alias.name
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    here = self.name.split(".")
                    here = here if self.path.name == "__init__.py" else here[:-1]
                    base = ".".join([*here[: len(here) - node.level + 1], *([base] if base else [])])
                for alias in node.names:
                    yield node, f"{base}.{alias.name}"


def _loaded(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is loaded: not those in functions, nor for the type checker only."""
    for node in ast.iter_child_nodes(tree):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not lazy and not typing:
            yield node
            yield from _loaded(node)


@cache
def modules() -> list[Module]:
    return [Module(path, ast.parse(path.read_text(), str(path))) for path in sorted(SOURCE.rglob("*.py"))]


def test_only_sql_imports_the_parser() -> None:
    wrong = [
        module.at(node, f"imports {name}")
        for module in modules()
        for node, name in module.imports()
        if name.split(".")[0] == "postgast" and module.package != "sql"
    ]
    assert wrong == []


def test_only_the_command_line_prints() -> None:
    wrong = []
    for module in modules():
        if module.package == "cli":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and node.id == "print":
                wrong.append(module.at(node, "print"))
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdout", "sys.stderr"}:
                wrong.append(module.at(node, ast.unparse(node)))
        for node, name in module.imports():
            if name.split(".")[0] in {"rich", "click"}:
                wrong.append(module.at(node, f"imports {name}"))
    assert wrong == []


def test_nothing_reads_the_clock_but_the_clock() -> None:
    wrong = []
    for module in modules():
        if module.name == "lockgate.engine.clock":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute):
                owner = ast.unparse(node.value).split(".")[-1]
                if node.attr in CLOCKS.get(owner, ()):
                    wrong.append(module.at(node, ast.unparse(node)))
        for node, name in module.imports():
            if name.startswith("time.") and name.removeprefix("time.") in CLOCKS["time"]:
                wrong.append(module.at(node, f"imports {name}"))
    assert wrong == []


def test_every_connection_counts_what_lockgate_does() -> None:
    """What the server counts of sampled tables must be told apart from what others do, whoever of Lockgate does it.

    A connection that Sessions opens does it for all that goes through ``execute``, ``executemany`` and
    ``transaction``. COPY, streams and pipelines of the driver would pass it by, and so would another connection.
    """
    may_pass = {"lockgate.usage.own", "lockgate.backup.feeding", "lockgate.copying.writing"}
    opens = {"lockgate.engine.session", "lockgate.usage.own"}
    opens.add("lockgate.history.alembic_run")  # SQLAlchemy's over one that Sessions opened
    # These play the application.
    opens |= {module.name for module in modules() if module.package == "demo"} | {"lockgate.rehearse.traffic"}
    wrong = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            name = called.rpartition(".")[2]
            if name == "connect" and module.name not in opens:
                wrong.append(module.at(node, f"{called}: open it with Sessions"))
            past = name in {"copy", "stream", "pipeline"} and "." in called
            # What a restore fills is new: no sample knows of it. What a copy does it does in transactions, which count.
            if past and module.name not in may_pass:
                wrong.append(module.at(node, f"{called}: OwnConnection does not count it"))
            if name == "running" and any(ast.unparse(part) == "'pg_dump'" for part in node.args) and len(node.args) < 5:
                wrong.append(module.at(node, f"{called}: name it as `dumping` says, which counts what it reads"))
        for node, imported in module.imports():
            if imported.startswith("psycopg_pool"):
                wrong.append(module.at(node, f"imports {imported}: open connections with Sessions"))
    assert wrong == []


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    lengths = {module.path: len(module.path.read_text().splitlines()) for module in modules()}
    assert {str(path): lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_lower_packages_know_nothing_of_upper_ones() -> None:
    wrong = [
        module.at(node, f"{module.package} must not know {name}")
        for module in modules()
        for node, name in module.imports()
        if name.startswith("lockgate.") and module.package in MAY_KNOW
        if _package_of(name) not in MAY_KNOW[module.package] | {module.package, ""}
    ]
    assert wrong == []


@pytest.mark.parametrize("top", ["cli", "demo"])
def test_nothing_builds_on_the_top(top: str) -> None:
    allowed = {top, "cli", "__main__"}
    wrong = [
        module.at(node, f"imports {name}")
        for module in modules()
        for node, name in module.imports()
        if _package_of(name) == top and module.package not in allowed
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {module.name for module in modules()}
    graph: dict[str, set[str]] = {}
    for module in modules():
        known = {found for _, name in module.imports(when_loaded=True) if (found := _module_of(name, names))}
        # A package's __init__ that gathers its modules is their front, not something that they need.
        graph[module.name] = {name for name in known if not module.name.startswith(f"{name}.")} - {module.name}
    _assert_no_circle(graph)


def test_no_packages_import_each_other_in_a_circle() -> None:
    def together(package: str) -> str:
        return ", ".join(sorted(RUNS_A_PLAN)) if package in RUNS_A_PLAN else package

    graph: dict[str, set[str]] = {}
    for module in modules():
        known = {_package_of(name) for _, name in module.imports()}
        here = together(module.package)
        graph.setdefault(here, set()).update({together(name) for name in known - {""}} - {here})
    _assert_no_circle(graph)


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {_canonical(line) for line in project["dependencies"]}
    extras = project["optional-dependencies"]
    declared |= {_canonical(line) for name in extras if name != "dev" for line in extras[name]}
    providers = packages_distributions()
    wrong = []
    for module in modules():
        for node, name in module.imports():
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top in {"lockgate", "systems"}:
                continue
            if not {_canonical(found) for found in providers.get(top, [])} & declared:
                wrong.append(module.at(node, f"{top} is of no declared dependency"))
    assert wrong == []


def _package_of(name: str) -> str:
    """The part of Lockgate that an imported name is of; empty for what is not a part of it."""
    parts = [*name.split("."), ""]
    return parts[1] if parts[0] == "lockgate" and not parts[1].startswith("__") else ""


def _module_of(name: str, names: set[str]) -> str | None:
    """The module that an imported name is, or is in."""
    while name and name not in names:
        name = name.rpartition(".")[0]
    return name if name.startswith("lockgate.") else None


def _canonical(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def _assert_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
