"""Random mappings of the supported kinds: how they are drawn, written as SQL, and what they mean in plain SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.integration.stress.values import Table, quoted

ARRAY = "CASE WHEN jsonb_typeof({0}) = 'array' THEN {0} ELSE '[]' END"


@dataclass(frozen=True, slots=True)
class Read:
    """A relation as the SELECT reads it: plain, or through a subquery or a WITH query that filters."""

    table: Table
    alias: str
    through: str = "plain"

    def item(self) -> str:
        """What stands in FROM."""
        if self.through == "sub":
            return f"(SELECT * FROM {self.table.sql} AS i WHERE i.{self.table.column('f')}) AS {quoted(self.alias)}"
        if self.through == "cte":
            return f"{quoted('with ' + self.alias)} AS {quoted(self.alias)}"
        return f"{self.table.sql} AS {quoted(self.alias)}"

    def with_query(self) -> str | None:
        """The WITH query that it reads."""
        if self.through != "cte":
            return None
        query = f"SELECT i.* FROM {self.table.sql} AS i WHERE i.{self.table.column('f')}"
        return f"{quoted('with ' + self.alias)} AS ({query})"

    def col(self, logical: str) -> str:
        """A column, qualified by the alias."""
        return f"{quoted(self.alias)}.{self.table.column(logical)}"


@dataclass(frozen=True, slots=True)
class Join:
    """A join to one relation, or to several in parentheses.

    :param arms: the relation, and what is joined to it inside the parentheses.
    """

    outer: bool
    arm: Read
    inner: tuple[Join, ...]
    on: str

    def text(self) -> str:
        """The join as SQL."""
        arm = self.arm.item()
        if self.inner:
            arm = f"({arm} {' '.join(join.text() for join in self.inner)})"
        return f"{'LEFT ' if self.outer else ''}JOIN {arm} ON {self.on}"

    def reads(self) -> list[Read]:
        """All relations of the arm."""
        return [self.arm, *(read for join in self.inner for read in join.reads())]


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the target: its name, its type, and the expression that yields it."""

    name: str
    type: str
    expression: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """A random mapping.

    :param words: items of ORDER BY that decide who keeps a key, as (expression, direction).
    :param distinct: empty, ``all``, or ``on``: the winner is said by DISTINCT ON.
    """

    name: str
    driving: Read
    joins: tuple[Join, ...]
    lateral: str
    where: tuple[str, ...]
    key: tuple[Output, ...]
    values: tuple[Output, ...]
    words: tuple[tuple[str, str], ...]
    distinct: str

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All outputs, the key first."""
        return self.key + self.values

    def _reads(self) -> list[Read]:
        return [self.driving, *(read for join in self.joins for read in join.reads())]

    def _body(self, outputs: str) -> str:
        queries = [text for read in self._reads() if (text := read.with_query())]
        head = f"WITH {', '.join(queries)} " if queries else ""
        joins = "".join(f" {join.text()}" for join in self.joins)
        where = f" WHERE {' AND '.join(self.where)}" if self.where else ""
        return f"{head}SELECT {outputs} FROM {self.driving.item()}{joins}{self.lateral}{where}"

    def select(self) -> str:
        """The SELECT of the plan."""
        outputs = ", ".join(f"{output.expression} AS {quoted(output.name)}" for output in self.outputs)
        if self.distinct == "all":
            return self._body(f"DISTINCT {outputs}")
        if self.distinct == "on":
            keys = ", ".join(output.expression for output in self.key)
            order = ", ".join([keys, *self._said()])
            return f"{self._body(f'DISTINCT ON ({keys}) {outputs}')} ORDER BY {order}"
        return self._body(outputs)

    def _said(self) -> list[str]:
        """What the plan says of the winner: something, also where any row will do."""
        return [f"{text}{direction}" for text, direction in self.words] or ["NULL::int"]

    def step(self, into: str) -> dict[str, Any]:
        """The step of the plan."""
        return {
            "map": self.name,
            "into": into,
            "key": [quoted(output.name) for output in self.key],
            "from": f"{self.driving.table.sql} {quoted(self.driving.alias)}",
            "select": self.select(),
            "winner": [] if self.distinct == "on" else self._said(),
            "rejected": {"whatever": "true"},
            "acknowledge_triggers": ["app_writes"],
        }

    def yields(self, priority: int) -> str:
        """What it yields, in plain SQL: typed outputs, the priority, and the place of each row among its key's."""
        outputs = ", ".join(f"({output.expression})::{output.type} AS {quoted(output.name)}" for output in self.outputs)
        words = "".join(f", {text} AS word{number}" for number, (text, _) in enumerate(self.words))
        driving = self.driving.table
        identity = [] if driving.keyed == "none" else [self.driving.col(name) for name, _ in driving.key_columns()]
        last = "".join(f", {text} AS last{number}" for number, text in enumerate(identity))
        order = [f"word{number}{direction}" for number, (_, direction) in enumerate(self.words)]
        order += [f"last{number}" for number in range(len(identity))]
        by = f" ORDER BY {', '.join(order)}" if order else ""
        keys = ", ".join(quoted(output.name) for output in self.key)
        listed = ", ".join(quoted(output.name) for output in self.outputs)
        null = " OR ".join(f"{quoted(output.name)} IS NULL" for output in self.key)
        return (
            f"SELECT {listed}, {priority} AS priority, rank() OVER (PARTITION BY {keys}{by}) AS place "
            f"FROM ({self._body(outputs + words + last)}) AS y WHERE NOT ({null})"
        )


