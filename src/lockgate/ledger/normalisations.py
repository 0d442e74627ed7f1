"""Steps that bring values into their normal form, and what they keep: values of before, and those that are unfit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from lockgate.ledger.queries import load

Outcome = Literal["rejected", "collides"]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """A step that has begun.

    :param key: numbers of the columns that tell the rows of its table.
    """

    id: int
    plan: str
    name: str
    relid: int
    key: list[int]
    definition: dict[str, Any]

    @property
    def kept(self) -> str:
        """The table of what it wrote: ``k1``, ``k2`` ... , ``seq``, ``number`` of a column, ``old`` and ``new``."""
        return f"lockgate.normalised_{self.id}"

    @property
    def returning(self) -> str:
        """The table of what is still to be put back, while it is taken back."""
        return f"lockgate.returning_{self.id}"


def begin(
    conn: Connection[Any],
    plan: str,
    name: str,
    *,
    relid: int,
    key: Sequence[tuple[int, str]],
    definition: Mapping[str, Any],
) -> Normalisation:
    """The normalisation of this name, made with its table where there is none.

    :param key: number and plain type of each column that tells its rows.
    """
    values = {
        "plan": plan,
        "name": name,
        "relid": relid,
        "key": [number for number, _ in key],
        "definition": Jsonb(dict(definition)),
    }
    conn.execute(load("normalisations.begin"), values)
    made = find(conn, plan, name)
    assert made is not None
    columns = ", ".join(f"k{n} {type_} NOT NULL" for n, (_, type_) in enumerate(key, 1))
    conn.execute(
        f"CREATE TABLE IF NOT EXISTS {made.kept} (seq bigint GENERATED ALWAYS AS IDENTITY, {columns}, "
        "number smallint NOT NULL, old text, new text)".encode()
    )
    conn.execute(f"ALTER TABLE {made.kept} REPLICA IDENTITY FULL".encode())  # a publication may have all tables
    return made


def find(conn: Connection[Any], plan: str, name: str) -> Normalisation | None:
    """The normalisation of this name; None where it never began, or was taken back."""
    if not conn.cursor(row_factory=scalar_row).execute(load("normalisations.there")).fetchone():
        return None
    cursor = conn.cursor(row_factory=class_row(Normalisation))
    return cursor.execute(load("normalisations.find"), {"plan": plan, "name": name}).fetchone()


def of_tables(conn: Connection[Any], relids: Sequence[int]) -> list[Normalisation]:
    """Those of some tables, of any plan."""
    if not conn.cursor(row_factory=scalar_row).execute(load("normalisations.there")).fetchone():
        return []
    cursor = conn.cursor(row_factory=class_row(Normalisation))
    return cursor.execute(load("normalisations.of_tables"), {"relids": list(relids)}).fetchall()


def keep(conn: Connection[Any], of: Normalisation, unfit: Sequence[tuple[str, str, str]]) -> None:
    """Put values into quarantine.

    :param unfit: of each the reason, and as JSON objects the key of its row and the value under its column's name.
    """
    reasons, sources, kept = (list(part) for part in zip(*unfit, strict=True))
    values = {"plan": of.plan, "name": of.name, "reasons": reasons, "sources": sources, "kept": kept}
    conn.execute(load("normalisations.keep"), values)


def release(conn: Connection[Any], of: Normalisation, outcome: Outcome | None = None) -> None:
    """Empty its part of the quarantine, or of one outcome."""
    conn.execute(load("normalisations.release"), {"plan": of.plan, "name": of.name, "outcome": outcome})


def forget(conn: Connection[Any], of: Normalisation) -> None:
    """Forget it with all that it kept."""
    release(conn, of)
    conn.execute(f"DROP TABLE IF EXISTS {of.kept}, {of.returning}".encode())
    conn.execute(load("normalisations.forget"), {"id": of.id})
