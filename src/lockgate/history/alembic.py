"""Alembic: revisions in Python, which Alembic itself runs, each in a transaction of its own.

Checked against Alembic 1.13 to 1.20. Its table holds the heads alone: what is applied is their ancestors.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.errors import UsageError
from lockgate.history import place
from lockgate.history.base import Home, Late, Migration, Note, Ran, Row, T
from lockgate.history.files import FolderError, HistoryError
from lockgate.history.raised import innermost
from lockgate.textfile import Problem

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from psycopg import Connection

LONGEST = 32  # characters of a revision's name that the table holds

_CREATE = """
CREATE TABLE IF NOT EXISTS {} (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT {key} PRIMARY KEY (version_num)
)"""


@dataclass(frozen=True)
class Alembic:
    """A folder with ``env.py`` and ``versions``, or the project whose configuration names it.

    :param table: schema and name of the version table; None: as a literal in env.py says, else ``alembic_version``,
        where the search_path finds it.
    """

    folder: Path
    table: tuple[str, str] | None = None
    name: str = "alembic"
    late: Late = "applied"

    def migrations(self) -> Sequence[Migration]:
        """From the base to the heads; a revision comes behind all that it follows or depends on."""
        found = {each.revision: each for each in reversed(list(self._walked()))}
        return [
            Migration(
                version=revision,
                name=Path(each.path).stem,
                path=Path(each.path),
                up=None,
                reversible=_defines(Path(each.path), "downgrade"),
                facts={"before": self._before(each)},
            )
            for revision, each in found.items()
        ]

    def home(self, conn: Connection[Any]) -> Home:
        """The version table, by the search_path unless env.py or the caller says where."""
        if self.table is not None:
            return place.find(conn, self.table[1], self.table[0])
        said = _configured(Path(self.scripts.dir) / "env.py")
        return place.find(conn, said.get("version_table") or "alembic_version", said.get("version_table_schema"))

    def create(self, conn: Connection[Any], home: Home) -> None:
        """As Alembic makes it."""
        from psycopg import sql

        conn.execute(home.query(_CREATE, key=sql.Identifier(f"{home.table}_pkc")))

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """The heads with all their ancestors, and heads that no file has."""
        heads = self._heads(conn, home)
        there = _ancestors({each.version: each.facts["before"] for each in known}, heads)
        return [Row(version) for version in sorted(there | heads)]

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """Its table has no word for it."""

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """The revision becomes a head, in the place of those of its ancestors that are heads."""
        graph = self._graph()
        heads = self._heads(conn, home)
        if migration.version in _ancestors(graph, heads):
            return
        replaced = heads & _ancestors(graph, {migration.version})
        self._write(conn, home, heads, (heads - replaced) | {migration.version})

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """What it followed becomes head again, where nothing else that is applied follows it."""
        graph = self._graph()
        heads = self._heads(conn, home)
        left = heads - {migration.version}
        covered = _ancestors(graph, left)
        self._write(conn, home, heads, left | (set(graph.get(migration.version, ())) - covered))

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """Alembic takes none."""
        return ()

    def perform(
        self,
        conn: Connection[Any],
        home: Home,
        wanted: Sequence[Migration],
        *,
        up: bool,
        note: Note,
        stop: Callable[[], bool],
    ) -> None:
        """By Alembic; a revision with an ``autocommit_block`` commits what comes before it, as there."""
        from lockgate.history import alembic_run

        alembic_run.perform(self, conn, home, wanted, up=up, note=note, stop=stop)

    def rehearse(self, conn: Connection[Any], home: Home, wanted: Sequence[Migration], seen: Callable[[], T]) -> T:
        """By Alembic, in a transaction of ours; one with an ``autocommit_block`` is refused by it."""
        from lockgate.history import alembic_run

        return alembic_run.rehearse(self, conn, home, wanted, seen)

    # --- the folder -----------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> Config:
        """Alembic's configuration: the project's own file, if one names this folder.

        :raises UsageError: if Alembic is not installed beside Lockgate.
        """
        try:
            from alembic.config import Config
        except ImportError:
            raise UsageError(
                "Alembic is not installed where Lockgate is",
                where=str(self.folder),
                why="Revisions are Python, which only Alembic in the project's own environment can run.",
                hint="Install Lockgate into the environment of the project: `pip install 'lockgate[alembic]'`.",
            ) from None
        folder = self.folder.resolve()
        for above in (folder, *folder.parents[:3]):
            file = above / "alembic.ini"
            if file.is_file():
                made = Config(str(file))
                if above == folder or _names(made, folder):
                    return made
        made = Config()
        made.set_main_option("script_location", str(folder).replace("%", "%%"))
        return made

    @cached_property
    def scripts(self) -> ScriptDirectory:
        """:raises UsageError: if this is no folder of Alembic's."""
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        try:
            return ScriptDirectory.from_config(self.config)
        except CommandError as error:
            raise UsageError(
                "This is no folder of Alembic's", where=str(self.folder), why=str(error), hint="It has env.py in it."
            ) from None

    def _walked(self) -> Iterator[Any]:
        """The revisions as Alembic reads them, from the heads to the base.

        :raises FolderError: for a file that cannot be imported, two of one name, a cycle, two heads, a name too long.
        """
        import warnings

        from alembic.util import CommandError

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with _explained(self.folder, Path(self.scripts.dir)):
                try:
                    revisions = list(self.scripts.walk_revisions())
                    heads = self.scripts.get_revisions(self.scripts.get_heads())
                except CommandError as error:
                    raise FolderError([Problem(str(self.folder), 1, 1, str(error))]) from None
        problems = [
            Problem(str(self.folder), 1, 1, str(each.message))
            for each in said
            if "present more than once" in str(each.message)
        ]
        if len(heads) > 1 and not all(each is not None and each.branch_labels for each in heads):
            names = ", ".join(f"{each.revision} ({Path(each.path).name})" for each in heads if each is not None)
            what = f"has {len(heads)} heads, {names}; `alembic merge heads` makes them one again"
            problems.append(Problem(str(self.folder), 1, 1, what))
        problems += [
            Problem(each.path, 1, 1, f"the name {each.revision} is longer than the {LONGEST} characters that are kept")
            for each in revisions
            if len(each.revision) > LONGEST
        ]
        if problems:
            raise FolderError(problems)
        yield from revisions

    def _before(self, script: Any) -> tuple[str, ...]:
        named = [*_several(script.down_revision), *_several(script.dependencies)]
        found = (self.scripts.get_revision(each) for each in named)
        return tuple(dict.fromkeys(each.revision for each in found if each is not None))

    def _graph(self) -> dict[str, tuple[str, ...]]:
        return {each.version: each.facts["before"] for each in self.migrations()}

    def _heads(self, conn: Connection[Any], home: Home) -> set[str]:
        place.require_columns(conn, home, self.name, ("version_num",))
        return {str(row[0]) for row in conn.execute(home.query("SELECT version_num FROM {}"))}

    def _write(self, conn: Connection[Any], home: Home, old: set[str], new: set[str]) -> None:
        gone, come = sorted(old - new), sorted(new - old)
        removed = conn.execute(home.query("DELETE FROM {} WHERE version_num = ANY(%s)"), (gone,))
        if removed.rowcount != len(gone):
            raise HistoryError(
                "The history changed meanwhile", where=str(home), hint="Somebody else runs Alembic; try again."
            )
        insert = home.query("INSERT INTO {} (version_num) SELECT unnest(%s::text[])")
        conn.execute(insert, (come,))


