"""Indexes of partitioned tables, which are built on each partition and attached to the one above."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lockgate.safety.altering import LONGEST
from lockgate.safety.known import Key, Known
from lockgate.sql.ddl import dotted

Make = Callable[[Key, str, bool], Iterable[str]]
"""The statements that make the index of a partition: its name, the index's, and whether it is partitioned itself."""


def below(known: Known, table: Key, above: str, label: str, make: Make) -> Iterator[str]:
    """The indexes of all partitions of a table, each attached to the one above it.

    :param above: the index of the table, as one would write it.
    :param label: its name, of which those of the partitions are made.
    """
    parts = [name for name, each in known.tables.items() if each.parent == table]
    for number, (schema, name) in enumerate(parts, 1):
        index = _name(name, label, number)
        split = known.is_partitioned((schema, name))
        yield from make((schema, name), index, split)
        own = dotted((schema, index))
        if split:
            yield from below(known, (schema, name), own, label, make)
        yield f"ALTER INDEX {above} ATTACH PARTITION {own};"


def _name(table: str, label: str, number: int) -> str:
    whole = f"{table}_{label}"
    if len(whole.encode()) <= LONGEST:
        return whole
    end = f"_{number}_{label.encode()[: LONGEST // 2].decode(errors='ignore')}"
    return table.encode()[: LONGEST - len(end.encode())].decode(errors="ignore") + end
