"""Hashes of rows and of their keys, computed by the server."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.catalog.relations import Column
from lockgate.mapping.compiled import as_held


def hash_of(columns: Sequence[Column], alias: str) -> str:
    """A hash of a row that differs when the stored form of any column does; NULL is not the empty text."""
    items = [f"{alias}.{c.sql}" if c.exact_hash else f"({alias}.{c.sql})::text" for c in columns]
    return f"pg_catalog.hash_record_extended(ROW({', '.join(items)}), 0)"


def hash_of_key(key: Sequence[Column], alias: str) -> str:
    """The same for equal keys, however they are stored: of 1.0 and 1.00, and of yields and rows of the target."""
    items = ((c, as_held(c, f"{alias}.{c.sql}")) for c in key)
    values = (item if c.hashable or c.exact_hash else f"({item})::text" for c, item in items)
    return f"pg_catalog.hash_record_extended(ROW({', '.join(values)}), 0)"
