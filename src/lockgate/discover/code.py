"""What the application's code uses of the database: the SQL in its texts, and the tables that its models name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lockgate.sql.references import Table
from lockgate.sql.tree import SqlSyntaxError, split_roughly
from lockgate.sql.uses import Uses, uses
from lockgate.usage.code import texts, unreadable

_WITHOUT = frozenset(
    {
        "node_modules",
        "target",
        ".venv",
        "venv",
        "__pycache__",
        "dist",
        "build",
        "vendor",
        ".tox",
        ".mypy_cache",
        ".next",
    }
)
_CODE = frozenset(
    {".rs", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".go", ".java", ".kt", ".rb", ".php", ".cs", ".ex", ".scala"}
)
_IS_SQL = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:SELECT\b.*\bFROM\b|INSERT\s+INTO\b|UPDATE\s+\S+.*\bSET\b|DELETE\s+FROM\b|WITH\b.*\bAS\b|"
    r"MERGE\s+INTO\b|CREATE\s+TABLE\b|ALTER\s+TABLE\b|DROP\s+TABLE\b|CREATE\s+TEMP)",
    re.IGNORECASE | re.DOTALL,
)
_REFERENCES = re.compile(r"\bREFERENCES\s+(?P<schema>[a-z_]\w*)\.(?P<table>[a-z_]\w*)")
_SIGNS = re.compile(r"[=*($%]")
_TEXTS = re.compile(
    r'"""(?P<a>.*?)"""|r(?P<h>#+)"(?P<b>.*?)"(?P=h)|`(?P<c>(?:\\.|[^`\\])*)`|"(?P<d>(?:\\.|[^"\\])*)"|'
    r"'(?P<e>(?:\\.|[^'\\\n])*)'",
    re.DOTALL,
)
_HOLES = re.compile(
    r"\$\{[^{}]*\}|#\{[^{}]*\}|\{\{?[^{}]*\}?\}|%\(\w+\)s|%[sbtd]|(?<![:\w]):(?=[A-Za-z_])\w+|(?<![?@|&])\?(?![?|&])"
)
_MODELS = re.compile(
    r"""__tablename__\s*=\s*["'](?P<a>[\w.]+)["']|\bdb_table\s*=\s*["'](?P<b>[\w.]+)["']|@@map\(\s*"(?P<c>\w+)"|"""
    r"""\bpgTable\(\s*["'](?P<d>\w+)["']|@Table\(\s*name\s*=\s*"(?P<e>\w+)"|table_name\s*=\s*["']?(?P<f>[\w.]+)"""
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Code:
    """What code uses.

    :ivar tables: where each is named first, and how often; ``columns`` likewise.
    :ivar unread: how many texts that look like SQL could not be read: they are put together when they run.
    :ivar blind: what could not be looked at, for people.
    """

    tables: dict[Table, list[Place]] = field(default_factory=dict)
    columns: dict[tuple[Table, str], list[Place]] = field(default_factory=dict)
    made: set[Table] = field(default_factory=set)
    passing: set[Table] = field(default_factory=set)
    gone: set[Table] = field(default_factory=set)
    gone_columns: set[tuple[Table, str]] = field(default_factory=set)
    unread: int = 0
    blind: list[str] = field(default_factory=list)


def read(folder: Path) -> Code:
    """Read a folder of code; what cannot be read is said in what is returned."""
    found = Code()
    why = unreadable(folder)
    if why is not None:
        found.blind.append(f"{folder}: {why}")
        return found
    for name, text in texts(folder, str(folder), None, found.blind, _WITHOUT):
        suffix = Path(name).suffix.lower()
        for line, statement in _statements(suffix, text):
            _take(found, Place(name, line), statement)
        if suffix in {".yaml", ".yml"}:
            for named in _REFERENCES.finditer(text):
                place = Place(name, text.count("\n", 0, named.start()) + 1)
                found.tables.setdefault(Table(named["schema"], named["table"]), []).append(place)
        if suffix == ".py" or suffix in _CODE or suffix == ".prisma":
            for model in _MODELS.finditer(text):
                label = next(filter(None, model.groups()))
                schema, _, plain = label.rpartition(".")
                place = Place(name, text.count("\n", 0, model.start()) + 1)
                found.tables.setdefault(Table(schema, plain), []).append(place)
    return found


def _statements(suffix: str, text: str) -> Iterator[tuple[int, str]]:
    """The SQL in a file, and the lines where it begins."""
    if suffix == ".sql":
        try:
            parts = split_roughly(text)
        except SqlSyntaxError:
            parts = [(0, text)]
        for start, part in parts:
            begins = start + len(part) - len(part.lstrip())
            yield text.count("\n", 0, begins) + 1, part
    elif suffix == ".py":
        yield from (found for found in _of_python(text) if _is_sql(found[1]))
    elif suffix in _CODE:
        for each in _TEXTS.finditer(text):
            inside = next((part for part in each.group("a", "b", "c", "d", "e") if part is not None), "")
            if _is_sql(inside):
                yield text.count("\n", 0, each.start()) + 1, inside.replace('\\"', '"').replace("\\n", "\n")


def _of_python(text: str) -> Iterator[tuple[int, str]]:
    """Its texts, put together where they stand beside each other."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    inner: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            inner.update(id(part) for part in node.values)
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, node.value


def _is_sql(text: str) -> bool:
    """Whether a text is meant as SQL: `Select one from the list` is not."""
    if not _IS_SQL.match(text):
        return False
    first = text.split(maxsplit=1)[0]
    return first.isupper() or first.startswith("--") or (first.islower() and _SIGNS.search(text) is not None)


def _take(found: Code, place: Place, statement: str) -> None:
    told = _read(statement)
    if told is None:
        found.unread += _IS_SQL.match(statement) is not None
        return
    for table in told.tables:
        found.tables.setdefault(table, []).append(place)
    for column in told.columns:
        found.columns.setdefault(column, []).append(place)
    for table in told.made:
        found.tables.setdefault(table, []).append(place)
        found.made.add(table)
    found.passing |= told.passing
    found.gone |= told.gone
    found.gone_columns |= told.gone_columns


def _read(statement: str) -> Uses | None:
    """What a statement uses: as it stands, else with its holes filled; None if it is no SQL either way."""
    for text in (statement, _HOLES.sub("$1", statement)):
        try:
            return uses(text)
        except SqlSyntaxError:
            continue
    return None