def fits(folder: Path) -> bool:
    """Whether a folder is Alembic's, or a project's with its configuration in it."""
    return (folder / "alembic.ini").is_file() or ((folder / "env.py").is_file() and (folder / "versions").is_dir())


def _several(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(each) for each in value)  # type: ignore[attr-defined]


def _ancestors(graph: dict[str, tuple[str, ...]], heads: set[str]) -> set[str]:
    """The heads that the graph knows, and all that they follow."""
    found: set[str] = set()
    todo = [head for head in heads if head in graph]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += graph.get(each, ())
    return found


def _names(config: Config, folder: Path) -> bool:
    said = config.get_main_option("script_location")
    return said is not None and Path(said).resolve() == folder


def _defines(file: Path, name: str) -> bool:
    """Whether a revision has a function that does something."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return not all(isinstance(each, ast.Pass | ast.Raise) or _is_text(each) for each in node.body)
    return False


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _configured(env: Path) -> dict[str, str]:
    """What env.py says of the version table.

    :raises UsageError: if it computes that.
    """
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(env.read_text("utf-8"))):
        if not isinstance(node, ast.keyword) or node.arg not in {"version_table", "version_table_schema"}:
            continue
        if not isinstance(node.value, ast.Constant) or not isinstance(node.value.value, str | None):
            raise UsageError(
                f"Lockgate cannot tell what {node.arg} is",
                where=f"{env}:{node.value.lineno}:{node.value.col_offset + 1}",
                why="env.py computes it.",
                hint="Say it: `table: schema.name` in the plan's `migrations`, or --table.",
            )
        if node.value.value is not None:
            found[node.arg] = node.value.value
    return found


@contextmanager
def _explained(folder: Path, scripts: Path) -> Iterator[None]:
    """Turn what a revision's own code raises when it is imported into a problem of the folder."""
    try:
        yield
    except (FolderError, UsageError):
        raise
    except SyntaxError as error:
        file, line, column = error.filename or str(folder), error.lineno or 1, error.offset or 1
        raise FolderError([Problem(file, line, column, f"is no Python: {error.msg}")]) from None
    except Exception as error:  # a revision is a program: whatever it raises is its fault
        file, line = innermost(error, scripts) or (str(scripts), 1)
        raise FolderError([Problem(file, line, 1, f"cannot be imported: {type(error).__name__}: {error}")]) from None