@dataclass(frozen=True, slots=True)
class Target:
    """A table of the new model and the mappings that fill it, in their order of priority."""

    name: str
    mappings: tuple[Mapping, ...]

    @property
    def sql(self) -> str:
        """The qualified name."""
        return f"new.{quoted(self.name)}"

    @property
    def key(self) -> list[str]:
        """The quoted names of the key's columns."""
        return [quoted(output.name) for output in self.mappings[0].key]

    @property
    def values(self) -> list[str]:
        """The quoted names of the other columns that the mappings decide."""
        return [quoted(output.name) for output in self.mappings[0].values]

    def create(self) -> list[str]:
        """The statements that make it, with a table and a trigger that remember what the application wrote."""
        first = self.mappings[0]
        columns = [f"{quoted(output.name)} {output.type} NOT NULL" for output in first.key]
        columns += [f"{quoted(output.name)} {output.type}" for output in first.values]
        columns.append("own text DEFAULT 'own'")
        keys = ", ".join(self.key)
        shadow = f"shadow.{quoted(self.name)}"
        same = " AND ".join(f"s.{name} = OLD.{name}" for name in self.key)
        return [
            f"CREATE TABLE {self.sql} ({', '.join(columns)}, UNIQUE ({keys}))",
            f"CREATE TABLE {shadow} (LIKE {self.sql})",
            f"CREATE FUNCTION shadow.{quoted('write ' + self.name)}() RETURNS trigger LANGUAGE plpgsql "
            "SECURITY DEFINER SET search_path = pg_catalog, ext AS $$ BEGIN "
            f"IF TG_OP <> 'INSERT' THEN DELETE FROM {shadow} s WHERE {same}; END IF; "
            f"IF TG_OP <> 'DELETE' THEN INSERT INTO {shadow} SELECT NEW.*; END IF; RETURN NULL; END $$",
            f"CREATE TRIGGER app_writes AFTER INSERT OR UPDATE OR DELETE ON {self.sql} FOR EACH ROW "
            "WHEN (coalesce(current_setting('lockgate.writer', true), '') = '') "
            f"EXECUTE FUNCTION shadow.{quoted('write ' + self.name)}()",
        ]

    def wanted(self) -> str:
        """The rows that the target should hold, in plain SQL; several of one key where the plan leaves it open."""
        keys = ", ".join(self.key)
        listed = ", ".join([*self.key, *self.values])
        union = " UNION ALL ".join(f"({mapping.yields(number)})" for number, mapping in enumerate(self.mappings))
        return (
            f"SELECT {listed} FROM (SELECT y.*, min(priority) OVER (PARTITION BY {keys}) AS best "
            f"FROM ({union}) AS y) AS y WHERE place = 1 AND priority = best"
        )
