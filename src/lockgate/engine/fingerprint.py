"""What the schema is, as one hash: an approval is for this schema and no other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from psycopg import Connection

from lockgate.engine import queries


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The hash of a schema.

    :param digest: hexadecimal.
    :param parts: ``columns of schema core`` -> its hash, shortened; to say what differs.
    """

    digest: str
    parts: Mapping[str, str]

    def differs(self, parts: Mapping[str, str]) -> list[str]:
        """The names of the parts that are not as in ``parts``."""
        names = self.parts.keys() | parts.keys()
        return sorted(name for name in names if self.parts.get(name) != parts.get(name))


def fingerprint(conn: Connection[Any]) -> Fingerprint:
    """The present schema's.

    Reads the catalog in one statement; the session's search_path does not matter.
    """
    by_part: dict[str, list[str]] = defaultdict(list)
    with conn.transaction():
        conn.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
        for kind, schema, name, definition in conn.execute(queries.load("fingerprint")):
            part = f"{kind} of schema {schema}" if schema and kind != "schemas" else kind
            by_part[part].append(repr((name, definition)))
    parts = {part: sha256("\n".join(sorted(lines)).encode()).hexdigest() for part, lines in by_part.items()}
    whole = "\n".join(f"{part} {digest}" for part, digest in sorted(parts.items()))
    return Fingerprint(
        sha256(whole.encode()).hexdigest(), {part: digest[:16] for part, digest in sorted(parts.items())}
    )
